import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { float64, int32, list } from "@uwdata/flechette";
import { afterEach, expect, test } from "vitest";
import { LIMITS } from "../../src/io/limits.js";
import { decodeUnits } from "../../workers/parquet-to-arrow.js";
import { npy } from "../support/array-files.js";
import { writeArrow as writeColumns } from "../support/arrow-columns.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { openedInput, openRefusal } from "../support/opened-input.js";
import { streamOf } from "../support/stream-of.js";

const at = workDirectory();
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const file = at("file.arrow");
const batchRows = [20, 30];
const logit = (row: number, k: number) => (row * k) % 5;
writeLogits(file, { rows: 50, classes: 3, batchRows, logit });
const stream = at("stream.arrows");
writeFileSync(stream, streamOf(file));
const deep = at("deep.arrow");
let [type, value]: [ReturnType<typeof list>, unknown] = [list(int32()), [1]];
for (let k = 1; k < 70; k++) [type, value] = [list(type), [value]];
writeColumns(deep, {
  logits: [[[1, 2]], list(float64())],
  deep: [[value], type],
});
const swapped = at("swapped.npy");
const bigEndian = { descr: ">u2", shape: [4, 3] };
writeFileSync(swapped, npy(new Uint16Array(12), bigEndian));
const axes = at("axes.npy");
writeFileSync(axes, npy(Float64Array.of(1), Array(65).fill(1)));
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

const ZIP_END = readFileSync(npz).lastIndexOf("PK\x05\x06");
const METADATA = ["maxMetadataBytes", "bytes of metadata"] as const;
const COLUMNS = ["maxColumns", "columns"] as const;
const ROWS = ["maxBatchRows", "rows in a batch"] as const;
const DECODED = ["maxDecodedBytes", "decoded bytes"] as const;

test.each([
  [file, "footer", METADATA, footerBytes(file, 10)],
  [parquet, "footer", METADATA, footerBytes(parquet, 8)],
  [tensors, "header", METADATA, readFileSync(tensors).readInt32LE(0)],
  [npz, "zip directory", METADATA, readFileSync(npz).readInt32LE(ZIP_END + 12)],
  [stream, "message 0", COLUMNS, 2],
  [lz4, "footer", COLUMNS, 6],
  [parquet, "schema", COLUMNS, 4],
  [npz, "zip directory", COLUMNS, 2],
  [tensors, "arrays", COLUMNS, 2],
  [file, "record batch 1", ROWS, 30],
  [stream, "message 2", ROWS, 30],
  [parquet, "row group 0", ROWS, 25],
  [npz, "array logits", ROWS, 23],
  [lz4, "bodies", DECODED, 1920],
  // A header of 128 bytes, and 23 rows of 4 float64.
  [npz, "arrays", DECODED, 128 + 23 * 4 * 8],
  [swapped, "array", DECODED, 24],
  [axes, "array", ["maxNesting", "levels of nesting"] as const, 65],
])("%s, %s: limit of %j", async (input, where, [limit, what], found) => {
  LIMITS[limit] = found - 1;
  const options = input === axes ? { classAxis: 0 } : {};
  expect(await openRefusal(input, options)).toBe(
    `ERR_INPUT_UNSUPPORTED file: ${where}: expected at most ${found - 1} ${what}, found ${found}`,
  );
  LIMITS[limit] = found;
  // Threads decode in the built package only.
  if (input === lz4 || input === parquet) return;
  await expect(openedInput(input, options)).resolves.toBeTruthy();
});

test("levels of nested columns", async () => {
  expect(await openRefusal(deep)).toBe(
    "ERR_INPUT_UNSUPPORTED file: footer: expected at most 64 levels of nesting, found 65",
  );
  LIMITS.maxNesting = 70;
  expect(await openedInput(deep)).toMatchObject({ rows: 1 });
  expect(usual.maxNesting).toBe(64);
});

test("decoded bytes of Parquet columns", async () => {
  const batch = { numRows: 1, intoIPCStream: () => new Uint8Array(100) };
  const file = { read: () => batch, stream: async () => [batch] };
  const target = openSync(at("decoded"), "w");
  LIMITS.maxDecodedBytes = 175;
  const setup = {
    ...{ target, tails: [new Uint8Array(0)] },
    rowGroups: [{ rows: 1, columns: [[]] }],
    shared: new BigInt64Array(new SharedArrayBuffer(16)),
  };
  // The schema has 92 bytes, the batch without schema and end 84.
  await expect(
    decodeUnits(setup as never, async () => file as never, []),
  ).rejects.toMatchObject({
    unit: 1,
    cause: {
      failure: {
        kind: "unsupported",
        where: "row groups",
        text: "expected at most 175 decoded bytes, found 176",
      },
    },
  });
  closeSync(target);
});
