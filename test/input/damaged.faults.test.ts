import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { arrowOf } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { damagedRuns, flippedBits, textOf } from "../support/damaged-runs.js";
import { stepOf } from "../support/every-call.js";
import { fixture } from "../support/input-runs.js";
import { KEPT_ROWS, writeKept } from "../support/kept-input.js";
import { upTo } from "../support/runs.js";
import { streamOf } from "../support/stream-of.js";

// Damaged Arrow files. Each is refused, or read with the numbers that another reader finds in it.

const compressed = (name: string) => fixture(`compressed-${name}.arrow`);
const keep = ["id", "name", "split"];
const { at, resultsOf, outcomesOf, refusal } = damagedRuns(keep);
const good = at("good.arrow");
writeKept(good, 20);
const sound = await resultsOf(good);

test.each([
  ["file", readFileSync(good), 5],
  ["stream", streamOf(good), 5],
  ["file with LZ4", readFileSync(compressed("lz4")), 7],
  ["file with Zstandard", readFileSync(compressed("zstd")), 7],
])("a truncated %s is refused", async (_, bytes, step) => {
  for (let length = 0; length < bytes.length; length += stepOf(step))
    expect(await refusal(bytes.subarray(0, length)), `${length} bytes`).toMatch(
      /^ERR_INPUT_FORMAT /,
    );
});

/** Returns the columns that flechette reads in an input, with the softmax of its logits. */
function columnsOf(bytes: Uint8Array, keep: readonly string[]): string {
  const table = tableFromIPC(bytes, { useBigInt: true });
  const column = (name: string) => [...table.getChild(name)];
  const softmax = column("logits").map((list) =>
    built.softmax(Float64Array.from(list), { rows: 1, classes: list.length }),
  );
  return textOf([softmax, ...keep.map(column)]);
}

/** Returns a function that compares results with those of flechette. */
function asOtherReader(rows: number, keep: readonly string[]) {
  return (results: string, copy: Uint8Array): string => {
    expect(results).toBe(columnsOf(copy, keep));
    // flechette reads a footer that lost a batch without an error.
    expect(JSON.parse(results)[0]).toHaveLength(rows);
    return "as another reader";
  };
}

/** Returns the byte ranges of metadata: of the footer and of every message. */
function metadataRanges(bytes: Buffer): [start: number, end: number][] {
  const ranges: [number, number][] = [];
  const end = bytes.length;
  if (bytes.subarray(-6).toString() === "ARROW1")
    ranges.push([end - 10 - bytes.readInt32LE(end - 10), end]);
  for (let k = 0; k + 8 <= end; k += 8)
    if (bytes.readUInt32LE(k) === 0xffffffff && bytes.readInt32LE(k + 4) > 0)
      ranges.push([k, k + 8 + bytes.readInt32LE(k + 4)]);
  expect(ranges.length).toBeGreaterThan(5);
  return ranges;
}

/**
 * Yields copies in which every third number of the metadata has one of half of the awkward values, the other half for the
 * next number. A step of 12 bytes takes both halves of 8-byte numbers in turn; `npm run soak:damage` takes all.
 */
function* awkwardNumbers(bytes: Buffer): Generator<Buffer> {
  let turn = 0;
  for (const [start, end] of metadataRanges(bytes))
    for (let k = start; k + 4 <= end; k += 12) {
      turn++;
      const old = bytes.readInt32LE(k);
      const small = [-1, 0, old + 1, 1, old - 1, 2 ** 31 - 1];
      const large = [-1n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n];
      const isLong = k % 8 === 0 && k + 8 <= end;
      for (const values of isLong ? [small, large] : [small])
        for (const [v, value] of values.entries()) {
          if ((turn + v) % 2 === 0) continue;
          const copy = Buffer.from(bytes);
          if (typeof value === "bigint") copy.writeBigInt64LE(value, k);
          else copy.writeInt32LE(value | 0, k);
          yield copy;
        }
    }
}

