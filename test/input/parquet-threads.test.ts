import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import {
  Compression,
  initSync,
  Table,
  WriterPropertiesBuilder,
  writeParquet,
} from "parquet-wasm/esm";
import { beforeAll, expect, test } from "vitest";
import { fileMetadata } from "../../src/tasks/parquet-metadata.js";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Row groups of 4 MB, of which several threads decode some each.

const at = workDirectory();
const input = at("groups.parquet");
const [groups, groupRows] = [8, 65536];
const rows = groups * groupRows;

beforeAll(() => {
  const wasm = createRequire(import.meta.url).resolve(
    "parquet-wasm/esm/parquet_wasm_bg.wasm",
  );
  initSync({ module: readFileSync(wasm) });
  const column = (k: number) =>
    Float64Array.from({ length: rows }, (_, r) => Math.sin(r * (k + 1)));
  const columns = Array.from({ length: 8 }, (_, k) => [`l${k}`, column(k)]);
  const number = Int32Array.from({ length: rows }, (_, r) => r);
  const table = tableFromArrays({ ...Object.fromEntries(columns), number });
  const properties = new WriterPropertiesBuilder()
    .setCompression(Compression.UNCOMPRESSED)
    .setDictionaryEnabled(false)
    .setMaxRowGroupSize(groupRows)
    .build();
  const stream = Table.fromIPCStream(tableToIPC(table, "stream"));
  writeFileSync(input, writeParquet(stream, properties));
});

const options = (threads: number) => ({
  ...{ columns: "l*", keep: ["number"], emit: ["gini"] as const, threads },
  output: at(`${threads}.arrow`),
});

test("threads do not change the order of rows", async () => {
  for (const threads of [1, 4]) await built.run({ input, ...options(threads) });
  const [one, four] = [1, 4].map((n) => readFileSync(at(`${n}.arrow`)));
  expect(four?.equals(one as Buffer)).toBe(true);
});

test("one thread decodes all if the address space has no room for two", () => {
  const limited = 'ulimit -v 16000000; exec "$0" "$@"';
  const words = ["--columns", "l*", "--keep", "number", "--emit", "gini"];
  const command = [CLI, "run", input, "-o", at("limited.arrow"), ...words];
  const { status, stderr } = spawnSync("bash", [
    ...["-c", limited, process.execPath, ...command, "--threads", "4"],
  ]);
  expect({ status, stderr: `${stderr}` }).toMatchObject({ status: 0 });
  const one = readFileSync(at("1.arrow"));
  expect(readFileSync(at("limited.arrow")).equals(one)).toBe(true);
});

test("the first damaged row group is reported", async () => {
  const bytes = readFileSync(input);
  const length = bytes.readUInt32LE(bytes.length - 8);
  const footer = bytes.subarray(bytes.length - 8 - length, -8);
  const { rowGroups } = fileMetadata(footer);
  for (const k of [2, 3, 6]) {
    const [chunk] = rowGroups[k]?.chunks ?? [];
    bytes.fill(0xff, chunk?.start, (chunk?.start ?? 0) + 20);
  }
  const damaged = at("damaged.parquet");
  writeFileSync(damaged, bytes);
  for (const threads of [1, 2, 4])
    await expect(
      built.run({ ...options(threads), input: damaged, force: true }),
    ).rejects.toThrow("row group 2: column l0, page 0: no valid page header");
});

test("one thread decodes small files one after another, until one is damaged", async () => {
  let started = 0;
  const count = () => started++;
  process.on("worker", count);
  const small = join(import.meta.dirname, "parquet/pyarrow-small.parquet");
  const bytes = readFileSync(small);
  const inputs = Array.from({ length: 6 }, (_, k) => at(`small-${k}.parquet`));
  const [, , , damaged = ""] = inputs;
  for (const path of inputs) writeFileSync(path, bytes);
  const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
  writeFileSync(damaged, bytes.fill(0xff, 4, footer));
  const reduce = (inputs: string[]) =>
    built.reduce({ inputs, output: at("mean.arrow"), force: true });
  try {
    await reduce(inputs.slice(0, 3));
    expect(started).toBe(1);
    await expect(reduce(inputs)).rejects.toThrow("page 0");
    await reduce(inputs.slice(4));
    expect(started).toBe(2);
  } finally {
    process.off("worker", count);
  }
});
