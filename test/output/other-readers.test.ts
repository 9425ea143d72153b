import fs, { readFileSync, statSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { type Table, tableFromIPC } from "apache-arrow";
import { Footer } from "apache-arrow/ipc/metadata/file";
import { Message } from "apache-arrow/ipc/metadata/message";
import { expect, test } from "vitest";
import { openPending } from "../../src/output/commit.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// The structure of output files as apache-arrow reads it, and a name that another run takes at the last moment.

const at = workDirectory();
const input = at("in.arrow");
const ROWS = 260;
const CLASSES = 200;
/** All rows of the second of three or more record batches, and some of the others. */
const isBad = (row: number) => (row >= 100 && row < 220) || row % 37 === 5;

writeLogits(input, {
  rows: ROWS,
  classes: CLASSES,
  logit: (row, k) => (isBad(row) && k === 3 ? Number.NaN : Math.sin(row + k)),
});

/** Blocks of the footer, and the record batch messages that they name. */
function batchesOf(bytes: Buffer) {
  const footerBytes = bytes.readInt32LE(bytes.length - 10);
  const footer = Footer.decode(
    bytes.subarray(bytes.length - 10 - footerBytes, bytes.length - 10),
  );
  return [...footer.recordBatches()].map((block) => {
    const start = Number(block.offset);
    const header = bytes.subarray(
      start + 8,
      start + Number(block.metaDataLength),
    );
    const message = Message.decode(header);
    return {
      block,
      start,
      batch: message.header() as never as {
        length: number;
        buffers: { offset: number; length: number }[];
      },
    };
  });
}

test.each(["bsr", "packed", "csr", "coo", "factored"] as const)(
  "%s: batches follow one another in the footer's order; bodies and buffers start at multiples of 64 bytes",
  async (layout) => {
    const output = at(`${layout}.arrow`);
    await built.run({
      input,
      output,
      layout,
      onBadRow: "skip",
      threads: 2,
      sync: false,
      ...(layout === "csr" && { threshold: 1e-9 }),
      ...(layout === "coo" && { topK: 5 }),
    });
    const bytes = readFileSync(output);
    const batches = batchesOf(bytes);
    const isSmall = layout === "factored" || layout === "coo";
    expect(batches.length).toBeGreaterThan(isSmall ? 0 : 1);
    let end = 0;
    for (const { block, start, batch } of batches) {
      expect(start).toBeGreaterThanOrEqual(end);
      expect(start % 64).toBe(0);
      const body = start + Number(block.metaDataLength);
      expect(body % 64).toBe(0);
      for (const { offset } of batch.buffers)
        expect(Number(offset) % 64).toBe(0);
      end = body + Number(block.bodyLength);
    }
    const rows = [...(tableFromIPC(bytes).getChild("row") ?? [])].map(Number);
    const good = Array.from({ length: ROWS }, (_, row) => row).filter(
      (row) => !isBad(row),
    );
    if (layout === "coo") expect([...new Set(rows)]).toEqual(good);
    else expect(rows).toEqual(good);
  },
);

function valuesOf(table: Table | undefined, name: string, row: number): Buffer {
  const values = table?.getChild(name)?.get(row).toArray() as Float64Array;
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

test("a record batch without rows between others: all others have their values", async () => {
  const [all, skipped] = [at("all.arrow"), at("skipped.arrow")];
  await built.run({ input, output: all, onBadRow: "null", sync: false });
  await built.run({ input, output: skipped, onBadRow: "skip", sync: false });
  const [whole, left] = [all, skipped].map((path) =>
    tableFromIPC(readFileSync(path)),
  );
  const lengths = batchesOf(readFileSync(skipped)).map(({ batch }) =>
    Number(batch.length),
  );
  expect(lengths).toContain(0);
  expect(lengths.at(-1)).toBeGreaterThan(0);
  const rows = [...(left?.getChild("row") ?? [])].map(Number);
  for (const [n, row] of rows.entries())
    for (const name of ["softmax", "jacobian"])
      expect(valuesOf(left, name, n).equals(valuesOf(whole, name, row))).toBe(
        true,
      );
});

// The message of a batch without rows is shorter by a few bytes than that of one with rows. Whether their lengths padded
// to 64 differ depends on the number of columns: each scalar has 48 bytes of the message.
test.each([0, 1, 2, 3])(
  "a first record batch without rows: the next has a whole message, and its values (%i more columns)",
  async (more) => {
    const input = at("first-bad.arrow");
    const logit = (row: number, k: number) => Math.sin(row + k);
    const rows = 110;
    writeLogits(input, {
      rows,
      classes: CLASSES,
      logit: (row, k) => (row < 105 && k === 3 ? Number.NaN : logit(row, k)),
    });
    const output = at("first-empty.arrow");
    await built.run({
      input,
      output,
      emit: [
        "jacobian",
        ...(["entropy", "confidence", "trace"] as const).slice(0, more),
      ],
      onBadRow: "skip",
      sync: false,
      force: true,
    });
    const bytes = readFileSync(output);
    const batches = batchesOf(bytes);
    expect(batches.map(({ batch }) => Number(batch.length))).toEqual([0, 5]);
    for (const { start, block } of batches)
      expect(bytes.readInt32LE(start + 4) + 8).toBe(
        Number(block.metaDataLength),
      );
    const table = tableFromIPC(bytes);
    for (const row of [0, 4]) {
      const logits = Float64Array.from({ length: CLASSES }, (_, k) =>
        logit(105 + row, k),
      );
      const block = built.softmaxJacobian(logits, {
        rows: 1,
        classes: CLASSES,
      });
      expect(
        valuesOf(table, "jacobian", row).equals(Buffer.from(block.buffer)),
      ).toBe(true);
    }
  },
);

test("without hard links, a file that another run has published meanwhile stays", async () => {
  const path = at("raced.arrow");
  const pending = await openPending(path, 0, { force: false, sync: false });
  const { linkSync } = fs;
  fs.linkSync = () => {
    writeFileSync(path, "theirs");
    throw Object.assign(new Error("no links here"), { code: "EPERM" });
  };
  syncBuiltinESMExports();
  try {
    await expect(pending.commit()).rejects.toMatchObject({
      code: "ERR_OUTPUT_EXISTS",
    });
  } finally {
    fs.linkSync = linkSync;
    syncBuiltinESMExports();
    await pending.discard();
  }
  expect(readFileSync(path, "utf8")).toBe("theirs");
  expect(statSync(path).nlink).toBe(1);
});
