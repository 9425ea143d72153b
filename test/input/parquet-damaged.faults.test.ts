import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { damagedRuns, flippedBits, textOf } from "../support/damaged-runs.js";
import { stepOf } from "../support/every-call.js";
import { importable, python } from "../system/interop/python.js";

// Damaged Parquet files. Each is refused, or read with the numbers that pyarrow reads: pages have no checksums unless the
// writer is asked for them.

const { at, resultsOf, outcomesOf, refusal } = damagedRuns(["id", "name"]);
const fixture = (name: string) =>
  fileURLToPath(new URL(`parquet/${name}`, import.meta.url));
const small = fixture("pyarrow-small.parquet");
const bytes = readFileSync(small);
const end = bytes.length;
const footerBytes = bytes.readUInt32LE(end - 8);
const footerStart = end - 8 - footerBytes;
const AGAIN = "; copy or write the file again";

test("a truncated file", async () => {
  for (let length = 0; length < end; length += stepOf(7))
    expect(await refusal(bytes.subarray(0, length)), `${length} bytes`).toMatch(
      length < 4
        ? /^ERR_INPUT_FORMAT file: first bytes: (the file is empty|expected an .+ file, found )/
        : /^ERR_INPUT_FORMAT file: .+: the file is truncated(, or its writer did not close it \(.+\))?; copy or write the file again$/s,
    );
  expect(await refusal(bytes.subarray(0, -1))).toBe(
    `ERR_INPUT_FORMAT file: last bytes: the file is truncated, or its writer did not close it (it ends with "\\u0000PAR" instead of "PAR1")${AGAIN}`,
  );
  expect(await refusal(bytes.subarray(0, 8))).toBe(
    `ERR_INPUT_FORMAT file: file: expected at least 13 bytes, found 8: the file is truncated${AGAIN}`,
  );
});

test.each([
  ...[0, end - 11, 2 ** 31, 2 ** 32 - 1],
  ...[1, 2, footerBytes - 1, footerBytes + 1, end - 12],
])("a footer length of %i", async (length) => {
  const copy = Buffer.from(bytes);
  copy.writeUInt32LE(length, end - 8);
  expect((await refusal(copy)).replace(/(metadata): .+(?=; copy)/, "$1")).toBe(
    `ERR_INPUT_FORMAT file: footer: ${length < 1 || length > end - 12 ? `expected a footer of 1 to ${end - 12} bytes, found ${length}` : "invalid metadata"}${AGAIN}`,
  );
});

test.each([
  ["encrypted", "the footer is"],
  ["encrypted-columns", "columns are"],
])("file %s", async (name, found) => {
  expect(await refusal(readFileSync(fixture(`${name}.parquet`)))).toBe(
    `ERR_INPUT_UNSUPPORTED file: footer: encrypted Parquet files are not supported (${found} encrypted); write the file without encryption`,
  );
});

test.each([
  [60, "rows: expected 61 rows as declared in the footer, found 60"],
  [
    25,
    "row group 0: column id: expected 26 values as declared in the footer, found 25",
  ],
])("a row more than %i in the footer", async (rows, text) => {
  const copy = Buffer.from(bytes);
  // An int64 of Thrift's compact protocol in zigzag encoding.
  for (let k = footerStart; k + 1 < end; k++)
    if (copy[k] === 0x16 && copy[k + 1] === 2 * rows)
      copy[k + 1] = 2 * (rows + 1);
  expect(await refusal(copy)).toBe(`ERR_INPUT_FORMAT file: ${text}${AGAIN}`);
});

/** Results on the files with flipped bits that are read and differ from those of the sound file, by path. */
const others = new Map<string, string>();

test("flipped bits", async () => {
  const copies = flippedBits(bytes, 30, 2026, [
    [4, footerStart],
    [footerStart, end],
  ]);
  const counts = await outcomesOf(
    await resultsOf(small),
    copies,
    (results, copy) => {
      const path = at(`other-${others.size}.parquet`);
      writeFileSync(path, copy);
      others.set(path, results);
      return "other";
    },
  );
  // The damage is the same in every run. A changed check may change a count; fewer errors need a reason. Parts of the footer
  // that a run does not need, such as statistics, are not read.
  expect(counts).toBe("ERR_INPUT_FORMAT 9, other 9, same 12");
});

test.skipIf(!importable("pyarrow"))(
  "other results are those of the numbers that pyarrow reads",
  () => {
    const args = [fixture("read.py"), ...others.keys()];
    const { stdout } = spawnSync(python, args, { encoding: "utf8" });
    const found = stdout
      .trim()
      .split("\n")
      .map((line) => {
        const [id, name, logits] = JSON.parse(line) as [
          unknown[],
          unknown[],
          number[][],
        ];
        const softmax = logits.map((row) =>
          built.softmax(Float64Array.from(row), {
            rows: 1,
            classes: row.length,
          }),
        );
        return textOf([softmax, id, name]);
      });
    expect(found).toEqual([...others.values()]);
  },
);

const checked = fixture("pyarrow-checksums.parquet");
const whole = readFileSync(checked);
const pagesEnd = whole.length - 8 - whole.readUInt32LE(whole.length - 8);

test("flipped bits in pages with checksums give no other results", async () => {
  const copies = flippedBits(whole, 15, 7, [[4, pagesEnd]]);
  const counts = await outcomesOf(await resultsOf(checked), copies);
  expect(counts).toBe("ERR_INPUT_FORMAT 13, same 2");
});

test("a wrong checksum of a page", async () => {
  const copy = Buffer.from(whole);
  // The last page of the file has logits.
  copy[pagesEnd - 1] = (copy[pagesEnd - 1] as number) ^ 1;
  expect(await refusal(copy)).toMatch(
    /^ERR_INPUT_FORMAT file: row group 2: column logits, page \d+: expected checksum [0-9a-f]{8}, found [0-9a-f]{8}; copy or write the file again$/,
  );
});
