import { spawnSync } from "node:child_process";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { inputRuns } from "../support/input-runs.js";
import { flatSchema, parquetFile } from "../support/parquet-file.js";
import { outputOf } from "../support/runs.js";

// Parquet files of other writers (parquet/make.py), compared with the values that the writers were given.

const { at, output, tableOf, valuesOf, refusal, run, write } = inputRuns();
const folder = fileURLToPath(new URL("parquet/", import.meta.url));
const given: { logits: number[][]; kept: Record<string, unknown[]> } =
  JSON.parse(readFileSync(`${folder}expected.json`, "utf8"));
const { kind: _, ...ofPyarrow } = given.kept;
const ALL = Object.keys(ofPyarrow);
const [rows, classes] = [given.logits.length, 4];
const numbers = Float64Array.from(given.logits.flat());
const flat = built.softmax(numbers, { rows, classes });
const softmax = given.logits.map((_, r) => [
  ...flat.subarray(4 * r, 4 * r + 4),
]);

/** Returns plain values of columns, by name; bytes as hexadecimal digits. */
async function columnsOf(
  name: string,
  options: object,
): Promise<Record<string, unknown[]>> {
  const emit = { emit: ["softmax"], dtype: "float64" };
  const table = await tableOf(folder + name, { ...emit, ...options });
  const plain = (value: unknown) =>
    value instanceof Uint8Array
      ? Buffer.from(value).toString("hex")
      : ArrayBuffer.isView(value)
        ? [...(value as Float64Array)]
        : (value ?? null);
  return Object.fromEntries(
    table.names.map((name) => [name, [...table.getChild(name)].map(plain)]),
  );
}

test.each<[name: string, keep: string[], options?: object]>([
  ...["none", "snappy", "gzip", "zstd", "lz4", "brotli", "v2"].map(
    (codec): [string, string[]] => [`pyarrow-${codec}`, ALL],
  ),
  ["pyarrow-no-arrow-schema", ALL],
  ["pyarrow-columns", ALL, { columns: "logit_*" }],
  ["pyarrow-small", ["id", "name"]],
  ["pyarrow-checksums", ["id", "name"]],
  ["pyarrow-snappy", ["label"]],
  ["polars", ["id", "name", "split", "kind"]],
  ["polars-half", ["half"]],
  ["duckdb", ["id", "name"]],
])("%s, columns %j", async (name, keep, options) => {
  const kept = keep.map((column) => [column, given.kept[column]]);
  const row = Array.from({ length: rows }, (_, r) => r);
  expect(await columnsOf(`${name}.parquet`, { keep, ...options })).toEqual({
    ...{ row, softmax },
    ...Object.fromEntries(kept),
  });
});

test.each(["no-rows", "no-row-groups"])(
  "the Arrow schema gives the classes of %s",
  async (name) => {
    const input = `${folder}pyarrow-${name}.parquet`;
    const report = await built.run({ input, output, keep: ALL, force: true });
    expect([report.rows, report.classes]).toEqual([0, classes]);
    expect(outputOf(output).column("split")).toEqual([]);
  },
);

test.each([
  ...["bad-row", "float16", "int32", "large-list", "null-rows", "null-values"],
  ...["ragged", "two-candidates"],
])("table %s has the same outcome in Parquet as in Arrow", async (name) => {
  const outcome = async (file: string) => {
    const softmax = await valuesOf(folder + file, "softmax").catch(() => null);
    return softmax ?? (await refusal(folder + file));
  };
  const inArrow = JSON.stringify(await outcome(`${name}.arrow`));
  // The writer names the items of lists differently in Parquet.
  const expected = inArrow.replaceAll("item:", "element:");
  expect(JSON.stringify(await outcome(`${name}.parquet`))).toBe(expected);
});

test.each(["a pipe", "a file"])("standard input: %s", (kind) => {
  const path = `${folder}pyarrow-zstd.parquet`;
  const line = "run - --emit softmax --dtype float64 --force -o".split(" ");
  const { status, stderr } = spawnSync(
    process.execPath,
    [CLI, ...line, output],
    {
      encoding: "utf8",
      ...(kind === "a pipe"
        ? { input: readFileSync(path) }
        : { stdio: [openSync(path, "r"), "pipe", "pipe"] }),
    },
  );
  expect([status, stderr]).toEqual([0, expect.any(String)]);
  expect(outputOf(output).column("softmax")).toEqual(softmax);
});

test("an abort during decoding leaves no file", async () => {
  const files = readdirSync(at("."));
  const controller = new AbortController();
  const options = {
    input: `${folder}two-million-rows.parquet`,
    columns: "logit_*",
    output: at("stopped"),
  };
  const running = built.run(options, controller);
  setImmediate(() => controller.abort());
  await expect(running).rejects.toBeInstanceOf(built.AbortedError);
  expect(readdirSync(at("."))).toEqual(files);
});

test("intervals without an Arrow schema are copied with their months, as 12 bytes", async () => {
  // Months, days and milliseconds of two intervals.
  const intervals = Int32Array.of(3, 2, 5000, -14, 0, 1);
  const page = { version: 1 as const, values: 2, repetition: [] };
  const columns = ["l_0", "l_1"].map((name) => ({
    schema: flatSchema(name),
    values: 2,
    pages: [{ ...page, definition: [4, 1], data: [1, 2] }],
  }));
  const iv = {
    schema: [{ 1: 7, 2: 12, 3: 0, 4: "iv", 6: 21 }],
    values: 2,
    pages: [
      {
        ...page,
        definition: [],
        data: [...new Float64Array(intervals.buffer)],
      },
    ],
    metadata: { 1: 7 },
  };
  write(parquetFile([...columns, iv], { rows: 2 }));
  const made = await run({ columns: "l_*", keep: ["iv"] });
  const bytes = (made.column("iv") as Uint8Array[]).map((value) => [...value]);
  expect(bytes.flat()).toEqual([...new Uint8Array(intervals.buffer)]);
});
