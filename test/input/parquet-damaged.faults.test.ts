import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { importable, python } from "../interop/python.js";
import { built } from "../support/built.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { Counter } from "../support/counter.js";
import { stepOf } from "../support/every-call.js";
import { workDirectory } from "../support/logits-input.js";
import { random } from "../support/random.js";

// A damaged Parquet file ends in one of our errors, or in the numbers that pyarrow reads in it: never in a hang or a
// crash. A flipped bit of a value is another value to both: a Parquet file has no checksums unless its writer made some.

const at = workDirectory();
const fixture = (name: string) =>
  fileURLToPath(new URL(`parquet/${name}`, import.meta.url));
const bytes = readFileSync(fixture("pyarrow-small.parquet"));
const footerStart = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
const damaged = at("damaged.parquet");
const output = at("out.arrow");
const never = at("never.arrow");
const keep = ["id", "name"];

/** The error of a run on damaged bytes, without the file's name. */
async function message(content: Uint8Array): Promise<string> {
  writeFileSync(damaged, content);
  const error = await built
    .run({ input: damaged, output: never })
    .catch((e) => e);
  expect(error).toBeInstanceOf(built.SoftjacError);
  expect(existsSync(never)).toBe(false);
  return `${error.code} ${error.message.replace(damaged, "file")}`;
}

test("cut at every seventh byte: refused, and nothing left", async () => {
  for (let length = 0; length < bytes.length; length += stepOf(7))
    expect(await message(bytes.subarray(0, length)), `${length} bytes`).toMatch(
      length < 4
        ? /^ERR_INPUT_FORMAT file: first bytes: (the file is empty|expected an .+ file, found )/
        : /^ERR_INPUT_FORMAT file: .+: the file is truncated(, or its writer did not close it \(.+\))?; copy or write the file again$/s,
    );
  expect(await message(bytes.subarray(0, -1))).toBe(
    'ERR_INPUT_FORMAT file: last bytes: the file is truncated, or its writer did not close it (it ends with "\\u0000PAR" instead of "PAR1"); copy or write the file again',
  );
  expect(await message(bytes.subarray(0, 8))).toBe(
    "ERR_INPUT_FORMAT file: file: expected at least 13 bytes, found 8: the file is truncated; copy or write the file again",
  );
  expect(readdirSync(dirname(never))).toEqual(["damaged.parquet"]);
});

test("a footer length that is none", async () => {
  for (const length of [0, bytes.length - 11, 2 ** 31, 2 ** 32 - 1]) {
    const copy = Buffer.from(bytes);
    copy.writeUInt32LE(length, copy.length - 8);
    expect(await message(copy)).toBe(
      `ERR_INPUT_FORMAT file: footer: expected a footer of 1 to ${bytes.length - 12} bytes, found ${length}; copy or write the file again`,
    );
  }
});

test("a footer that starts elsewhere", async () => {
  const right = bytes.readUInt32LE(bytes.length - 8);
  for (const length of [1, 2, right - 1, right + 1, bytes.length - 12]) {
    const copy = Buffer.from(bytes);
    copy.writeUInt32LE(length, copy.length - 8);
    expect(await message(copy)).toMatch(
      /^ERR_INPUT_FORMAT file: footer: invalid metadata: .+; copy or write the file again$/,
    );
  }
});

test("encrypted files", async () => {
  for (const [name, found] of [
    ["encrypted", "the footer is"],
    ["encrypted-columns", "columns are"],
  ])
    expect(await message(readFileSync(fixture(`${name}.parquet`)))).toBe(
      `ERR_INPUT_UNSUPPORTED file: footer: encrypted Parquet files are not supported (${found} encrypted); write the file without encryption`,
    );
});

test("other numbers of rows in the footer than there are", async () => {
  const messages: string[] = [];
  // in the file; in a row group and its columns. As Thrift's compact protocol has them: an int64, zigzag
  for (const rows of [60, 25]) {
    const copy = Buffer.from(bytes);
    for (let k = footerStart; k + 1 < copy.length; k++)
      if (copy[k] === 0x16 && copy[k + 1] === 2 * rows)
        copy[k + 1] = 2 * (rows + 1);
    messages.push(await message(copy));
  }
  expect(messages).toEqual([
    "ERR_INPUT_FORMAT file: rows: expected 61 rows as declared in the footer, found 60; copy or write the file again",
    "ERR_INPUT_FORMAT file: row group 0: expected 26 rows as declared in the footer, found 25; copy or write the file again",
  ]);
});

const INPUT_ERRORS = [
  "ERR_INPUT_FORMAT",
  "ERR_INPUT_UNSUPPORTED",
  "ERR_LOGITS_COLUMN",
  "ERR_BAD_ROW",
  "ERR_RAGGED_ROW",
];