// The damage and its outcomes are the same in every run. A changed check may change a count; fewer errors need a reason.
test.each([
  [
    ...(["file", readFileSync(good)] as const),
    "ERR_BAD_ROW 3, ERR_INPUT_FORMAT 1353, ERR_INPUT_UNSUPPORTED 1, as another reader 3, same 255",
    "ERR_INPUT_FORMAT 319, ERR_INPUT_UNSUPPORTED 7, as another reader 1, same 73",
  ],
  // A dictionary that a stream replaces is read, and so is a column of nulls.
  [
    ...(["stream", streamOf(good)] as const),
    "ERR_INPUT_FORMAT 971, ERR_INPUT_UNSUPPORTED 4, ERR_LOGITS_COLUMN 18, as another reader 2, same 357",
    "ERR_INPUT_FORMAT 291, ERR_INPUT_UNSUPPORTED 7, ERR_LOGITS_COLUMN 1, as another reader 2, same 99",
  ],
])("a %s with damaged metadata", async (_, bytes, numbers, bits) => {
  expect(columnsOf(bytes, keep)).toBe(sound);
  const outcomes = (copies: Iterable<Buffer>) =>
    outcomesOf(sound, copies, asOtherReader(KEPT_ROWS, keep));
  expect(await outcomes(awkwardNumbers(bytes))).toBe(numbers);
  const flipped = flippedBits(bytes, 400, 2026, metadataRanges(bytes));
  expect(await outcomes(flipped)).toBe(bits);
});

const lists = upTo(30).map((r) => [`${r}.0`, `${r}.1`, null].slice(0, r % 4));
const NESTED = arrowOf(
  {
    lists: [lists, "list<utf8>"],
    codes: [lists, "list<dictionary<int32, utf8>>"],
    structs: [
      lists.map((b, a) => (a % 5 ? { a, b } : null)),
      "struct<a: int32, b: list<utf8>>",
    ],
    runs: [
      lists.map((_, r) => BigInt(r >> 3)),
      "run_end_encoded<int32, int64>",
    ],
    logits: [lists.map((_, r) => [r, 1]), "fixed_size_list<float64>[2]"],
  },
  { batchRows: 9 },
);

test.each([
  [
    ...(["views", "name split bytes"] as const),
    readFileSync(fixture("views.arrow")),
    "ERR_INPUT_FORMAT 56, ERR_INPUT_UNSUPPORTED 1, as another reader 40, same 63",
  ],
  [
    "nested columns",
    "lists codes structs runs",
    NESTED,
    "ERR_BAD_ROW 1, ERR_INPUT_FORMAT 118, ERR_INPUT_UNSUPPORTED 1, as another reader 25, same 15",
  ],
])("%s with flipped bits", async (_, names, bytes, outcomes) => {
  const runs = damagedRuns(names.split(" "));
  const rows = tableFromIPC(bytes).numRows;
  const path = runs.at("good.arrow");
  writeFileSync(path, bytes);
  const found = await runs.outcomesOf(
    await runs.resultsOf(path),
    flippedBits(bytes, 160, 45),
    asOtherReader(rows, names.split(" ")),
  );
  expect(found).toBe(outcomes);
});

describe.each([
  [
    ...(["lz4", "04224d18"] as const),
    "ERR_INPUT_FORMAT 177, ERR_RAGGED_ROW 12, other 34, same 17",
  ],
  [
    ...(["zstd", "28b52ffd"] as const),
    "ERR_INPUT_FORMAT 199, ERR_INPUT_UNSUPPORTED 2, ERR_RAGGED_ROW 1, other 13, same 25",
  ],
])("bodies compressed with %s", (codec, magic, outcomes) => {
  const bytes = readFileSync(compressed(codec));
  const runs = damagedRuns([...keep, "flag"]);

  // The frames that pyarrow writes have no checksums of their content, so damage can give other values.
  test("flipped bits", async () => {
    const plain = await runs.resultsOf(compressed("not"));
    const copies = flippedBits(bytes, 240, codec.length);
    expect(await runs.outcomesOf(plain, copies)).toBe(outcomes);
  });

  // With null, a byte more than with padding.
  test.each([...[0n, -2n, null, 2n ** 40n, 2n ** 63n - 1n]])(
    "decompressed lengths of %s",
    async (given) => {
      // The length of a buffer precedes the magic of its frame.
      const pattern = new RegExp(`(?<=^(?:..)*)${magic}`, "g");
      const places = [...bytes.toString("hex").matchAll(pattern)];
      expect(places.length).toBeGreaterThan(5);
      for (const { index } of places) {
        const copy = Buffer.from(bytes);
        const place = index / 2 - 8;
        const padded = (copy.readBigInt64LE(place) / 64n + 1n) * 64n + 1n;
        copy.writeBigInt64LE(given ?? padded, place);
        expect(await runs.refusal(copy)).toMatch(
          /^ERR_INPUT_FORMAT file: (record|dictionary) batch \d, column \w+: expected a decompressed length of \d+ bytes, found -?\d+$/,
        );
      }
    },
  );
});
