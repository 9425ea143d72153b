import { Float64, Int64 } from "apache-arrow";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { openJacobian } from "../../src/reader/open-jacobian.js";
import { built } from "../support/built.js";
import { fixedSizeList } from "../support/fixed-size-list.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import {
  cooFile,
  csrFile,
  type SparseExamples,
  writeResults,
} from "../support/results-file.js";

/** What the source itself reads, in calls and bytes, however it reads. */
const counted = vi.hoisted(() => ({ reads: 0, bytes: 0, open: 0 }));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const count = (bytes: number) => {
    counted.reads++;
    counted.bytes += bytes;
  };
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
    readSync: (...args: [number, Uint8Array, number, number, number]) => {
      const read = fs.readSync(...args);
      count(read);
      return read;
    },
    read: (
      fd: number,
      target: Uint8Array,
      offset: number,
      length: number,
      position: number,
      done: (error: Error | null, bytes: number) => void,
    ) =>
      fs.read(fd, target, offset, length, position, (error, bytes) => {
        count(bytes);
        done(error, bytes);
      }),
  };
});

const at = workDirectory();
const classes = 50;
const size = classes * classes;
const rows = 4000;
const input = at("in");
writeLogits(input, { rows, classes, logit: (r, k) => Math.sin(r * 7 + k) });

beforeEach(() => {
  counted.reads = 0;
  counted.bytes = 0;
});

async function readsOf(what: () => Promise<unknown>) {
  const before = { ...counted };
  await what();
  return {
    reads: counted.reads - before.reads,
    bytes: counted.bytes - before.bytes,
  };
}

describe.each([
  ["bsr", 8 * size, 8],
  ["packed", 4 * classes * (classes + 1), 8],
  ["factored", 8 * classes + 12, 8 * classes + 12],
] as const)("%s: 4000 blocks", (layout, blockBytes, entryBytes) => {
  test("opening reads metadata, a block its own bytes", async () => {
    const output = at(layout);
    await built.run({ input, output, layout, emit: ["jacobian"] });
    counted.open = 0;
    counted.bytes = 0;
    const reader = await openJacobian(output);
    expect(counted.bytes).toBeLessThan(20_000);
    // The ends of two batches at most, then the row's own number.
    await reader.block(1234);
    for (const row of [1234, 7, 3999]) {
      const block = await readsOf(() => reader.block(row));
      expect(block.bytes).toBeLessThanOrEqual(blockBytes + 8 * 5);
      expect(block.reads).toBeLessThanOrEqual(8);
      const entry = await readsOf(() => reader.entry(row, 3, 4));
      expect(entry.bytes).toBeLessThanOrEqual(entryBytes + 8);
    }
    await reader.close();
    expect(counted.open).toBe(0);
  });

  test("from front to back: every byte about once, in large reads", async () => {
    const reader = await openJacobian(at(layout));
    const { reads, bytes } = await readsOf(async () => {
      for await (const batch of reader)
        for (let k = 0; k < batch.count; k++) await batch.block(k);
    });
    expect(bytes).toBeLessThan(1.1 * rows * (blockBytes + 8) + 1e5);
    expect(reads).toBeLessThan(4 * (bytes / 2 ** 20) + 40);
    await reader.close();
  });
});

test("dense: a block's own bytes, none of the zeros between them", async () => {
  const path = at("dense");
  const few = at("few");
  writeLogits(few, { rows: 60, classes, logit: (r, k) => Math.cos(r + k) });
  await built.run({ input: few, output: path, layout: "dense" });
  const reader = await openJacobian(path);
  const random = await readsOf(() => reader.block(40));
  expect(random.bytes).toBeLessThanOrEqual(8 * size + 8 * 7);
  const all = await readsOf(async () => {
    for await (const batch of reader)
      for (let k = 0; k < batch.count; k++) await batch.block(k);
  });
  expect(all.bytes).toBeLessThan(60 * (8 * size + 24) + 100);
  await reader.close();
});

test("csr and coo: an example's entries, and a search for its row", async () => {
  const examples: SparseExamples = Array.from({ length: 5000 }, (_, row) => ({
    row,
    entries: { indices: [1, 5, 8, 20], values: [1, 2, 3, row] },
  }));
  const [csr, coo] = [at("csr"), at("coo")];
  writeResults(csr, { columns: csrFile(examples), batchRows: [1500] });
  const columns = cooFile(examples, classes);
  writeResults(coo, { columns, batchRows: [6001] });
  for (const [path, limit] of [
    [csr, 150],
    [coo, 6000],
  ] as const) {
    const reader = await openJacobian(path, { classes });
    for (const row of [4321, 0, 4999]) {
      const { bytes, reads } = await readsOf(() => reader.entry(row, 0, 20));
      expect(await reader.entry(row, 0, 20)).toBe(row);
      expect(bytes).toBeLessThan(limit);
      expect(reads).toBeLessThan(50);
    }
    await reader.close();
  }
});

test("long gaps: a search, never the whole row column", async () => {
  const path = at("gaps");
  const numbers = Array.from({ length: 50_000 }, (_, k) => 3 * k + (k % 2));
  writeResults(path, {
    columns: [
      ["row", new Int64(), numbers.map(BigInt)],
      [
        "jacobian",
        fixedSizeList(new Float64(), 1),
        numbers.map((row) => [row]),
      ],
    ],
  });
  const reader = await openJacobian(path);
  for (const row of [75_000, 30_001, 149_998]) {
    const { bytes, reads } = await readsOf(() =>
      reader.block(row).catch(() => 0),
    );
    expect(bytes).toBeLessThan(2500);
    expect(reads).toBeLessThan(14);
  }
  await reader.close();
});

test("closing waits for reads under way, and nothing is read after it", async () => {
  counted.open = 0;
  const reader = await openJacobian(at("bsr"));
  const expected = await reader.block(9);
  const reads = Promise.allSettled([reader.block(9), reader.block(9)]);
  // The row's number is read by then, its block is being read.
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
