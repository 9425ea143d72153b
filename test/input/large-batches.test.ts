import fs from "node:fs";
import { expect, test } from "vitest";
import {
  footer,
  framed,
  type MessageBlock,
  recordBatchMessage,
  schemaMessage,
} from "../../src/arrow/encode-messages.js";
import { plainField } from "../../src/arrow/field.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { outputOf } from "../support/runs.js";

// Record batches of more than 2 GiB each in a file of more than 4 GiB. The file is sparse: few values are written, and the rest
// reads as zeros.

const at = workDirectory();
const input = at("sparse.arrow");
const CLASSES = 50_000;
const BATCH_ROWS = 10_800;
const ROWS = 2 * BATCH_ROWS;
const BODY = 4 * CLASSES * BATCH_ROWS;
/** Rows with one logit of 20, at the edges of batches and around 2 GiB and 4 GiB of values. */
const PEAKS = new Map([
  [0, 49_999],
  [BATCH_ROWS - 1, 0],
  [BATCH_ROWS, 12_345],
  [ROWS - 1, 49_998],
]);

function writeSparse(): void {
  const item = plainField("item", { kind: "FloatingPoint", precision: 1 });
  const type = { kind: "FixedSizeList", listSize: CLASSES } as const;
  const fields = [plainField("logits", type, [item])];
  const fd = fs.openSync(input, "w");
  let end = 0;
  const put = (bytes: Uint8Array) => {
    end += fs.writeSync(fd, bytes, 0, bytes.length, end);
  };
  put(Buffer.from("ARROW1\0\0"));
  put(framed(schemaMessage(fields, []), end));
  const blocks: MessageBlock[] = [];
  for (const start of [0, BATCH_ROWS]) {
    const none = { offset: 0, length: 0 };
    const message = recordBatchMessage({
      rows: BATCH_ROWS,
      nodes: [BATCH_ROWS, BATCH_ROWS * CLASSES].map((length) => ({
        length,
        nullCount: 0,
      })),
      buffers: [none, none, { offset: 0, length: BODY }],
      bodyBytes: BODY,
    });
    const offset = end;
    put(framed(message, end));
    blocks.push({ offset, metadataBytes: end - offset, bodyBytes: BODY });
    for (const [row, k] of PEAKS) {
      const place = end + 4 * ((row - start) * CLASSES + k);
      if (row >= start && row < start + BATCH_ROWS)
        fs.writeSync(fd, Float32Array.of(20), 0, 4, place);
    }
    end += BODY;
  }
  fs.ftruncateSync(fd, end);
  put(Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0));
  const tail = footer(fields, [], [], blocks);
  put(tail);
  put(new Uint8Array(Int32Array.of(tail.length).buffer));
  put(Buffer.from("ARROW1"));
  fs.closeSync(fd);
}

writeSparse();

test("rows past 2 GiB of a batch and 4 GiB of a file", async () => {
  const { size, blocks } = fs.statSync(input);
  expect(BODY).toBeGreaterThan(2 ** 31);
  expect(size).toBeGreaterThan(2 ** 32);
  expect(blocks * 512).toBeLessThan(2 ** 20);
  const output = at("confidence");
  const shardRows = 100;
  const emit = ["argmax", "confidence"] as const;
  await built.planDataset({ inputs: [input], output, shardRows, emit });
  // Shards at both ends of both batches, and in between.
  const shards = [0, 50, 107, 108, 150, ROWS / shardRows - 1];
  for (const shardIndex of shards)
    await built.runShards({ output, shardIndex, shardCount: ROWS / shardRows });
  const files = fs
    .readdirSync(at("."), { recursive: true, encoding: "utf8" })
    .filter((name) => /part-\d+-of-\d+\.arrow$/.test(name))
    .sort();
  const rows = shards.flatMap((shard) =>
    Array.from({ length: shardRows }, (_, r) => shard * shardRows + r),
  );
  expect(rows.filter((row) => PEAKS.has(row))).toEqual([...PEAKS.keys()]);
  const found = (name: string) =>
    files.flatMap((file) => outputOf(at(file)).column(name));
  expect(found("argmax")).toEqual(rows.map((row) => PEAKS.get(row) ?? 0));
  const peak = 1 / (1 + (CLASSES - 1) * Math.exp(-20));
  expect(found("confidence")).toEqual(
    rows.map((row) => Math.fround(PEAKS.has(row) ? peak : 1 / CLASSES)),
  );
});
