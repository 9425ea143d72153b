import { describe, expect, test, vi } from "vitest";
import type { JacobianReader } from "../../src/index.js";
import { openJacobian } from "../../src/reader/open-jacobian.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import {
  type SparseExamples,
  sparseColumns,
  writeResults,
  writeRows,
} from "../support/results-file.js";

/** Calls, bytes and open files of the reader, whichever functions it reads with. */
const counted = vi.hoisted(() => ({ reads: 0, bytes: 0, open: 0 }));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const count = (bytes: number) => {
    counted.reads++;
    counted.bytes += bytes;
    return bytes;
  };
  type Done = (error: Error | null, bytes: number) => void;
  return {
    ...fs,
    openSync: (...args: Parameters<typeof fs.openSync>) => {
      counted.open++;
      return fs.openSync(...args);
    },
    closeSync: (fd: number) => {
      counted.open--;
      fs.closeSync(fd);
    },
    readSync: (...args: [number, Uint8Array, number, number, number]) =>
      count(fs.readSync(...args)),
    read: (
      ...[fd, target, offset, length, position, done]: [
        ...[fd: number, target: Uint8Array, offset: number],
        ...[length: number, position: number, done: Done],
      ]
    ) =>
      fs.read(fd, target, offset, length, position, (error, bytes) =>
        done(error, count(bytes)),
      ),
  };
});

const at = workDirectory();
const classes = 50;
const size = classes * classes;
const rows = 4000;
const input = at("in");
writeLogits(input, { rows, classes, logit: (r, k) => Math.sin(r * 7 + k) });

/** Returns the number of reads of a call, and their bytes. */
async function readsOf(
  call: () => Promise<unknown>,
): Promise<[reads: number, bytes: number]> {
  const { reads, bytes } = counted;
  await call();
  return [counted.reads - reads, counted.bytes - bytes];
}

async function readAll(reader: JacobianReader): Promise<void> {
  for await (const batch of reader)
    for (let k = 0; k < batch.count; k++) await batch.block(k);
}

describe.each([
  ["bsr", 8 * size, 8],
  ["packed", 4 * classes * (classes + 1), 8],
  ["factored", 8 * classes + 12, 8 * classes + 12],
] as const)("4000 blocks of %s", (layout, blockBytes, entryBytes) => {
  test("opening reads metadata, a lookup little more than a block, and a scan every byte about once", async () => {
    const output = at(layout);
    await built.run({ input, output, layout, emit: ["jacobian"] });
    counted.open = 0;
    counted.bytes = 0;
    const reader = await openJacobian(output);
    expect(counted.bytes).toBeLessThan(20_000);
    // The first lookup also reads the ends of the row numbers.
    await reader.block(1234);
    for (const row of [1234, 7, 3999]) {
      const [reads, bytes] = await readsOf(() => reader.block(row));
      expect(bytes).toBeLessThanOrEqual(blockBytes + 8 * 5);
      expect(reads).toBeLessThanOrEqual(8);
      const [, ofEntry] = await readsOf(() => reader.entry(row, 3, 4));
      expect(ofEntry).toBeLessThanOrEqual(entryBytes + 8);
    }
    const [reads, bytes] = await readsOf(() => readAll(reader));
    expect(bytes).toBeLessThan(1.1 * rows * (blockBytes + 8) + 1e5);
    expect(reads).toBeLessThan(4 * (bytes / 2 ** 20) + 40);
    await reader.close();
    expect(counted.open).toBe(0);
  });
});

test("layout dense: a block reads none of the zeros around it", async () => {
  const [few, output] = [at("few"), at("dense")];
  writeLogits(few, { rows: 60, classes, logit: (r, k) => Math.cos(r + k) });
  await built.run({ input: few, output, layout: "dense" });
  await using reader = await openJacobian(output);
  const [, bytes] = await readsOf(() => reader.block(40));
  expect(bytes).toBeLessThanOrEqual(8 * size + 8 * 7);
  const [, ofAll] = await readsOf(() => readAll(reader));
  expect(ofAll).toBeLessThan(60 * (8 * size + 24) + 100);
});

test.each([
  ["csr", [1500], 150],
  ["coo", [6001], 6000],
])(
  "%s: an entry reads its block and a search",
  async (layout, batchRows, limit) => {
    const examples: SparseExamples = Array.from({ length: 5000 }, (_, row) => ({
      row,
      entries: { indices: [1, 5, 8, 20], values: [1, 2, 3, row] },
    }));
    const columns = sparseColumns(layout, examples, classes);
    const stated = { layout, rows: 5000, classes };
    writeResults(at(layout), columns, stated, batchRows);
    await using reader = await openJacobian(at(layout));
    for (const row of [4321, 0, 4999]) {
      const [reads, bytes] = await readsOf(() => reader.entry(row, 0, 20));
      expect(await reader.entry(row, 0, 20)).toBe(row);
      expect(bytes).toBeLessThan(limit);
      expect(reads).toBeLessThan(50);
    }
  },
);

test("rows with long gaps: a lookup reads few row numbers", async () => {
  const path = at("gaps");
  const numbers = Array.from({ length: 50_000 }, (_, k) => 3 * k + (k % 2));
  writeRows(path, numbers);
  await using reader = await openJacobian(path);
  for (const row of [75_000, 30_001, 149_998]) {
    const lookup = () => reader.block(row).catch(() => null);
    const [reads, bytes] = await readsOf(lookup);
    expect(bytes).toBeLessThan(2500);
    expect(reads).toBeLessThan(14);
  }
});

test("closing waits for reads in progress and prevents others", async () => {
  counted.open = 0;
  const reader = await openJacobian(at("bsr"));
  const expected = await reader.block(9);
  const reads = Promise.allSettled([reader.block(9), reader.block(9)]);
  // By then the row number is read, and the read of the block is in progress.
  await new Promise((resolve) => setImmediate(resolve));
  await reader.close();
  for (const outcome of await reads)
    if (outcome.status === "fulfilled") expect(outcome.value).toEqual(expected);
    else expect(outcome.reason).toMatchObject({ code: "ERR_USAGE" });
  await expect(reader.block(9)).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: `${at("bsr")}: the reader is closed`,
  });
  await reader.close();
  expect(counted.open).toBe(0);
});

test("a closed reader answers nothing, not even what needs no read", async () => {
  // Row 0 is a block of zeros, and the file does not have row 9.
  const row = { row: 1, entries: { indices: [0], values: [1] } };
  const columns = sparseColumns("coo", [row], 2);
  writeResults(
    at("closed"),
    columns,
    { layout: "coo", rows: 2, classes: 2 },
    [1],
  );
  const reader = await openJacobian(at("closed"));
  expect(await reader.block(0)).toEqual(new Float64Array(4));
  await reader.close();
  const closed = {
    code: "ERR_USAGE",
    message: `${at("closed")}: the reader is closed`,
  };
  for (const call of [
    () => reader.block(0),
    () => reader.block(9),
    () => readAll(reader),
  ])
    await expect(call()).rejects.toMatchObject(closed);
});
