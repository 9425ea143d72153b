import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  float64,
  int32,
  list,
  tableFromArrays,
  tableToIPC,
} from "@uwdata/flechette";
import { afterEach, expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { LIMITS } from "../../src/io/limits.js";
import { writeArrow } from "../../workers/parquet-to-arrow.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { streamOf } from "../support/stream-of.js";

const at = workDirectory();
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const file = at("file.arrow");
writeLogits(file, {
  rows: 50,
  classes: 3,
  batchRows: [20, 30],
  logit: (row, k) => (row * k) % 5,
});
const stream = at("stream.arrows");
writeFileSync(stream, streamOf(file));
const lz4 = here("../fixtures/compressed-lz4.arrow");
const parquet = here("parquet/pyarrow-small.parquet");
const npz = here("arrays/written/deflated.npz");
const tensors = here("arrays/written/torch-float32.safetensors");

const footerBytes = (path: string, fromEnd: number) => {
  const bytes = readFileSync(path);
  return bytes.readInt32LE(bytes.length - fromEnd);
};
const usual = { ...LIMITS };
afterEach(() => {
  Object.assign(LIMITS, usual);
});

/** Opens an input as a run does, with another limit. */
async function open(input: string, limits: Partial<typeof LIMITS>) {
  Object.assign(LIMITS, limits);
  const logits = await openLogits(input, {
    keep: [],
    ownNames: [],
    inputs: [],
  });
  logits.close();
  return logits;
}

const METADATA = "bytes of metadata";
const ROWS = "rows in a batch";

test.each([
  [file, "maxMetadataBytes", "footer", METADATA, footerBytes(file, 10)],
  [parquet, "maxMetadataBytes", "footer", METADATA, footerBytes(parquet, 8)],
  [
    tensors,
    "maxMetadataBytes",
    "header",
    METADATA,
    readFileSync(tensors).readInt32LE(0),
  ],
  [stream, "maxColumns", "message 0", "columns", 2],
  [lz4, "maxColumns", "footer", "columns", 6],
  [parquet, "maxColumns", "schema", "columns", 4],
  [npz, "maxColumns", "zip directory", "columns", 2],
  [tensors, "maxColumns", "arrays", "columns", 2],
  [file, "maxBatchRows", "record batch 1", ROWS, 30],
  [stream, "maxBatchRows", "message 2", ROWS, 30],
  [parquet, "maxBatchRows", "row group 0", ROWS, 25],
  [npz, "maxBatchRows", "array logits", ROWS, 23],
  [lz4, "maxDecodedBytes", "bodies", "decoded bytes", 1920],
  // A header of 128 bytes, and 23 rows of 4 float64.
  [npz, "maxDecodedBytes", "arrays", "decoded bytes", 128 + 23 * 4 * 8],
])("%s, %s", async (input, limit, where, what, found) => {
  await expect(open(input, { [limit]: found - 1 })).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
    message: `${input}: ${where}: expected at most ${found - 1} ${what}, found ${found}`,
  });
  // Threads decode in the built package only.
  if (input === lz4 || input === parquet) return;
  await expect(open(input, { [limit]: found })).resolves.toBeTruthy();
});

test("Parquet columns that unpack to more than is allowed", async () => {
  const file = { read: () => ({ intoIPCStream: () => new Uint8Array(100) }) };
  LIMITS.maxDecodedBytes = 91;
  await expect(
    writeArrow(file as never, { rowGroups: [] } as never),
  ).rejects.toMatchObject({
    failure: {
      kind: "unsupported",
      where: "row groups",
      text: "expected at most 91 decoded bytes, found 92",
    },
  });
});

test("columns in columns", async () => {
  const deep = 70;
  let type: unknown = int32();
  let value: unknown = 1;
  for (let k = 0; k < deep; k++) [type, value] = [list(type as never), [value]];
  const input = at("deep.arrow");
  const table = tableFromArrays({ logits: [[1, 2]], deep: [value] }, {
    types: { logits: list(float64()), deep: type },
  } as never);
  writeFileSync(input, tableToIPC(table, { format: "file" }) as Uint8Array);
  await expect(open(input, {})).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
    message: `${input}: footer: expected at most 64 levels of nested columns, found 65`,
  });
  const { rows } = await open(input, { maxNesting: deep });
  expect(rows).toBe(1);
});
