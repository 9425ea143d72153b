import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import {
  footer,
  type MessageBlock,
  recordBatchMessage,
  schemaMessage,
} from "../../src/arrow/encode-messages.js";
import type { Field } from "../../src/arrow/field.js";
import { importable, python } from "../interop/python.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Record batches of more than 2 GiB each in a file of more than 4 GiB, of which only a few values were ever written: the
// system keeps no room for the rest, which reads as zeros.

const at = workDirectory();
const CLASSES = 50_000;
const BATCH_ROWS = 10_800;
const BATCHES = 2;
const ROWS = BATCH_ROWS * BATCHES;
const BODY = 4 * CLASSES * BATCH_ROWS;
/** Rows with one class that stands out, at the edges of batches and of the values' 2 GiB and 4 GiB. */
const PEAKS = new Map([
  [0, 49_999],
  [BATCH_ROWS - 1, 0],
  [BATCH_ROWS, 12_345],
  [ROWS - 1, 49_998],
]);

const field = (
  name: string,
  type: Field["type"],
  children: Field[],
): Field => ({
  name,
  nullable: false,
  type,
  dictionary: null,
  children,
  metadata: [],
});
const fields = [
  field("logits", { kind: "FixedSizeList", listSize: CLASSES }, [
    field("item", { kind: "FloatingPoint", precision: 1 }, []),
  ]),
];

/** The message with its prefix, padded. */
function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((8 + message.length) / 64) * 64);
  new DataView(bytes.buffer).setUint32(0, 0xffffffff, true);
  new DataView(bytes.buffer).setInt32(4, bytes.length - 8, true);
  bytes.set(message, 8);
  return bytes;
}

function writeSparse(path: string): void {
  const fd = openSync(path, "w");
  let end = 0;
  const put = (bytes: Uint8Array) => {
    writeSync(fd, bytes, 0, bytes.length, end);
    end += bytes.length;
  };
  put(Uint8Array.from([..."ARROW1\0\0"].map((c) => c.charCodeAt(0))));
  put(framed(schemaMessage(fields, [])));
  const blocks: MessageBlock[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const message = framed(
      recordBatchMessage({
        rows: BATCH_ROWS,
        nodes: [
          { length: BATCH_ROWS, nullCount: 0 },
          { length: BATCH_ROWS * CLASSES, nullCount: 0 },
        ],
        buffers: [
          { offset: 0, length: 0 },
          { offset: 0, length: 0 },
          { offset: 0, length: BODY },
        ],
        bodyBytes: BODY,
      }),
    );
    blocks.push({
      offset: end,
      metadataBytes: message.length,
      bodyBytes: BODY,
    });
    put(message);
    for (const [row, k] of PEAKS) {
      const value = (row - batch * BATCH_ROWS) * CLASSES + k;
      if (value >= 0 && 4 * value < BODY)
        writeSync(fd, Float32Array.of(20), 0, 4, end + 4 * value);
    }
    end += BODY;
  }
  ftruncateSync(fd, end);
  put(Uint8Array.from([255, 255, 255, 255, 0, 0, 0, 0]));
  const tail = footer(fields, [], [], blocks);
  put(tail);
  put(new Uint8Array(Int32Array.of(tail.length).buffer));
  put(Uint8Array.from([..."ARROW1"].map((c) => c.charCodeAt(0))));
  closeSync(fd);
}

const input = at("sparse.arrow");
writeSparse(input);

test("the file is as large as it should be, and takes no room", () => {
  expect(BODY).toBeGreaterThan(2 ** 31);
  expect(statSync(input).size).toBeGreaterThan(2 ** 32);
  expect(statSync(input).blocks * 512).toBeLessThan(2 ** 20);
});

test("rows past 2 GiB of a batch and 4 GiB of a file", {
  timeout: 120_000,
}, async () => {
  const output = at("confidence");
  const shardRows = 100;
  await built.planDataset({
    inputs: [input],
    output,
    shardRows,
    emit: ["argmax", "confidence"],
  });
  // Shards at both ends of both batches, and between.
  const select = [0, 50, 107, 108, 150, ROWS / shardRows - 1];
  await built.runShards({ output, select });
  const files = readdirSync(at("."), { recursive: true, encoding: "utf8" })
    .filter((name) => /part-\d+-of-\d+\.arrow$/.test(name))
    .sort();
  expect(files.length).toBe(select.length);
  const peak = 1 / (1 + (CLASSES - 1) * Math.exp(-20));
  const seen = new Set<number>();
  for (const [n, file] of files.entries()) {
    const table = tableFromIPC(readFileSync(at(file)), { useBigInt: false });
    expect(table.numRows).toBe(shardRows);
    const argmax = table.getChild("argmax").toArray();
    const confidence = table.getChild("confidence").toArray();
    for (let r = 0; r < shardRows; r++) {
      const row = (select[n] as number) * shardRows + r;
      const k = PEAKS.get(row);
      if (k !== undefined) seen.add(row);
      expect(argmax[r], `argmax of row ${row}`).toBe(k ?? 0);
      expect(confidence[r], `confidence of row ${row}`).toBe(
        Math.fround(k === undefined ? 1 / CLASSES : peak),
      );
    }
  }
  expect(seen.size).toBe(PEAKS.size);
});

test.skipIf(!importable("pyarrow"))("Python reads the same rows of it", () => {
  const found = execFileSync(python, [
    "-c",
    "import sys, pyarrow as pa\n" +
      "f = pa.ipc.open_file(pa.memory_map(sys.argv[1]))\n" +
      "for r in map(int, sys.argv[2:]):\n" +
      `  b = f.get_batch(r // ${BATCH_ROWS})\n` +
      `  v = b.column(0)[r % ${BATCH_ROWS}].values.to_numpy()\n` +
      "  print(v.argmax(), v.max())",
    input,
    ...[...PEAKS.keys()].map(String),
  ]);
  expect(found.toString().trim().split("\n")).toEqual(
    [...PEAKS.values()].map((k) => `${k} 20.0`),
  );
});