/** All that a run gave: kept columns and softmax. */
type Results = [id: unknown[], name: unknown[], softmax: number[][]];

function resultsOf(path: string): Results {
  const table = tableFromIPC(readFileSync(path), { useBigInt: true });
  const column = (name: string) => [...table.getChild(name)];
  return [
    column("id").map(String),
    column("name"),
    column("softmax").map((list) => [...list]),
  ];
}

/** Returns the results on damaged bytes, or the code of the error that refuses them. */
async function resultsOn(path: string): Promise<Results | string> {
  try {
    await built.run({
      input: path,
      output,
      keep,
      emit: ["softmax"],
      dtype: "float64",
      force: true,
    });
  } catch (error) {
    if (!(error instanceof built.SoftjacError)) throw error;
    expect(INPUT_ERRORS, error.message).toContain(error.code);
    expect(error.message).toMatch(CLEAR_MESSAGE);
    return error.code;
  }
  return resultsOf(output);
}

/** What pyarrow reads in a file, as results. */
function asResults([id, name, logits]: [
  unknown[],
  unknown[],
  number[][],
]): Results {
  const softmax = logits.map((row) => [
    ...built.softmax(Float64Array.from(row), { rows: 1, classes: row.length }),
  ]);
  return [id, name, softmax];
}

/** The path of file k with a flipped bit: of the footer for even k, of the pages for odd k. */
const flippedPath = (k: number) => at(`flipped-${k}.parquet`);
/** Results of those of 30 files that are read and differ from the sound file's. */
const others = new Map<string, string>();

test("bits flipped: an error, or numbers", async () => {
  const undamaged = JSON.stringify(
    await resultsOn(fixture("pyarrow-small.parquet")),
  );
  const uniform = random(2026);
  const counter = new Counter();
  for (let k = 0; k < 30; k++) {
    const [start, end] = k % 2 ? [4, footerStart] : [footerStart, bytes.length];
    const place = start + Math.floor(uniform() * (end - start));
    const copy = Buffer.from(bytes);
    copy[place] = (copy[place] as number) ^ (1 << Math.floor(uniform() * 8));
    writeFileSync(flippedPath(k), copy);
    const found = await resultsOn(flippedPath(k));
    const text = JSON.stringify(found);
    if (typeof found === "string") counter.add(found);
    else if (text === undamaged) counter.add("same");
    else {
      counter.add("other");
      others.set(flippedPath(k), text);
    }
  }
  // The damage is the same in every run. A check that changes may change a count; fewer errors need a reason. Statistics and
  // other parts of the footer that a run does not need are not read: damage there changes nothing.
  expect(counter.counts).toEqual({ ERR_INPUT_FORMAT: 11, other: 7, same: 12 });
});

test.skipIf(!importable("pyarrow.parquet"))(
  "bits flipped: other numbers are those that pyarrow reads",
  () => {
    const { stdout } = spawnSync(
      python,
      [fixture("read.py"), ...others.keys()],
      {
        encoding: "utf8",
      },
    );
    const read = stdout.trim().split("\n");
    const numbers = read.map((line) =>
      line === "null" ? line : JSON.stringify(asResults(JSON.parse(line))),
    );
    expect(numbers).toEqual([...others.values()]);
  },
);

test("bits flipped in pages with checksums: no other numbers", async () => {
  const whole = readFileSync(fixture("pyarrow-checksums.parquet"));
  const pagesEnd = whole.length - 8 - whole.readUInt32LE(whole.length - 8);
  const undamaged = JSON.stringify(
    await resultsOn(fixture("pyarrow-checksums.parquet")),
  );
  const uniform = random(7);
  const counter = new Counter();
  for (let k = 0; k < 15; k++) {
    const copy = Buffer.from(whole);
    const place = 4 + Math.floor(uniform() * (pagesEnd - 4));
    copy[place] = (copy[place] as number) ^ (1 << Math.floor(uniform() * 8));
    writeFileSync(damaged, copy);
    const found = await resultsOn(damaged);
    if (typeof found === "string") counter.add(found);
    else {
      expect(JSON.stringify(found), `byte ${place}`).toBe(undamaged);
      counter.add("same");
    }
  }
  expect(counter.counts).toEqual({ ERR_INPUT_FORMAT: 13, same: 2 });
});

test("a page that is not what its checksum says is named", async () => {
  const copy = readFileSync(fixture("pyarrow-checksums.parquet"));
  // the last page of the file is one of logits
  const footerBytes = copy.readUInt32LE(copy.length - 8);
  const place = copy.length - 8 - footerBytes - 1;
  copy[place] = (copy[place] as number) ^ 1;
  expect(await message(copy)).toMatch(
    /^ERR_INPUT_FORMAT file: row group 2: column logits, page \d+: expected checksum [0-9a-f]{8}, found [0-9a-f]{8}; copy or write the file again$/,
  );
});
