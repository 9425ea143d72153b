import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { tableFromIPC } from "apache-arrow";
import { Footer } from "apache-arrow/ipc/metadata/file";
import { Message } from "apache-arrow/ipc/metadata/message";
import { describe, expect, test } from "vitest";
import type { RunEmit } from "../../src/results/emit-options.js";
import { built } from "../support/built.js";
import { KEPT, KEPT_ROWS, writeKept } from "../support/kept-input.js";
import { runsIn, upTo } from "../support/runs.js";

// The structure of output files, and the columns that they copy, as other readers find them.

const { at, run, write } = runsIn();
const ROWS = 260;
const CLASSES = 200;
/** All rows of the second of three or more record batches, and some of the others. */
const isBad = (row: number) => (row >= 100 && row < 220) || row % 37 === 5;
const logit = (row: number, k: number) => Math.sin(row + k);
const writeBad = (rows: number, isBad: (row: number) => boolean) =>
  write({
    ...{ rows, classes: CLASSES },
    logit: (row, k) => (isBad(row) && k === 3 ? Number.NaN : logit(row, k)),
  });

/** Returns the record batches that the footer names: position, sizes, and message. */
function batchesOf(bytes: Buffer) {
  const end = bytes.length - 10;
  const footer = bytes.subarray(end - bytes.readInt32LE(end), end);
  return [...Footer.decode(footer).recordBatches()].map((block) => {
    const [start, metadata, body] = [
      ...[block.offset, block.metaDataLength, block.bodyLength],
    ].map(Number) as [number, number, number];
    const message = Message.decode(bytes.subarray(start + 8, start + metadata));
    const { length, buffers } = message.header() as never as {
      length: number;
      buffers: { offset: number }[];
    };
    // The length before the message is that of the block.
    expect(bytes.readInt32LE(start + 4) + 8).toBe(metadata);
    const offsets = buffers.map(({ offset }) => Number(offset));
    return {
      start,
      body: start + metadata,
      bodyBytes: body,
      rows: Number(length),
      offsets,
    };
  });
}

test.each(["bsr", "packed", "csr", "coo", "factored"] as const)(
  "%s: batches follow one another; bodies and buffers start at multiples of 64 bytes",
  async (layout) => {
    writeBad(ROWS, isBad);
    const { bytes, column } = await run({
      ...{ layout, onBadRow: "skip", threads: 2, sync: false },
      ...(layout === "csr" && { threshold: 1e-9 }),
      ...(layout === "coo" && { topK: 5 }),
    });
    const batches = batchesOf(bytes);
    const isSmall = layout === "factored" || layout === "coo";
    expect(batches.length).toBeGreaterThan(isSmall ? 0 : 1);
    let end = 0;
    for (const { start, body, bodyBytes, offsets } of batches) {
      expect(start).toBeGreaterThanOrEqual(end);
      for (const offset of [start, body, ...offsets])
        expect(offset % 64).toBe(0);
      end = body + bodyBytes;
    }
    const rows = layout === "coo" ? [...new Set(column("row"))] : column("row");
    expect(rows).toEqual(upTo(ROWS).filter((row) => !isBad(row)));
  },
);

// The message of a batch without rows is shorter by a few bytes than that of one with rows. Whether their lengths padded
// to 64 differ depends on the number of columns: each scalar has 48 bytes of the message.
test.each<[string, number, (row: number) => boolean, RunEmit[], number[]]>([
  ["between others", ROWS, isBad, ["softmax", "jacobian"], [97, 0, 40]],
  ...([0, 1, 2, 3] as const).map(
    (more): [string, number, (row: number) => boolean, RunEmit[], number[]] => [
      ...(["at the start", 110, (row: number) => row < 105] as const),
      [
        "jacobian",
        ...(["entropy", "confidence", "trace"] as const).slice(0, more),
      ],
      [0, 5],
    ],
  ),
])(
  "a record batch without rows %s: the others have their values (%i rows)",
  async (_, rows, isBad, emit, lengths) => {
    writeBad(rows, isBad);
    const { bytes, column } = await run({
      emit,
      onBadRow: "skip",
      sync: false,
    });
    const found = batchesOf(bytes).map(({ rows }) => rows);
    if (rows === ROWS) expect(found).toContain(0);
    else expect(found).toEqual(lengths);
    const good = upTo(rows).filter((row) => !isBad(row));
    const logits = good.flatMap((row) =>
      upTo(CLASSES).map((k) => logit(row, k)),
    );
    const shape = { rows: good.length, classes: CLASSES };
    const expected = built.softmaxJacobian(Float64Array.from(logits), shape);
    expect(column("jacobian").flat()).toEqual([...expected]);
  },
);

describe.each([50, 7, 1])("from record batches of %i rows", (batchRows) => {
  const input = at(`kept-${batchRows}.arrow`);
  writeKept(input, batchRows);

  test("copied columns of every kind, nulls and dictionaries included", async () => {
    const names = Object.keys(KEPT);
    const { bytes, table: ours } = await run({ input, keep: names });
    const source = flechette(readFileSync(input), { useBigInt: false });
    const theirs = tableFromIPC(bytes);
    expect([ours.numRows, theirs.numRows]).toEqual([KEPT_ROWS, KEPT_ROWS]);
    for (const name of names) {
      const { type, nullCount } = source.getChild(name);
      const found = ours.getChild(name);
      expect({ ...found }, name).toMatchObject({ type, nullCount });
      expect([...found], name).toEqual([...source.getChild(name)]);
      expect(theirs.getChild(name)?.nullCount, name).toBe(nullCount);
    }
    for (const name of ["name", "kind"])
      expect([...(theirs.getChild(name) ?? [])]).toEqual(KEPT[name]?.values);
  });
});

test("the jacobian column is marked as a tensor", async () => {
  write({ rows: 3, classes: 4, logit });
  const { bytes } = await run();
  const { fields } = tableFromIPC(bytes).schema;
  const field = fields.find(({ name }) => name === "jacobian");
  expect(Object.fromEntries(field?.metadata ?? [])).toEqual({
    "ARROW:extension:name": "arrow.fixed_shape_tensor",
    "ARROW:extension:metadata": '{"shape":[4,4],"dim_names":["i","j"]}',
  });
});
