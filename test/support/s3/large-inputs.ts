import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  binary,
  bool,
  columnFromArray,
  dictionary,
  fixedSizeList,
  float32,
  float64,
  int32,
  largeList,
  list,
  struct,
  tableFromColumns,
  tableToIPC,
  utf8,
} from "@uwdata/flechette";
import type { RunOptions } from "../../../src/options/run-options.js";
import { columnsFirst, npy, safetensors, zip } from "../array-files.js";
import { built } from "../built.js";
import { random } from "../random.js";

/** Input of one format, with the options to run it. */
export interface LargeInput {
  name: string;
  file: string;
  options: Partial<RunOptions>;
  /** Whether shards read the whole file instead of their rows. */
  whole?: boolean;
}

const ARRAY_ROWS = 24_000;
const ARROW_ROWS = 18_000;
const CLASSES = 6;
const BATCH_ROWS = 4_050;

/** Writes files of a few MiB, so that the rows of a shard are only a part of each. */
export async function writeLargeInputs(
  at: (name: string) => string,
): Promise<LargeInput[]> {
  const uniform = random(11);
  const numbers = Float64Array.from(
    { length: ARRAY_ROWS * CLASSES },
    () => 8 * uniform(),
  );
  writeArrow(at("all.arrow"), numbers, "file");
  writeArrow(at("all.arrows"), numbers, "stream");
  mkdirSync(at("part=3"));
  copyFileSync(at("all.arrow"), at("part=3/all.arrow"));
  const keep = ["id", "flag", "text", "bytes", "split"];
  for (const compress of ["lz4", "zstd"] as const)
    await built.run({
      input: at("all.arrow"),
      output: at(`${compress}.arrow`),
      column: "fixed",
      emit: ["softmax"],
      keep,
      compress,
    });
  const shape = [ARRAY_ROWS, CLASSES];
  const turned = columnsFirst(numbers, ARRAY_ROWS);
  const c = npy(numbers, shape);
  const ids = npy(
    Int32Array.from({ length: ARRAY_ROWS }, (_, r) => r),
    [ARRAY_ROWS],
  );
  const members = { "logits.npy": c, "id.npy": ids };
  const files: Record<string, Buffer> = {
    "c.npy": c,
    "inner.npy": npy(numbers, [ARRAY_ROWS / 4, CLASSES, 4]),
    "fortran.npy": npy(turned, { shape, fortran: true }),
    "stored.npz": zip(members),
    "deflated.npz": zip(members, { deflated: true }),
    "a.safetensors": safetensors({
      logits: { dtype: "F64", shape, values: numbers },
    }),
  };
  for (const [name, bytes] of Object.entries(files))
    writeFileSync(at(name), bytes);
  writeFileSync(at("zstd.parquet"), readFileSync(parquet));
  const arrow = ["fixed", "lists", "larges", "records", "fixed32"];
  return [
    ...arrow.map((column) => ({
      name: `a column: ${column}`,
      file: "all.arrow",
      options: { column, keep },
    })),
    {
      name: "columns",
      file: "all.arrow",
      options: { columns: "logit_*", keep: ["text"] },
    },
    {
      name: "a label",
      file: "all.arrow",
      options: { column: "fixed", emit: ["gradient"], label: "id6" },
    },
    {
      name: "copied columns of lists and structs",
      file: "all.arrow",
      options: { column: "fixed", keep: ["lists", "larges", "records"] },
    },
    {
      name: "a directory that is a column",
      file: "part=3/all.arrow",
      options: {
        column: "fixed",
        keep: ["part"],
        emit: ["gradient"],
        label: "part",
      },
    },
    {
      name: "entries",
      file: "all.arrow",
      options: { column: "lists", layout: "csr", threshold: 1e-3 },
    },
    {
      name: "rows that are left out",
      file: "all.arrow",
      options: { column: "nullable", onBadRow: "skip", keep: ["text"] },
    },
    {
      name: "a stream",
      file: "all.arrows",
      options: { column: "fixed", keep },
    },
    ...["lz4", "zstd"].map((name) => ({
      name,
      file: `${name}.arrow`,
      options: { column: "softmax", keep },
      whole: true,
    })),
    { name: "npy", file: "c.npy", options: {} },
    {
      name: "npy, decoded",
      file: "inner.npy",
      options: { classAxis: 1 },
      whole: true,
    },
    {
      name: "npy, by columns",
      file: "fortran.npy",
      options: {},
      // Columns are so short that the bytes between them are fetched as well.
      whole: true,
    },
    {
      name: "npz",
      file: "stored.npz",
      options: { column: "logits" },
      whole: true,
    },
    {
      name: "npz, deflated",
      file: "deflated.npz",
      options: { column: "logits", keep: ["id"] },
      whole: true,
    },
    { name: "safetensors", file: "a.safetensors", options: {} },
    { name: "Parquet", file: "zstd.parquet", options: {}, whole: true },
  ] as LargeInput[];
}

const parquet = fileURLToPath(
  new URL("../../input/parquet/pyarrow-zstd.parquet", import.meta.url),
);

function writeArrow(
  path: string,
  numbers: Float64Array,
  format: "file" | "stream",
): void {
  const row = (r: number) =>
    Array.from(numbers.subarray(r * CLASSES, (r + 1) * CLASSES));
  const column = (type: unknown, value: (r: number) => unknown) =>
    columnFromArray(
      Array.from({ length: ARROW_ROWS }, (_, r) => value(r)) as never,
      type as never,
      { maxBatchRows: BATCH_ROWS } as never,
    );
  const names = Array.from({ length: CLASSES }, (_, k) => `logit_${k}`);
  const columns: [string, unknown][] = [
    ["fixed", column(fixedSizeList(float64(), CLASSES), row)],
    [
      "text",
      column(utf8(), (r) => (r % 7 ? `row ${"é".repeat(r % 9)}` : null)),
    ],
    ["lists", column(list(float64()), row)],
    ["id", column(int32(), (r) => 3 * r)],
    ["id6", column(int32(), (r) => r % CLASSES)],
    ["larges", column(largeList(float32()), row)],
    ["flag", column(bool(), (r) => (r % 5 ? r % 2 === 0 : null))],
    ["fixed32", column(fixedSizeList(float32(), CLASSES), row)],
    ["nullable", column(list(float64()), (r) => (r % 11 ? row(r) : null))],
    [
      "records",
      column(
        struct(Object.fromEntries(names.map((name) => [name, float64()]))),
        (r) => Object.fromEntries(names.map((name, k) => [name, row(r)[k]])),
      ),
    ],
    ["bytes", column(binary(), (r) => new Uint8Array(r % 6).fill(r))],
    ["split", column(dictionary(utf8()), (r) => `${(r * r) % 13} of 13`)],
    ...names.map((name, k): [string, unknown] => [
      name,
      column(float64(), (r) => numbers[r * CLASSES + k]),
    ]),
  ];
  const table = tableFromColumns(columns as never);
  writeFileSync(path, tableToIPC(table, { format }) as Uint8Array);
}
