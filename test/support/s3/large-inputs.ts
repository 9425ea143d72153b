import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RunOptions } from "../../../src/options/run-options.js";
import { columnsFirst, npy, safetensors, zip } from "../array-files.js";
import { type Columns, writeArrow } from "../arrow-columns.js";
import { built } from "../built.js";
import { random } from "../random.js";

/** Input of one format, with the options to run it; `whole`: shards read the whole file instead of their rows. */
type LargeInput = [
  name: string,
  file: string,
  options: Partial<RunOptions>,
  whole?: "whole",
];

const ARRAY_ROWS = 24_000;
const ARROW_ROWS = 18_000;
const CLASSES = 6;

/** Writes files of a few MiB, so that the rows of a shard are only a part of each. */
export async function writeLargeInputs(
  at: (name: string) => string,
): Promise<LargeInput[]> {
  const uniform = random(11);
  const length = ARRAY_ROWS * CLASSES;
  const numbers = Float64Array.from({ length }, () => 8 * uniform());
  const columns = columnsOf(numbers);
  const batchRows = 4_050;
  writeArrow(at("all.arrow"), columns, { batchRows });
  writeArrow(at("all.arrows"), columns, { batchRows, format: "stream" });
  mkdirSync(at("part=3"));
  copyFileSync(at("all.arrow"), at("part=3/all.arrow"));
  const keep = ["id", "flag", "text", "bytes", "split"];
  for (const compress of ["lz4", "zstd"] as const) {
    const [input, output] = [at("all.arrow"), at(`${compress}.arrow`)];
    const options = { column: "fixed", emit: ["softmax" as const], keep };
    await built.run({ input, output, ...options, compress });
  }
  const shape = [ARRAY_ROWS, CLASSES];
  const turned = columnsFirst(numbers, ARRAY_ROWS);
  const c = npy(numbers, shape);
  const ids = Int32Array.from({ length: ARRAY_ROWS }, (_, r) => r);
  const members = { "logits.npy": c, "id.npy": npy(ids, [ARRAY_ROWS]) };
  const logits = { dtype: "F64", shape, values: numbers };
  const files: Record<string, Buffer> = {
    "c.npy": c,
    "inner.npy": npy(numbers, [ARRAY_ROWS / 4, CLASSES, 4]),
    "fortran.npy": npy(turned, { shape, fortran: true }),
    "stored.npz": zip(members),
    "deflated.npz": zip(members, { deflated: true }),
    "a.safetensors": safetensors({ logits }),
  };
  for (const [name, bytes] of Object.entries(files))
    writeFileSync(at(name), bytes);
  copyFileSync(PARQUET, at("zstd.parquet"));
  const lists = ["lists", "larges", "records"];
  const fixed = { column: "fixed" };
  const gradient: Partial<RunOptions> = { ...fixed, emit: ["gradient"] };
  const csr = { column: "lists", layout: "csr", threshold: 1e-3 } as const;
  const nullable = { column: "nullable", keep: ["text"] };
  const skip = { ...nullable, onBadRow: "skip" } as const;
  const all = "all.arrow";
  return [
    ...["fixed", ...lists, "fixed32"].map(
      (column): LargeInput => [`column ${column}`, all, { column, keep }],
    ),
    ["columns", all, { columns: "logit_*", keep: ["text"] }],
    ["a label", all, { ...gradient, label: "id6" }],
    ["copied lists and structs", all, { ...fixed, keep: lists }],
    [
      "a directory that is a column",
      `part=3/${all}`,
      { ...gradient, keep: ["part"], label: "part" },
    ],
    ["entries", all, csr],
    ["skipped rows", all, skip],
    ["a stream", "all.arrows", { ...fixed, keep }],
    ["lz4", "lz4.arrow", { column: "softmax", keep }, "whole"],
    ["zstd", "zstd.arrow", { column: "softmax", keep }, "whole"],
    ["npy", "c.npy", {}],
    ["npy, decoded", "inner.npy", { classAxis: 1 }, "whole"],
    // Columns are so short that the bytes between them are fetched as well.
    ["npy, by columns", "fortran.npy", {}, "whole"],
    ["npz", "stored.npz", { column: "logits" }, "whole"],
    [
      "npz, deflated",
      "deflated.npz",
      { column: "logits", keep: ["id"] },
      "whole",
    ],
    ["safetensors", "a.safetensors", {}],
    ["Parquet", "zstd.parquet", {}, "whole"],
  ];
}

const PARQUET = fileURLToPath(
  new URL("../../input/parquet/pyarrow-zstd.parquet", import.meta.url),
);

function columnsOf(numbers: Float64Array): Columns {
  const row = (r: number) =>
    Array.from(numbers.subarray(r * CLASSES, (r + 1) * CLASSES));
  const column = (
    type: string,
    value: (r: number) => unknown,
  ): Columns[string] => [
    Array.from({ length: ARROW_ROWS }, (_, r) => value(r)),
    type,
  ];
  const names = Array.from({ length: CLASSES }, (_, k) => `logit_${k}`);
  const record = names.map((name) => `${name}: float64`).join(", ");
  const logits = names.map((name, k) => [
    ...[name, column("float64", (r) => numbers[r * CLASSES + k])],
  ]);
  return {
    fixed: column(`fixed_size_list<float64>[${CLASSES}]`, row),
    text: column("utf8", (r) => (r % 7 ? `row ${"é".repeat(r % 9)}` : null)),
    lists: column("list<float64>", row),
    id: column("int32", (r) => 3 * r),
    id6: column("int32", (r) => r % CLASSES),
    larges: column("large_list<float32>", row),
    flag: column("bool", (r) => (r % 5 ? r % 2 === 0 : null)),
    fixed32: column(`fixed_size_list<float32>[${CLASSES}]`, row),
    nullable: column("list<float64>", (r) => (r % 11 ? row(r) : null)),
    records: column(`struct<${record}>`, (r) =>
      Object.fromEntries(names.map((name, k) => [name, row(r)[k]])),
    ),
    bytes: column("binary", (r) => new Uint8Array(r % 6).fill(r)),
    split: column("dictionary<int32, utf8>", (r) => `${(r * r) % 13} of 13`),
    ...Object.fromEntries(logits),
  };
}
