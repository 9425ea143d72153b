import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { Counter } from "../support/counter.js";
import { stepOf } from "../support/every-call.js";
import { KEPT_CLASSES, KEPT_ROWS, writeKept } from "../support/kept-input.js";
import { workDirectory } from "../support/logits-input.js";
import { random } from "../support/random.js";
import { streamOf } from "../support/stream-of.js";

// A damaged file ends in one of our errors, or in exactly the numbers that stand in it: never in a hang, a crash, or
// numbers that are not there. Where a run succeeds, another reader says what stands in the damaged file.

const at = workDirectory();
const good = at("good.arrow");
writeKept(good, 20);
const FORMATS = { file: readFileSync(good), stream: streamOf(good) };
const damaged = at("damaged.arrow");
const output = at("out.arrow");
const keep = ["id", "name", "split"];
const INPUT_ERRORS = [
  "ERR_INPUT_FORMAT",
  "ERR_INPUT_UNSUPPORTED",
  "ERR_LOGITS_COLUMN",
  "ERR_BAD_ROW",
  "ERR_RAGGED_ROW",
];

/** Runs on damaged bytes; returns an error's code, "same" or "as another reader", and throws for any other outcome. */
async function outcomeOf(damagedBytes: Uint8Array): Promise<string> {
  writeFileSync(damaged, damagedBytes);
  try {
    await built.run({ input: damaged, output, keep, force: true });
  } catch (error) {
    if (!(error instanceof built.SoftjacError)) throw error;
    expect(INPUT_ERRORS, error.message).toContain(error.code);
    expect(error.message).toMatch(CLEAR_MESSAGE);
    return error.code;
  }
  const found = valuesOf(readFileSync(output), "result");
  if (found === undamaged) return "same";
  const input = valuesOf(damagedBytes, "input");
  expect(found).toBe(input);
  // The other reader believes a footer that has lost a batch.
  expect(JSON.parse(found)[0]).toHaveLength(KEPT_ROWS);
  return "as another reader";
}

/** All that a run is about, as text: kept columns and logits (by way of the softmax of an input's logits). */
function valuesOf(file: Uint8Array, kind: "input" | "result"): string {
  const table = tableFromIPC(file);
  const column = (name: string) => [...table.getChild(name)];
  const softmax =
    kind === "result"
      ? column("softmax").map((list) => [...list])
      : column("logits").map((list) => [
          ...built.softmax(Float32Array.from(list), {
            rows: 1,
            classes: list.length,
          }),
        ]);
  return JSON.stringify([softmax, ...keep.map(column)]);
}

await built.run({ input: good, output, keep });
const undamaged = valuesOf(readFileSync(output), "result");

/** Byte ranges of metadata: the footer of a file, and every message. */
function metadataRanges(bytes: Buffer): [start: number, end: number][] {
  const ranges: [number, number][] = [];
  if (bytes.subarray(-6).toString() === "ARROW1")
    ranges.push([
      bytes.length - 10 - bytes.readInt32LE(bytes.length - 10),
      bytes.length,
    ]);
  for (let k = 0; k + 8 <= bytes.length; k += 8)
    if (bytes.readUInt32LE(k) === 0xffffffff && bytes.readInt32LE(k + 4) > 0)
      ranges.push([k, k + 8 + bytes.readInt32LE(k + 4)]);
  expect(ranges.length).toBeGreaterThan(5);
  return ranges;
}

// The damage is the same in every run, and so are its outcomes. A check that changes may change a count; fewer errors
// than before need a reason.
const EXPECTED: [
  format: keyof typeof FORMATS,
  outcomes: { numbers: Record<string, number>; bits: Record<string, number> },
][] = [
  [
    "file",
    {
      numbers: {
        ERR_INPUT_FORMAT: 1353,
        ERR_INPUT_UNSUPPORTED: 1,
        ERR_BAD_ROW: 3,
        "as another reader": 3,
        same: 255,
      },
      bits: {
        ERR_INPUT_FORMAT: 320,
        ERR_INPUT_UNSUPPORTED: 7,
        "as another reader": 1,
        same: 72,
      },
    },
  ],
  [
    "stream",
    {
      numbers: {
        ERR_INPUT_FORMAT: 971,
        // A dictionary that a stream replaces is read, and so is a column of nulls.
        ERR_INPUT_UNSUPPORTED: 4,
        ERR_LOGITS_COLUMN: 18,
        "as another reader": 2,
        same: 357,
      },
      bits: {
        ERR_INPUT_FORMAT: 291,
        ERR_INPUT_UNSUPPORTED: 7,
        ERR_LOGITS_COLUMN: 1,
        "as another reader": 2,
        same: 99,
      },
    },
  ],
];

describe.each(EXPECTED)("an Arrow %s", (format, outcomes) => {
  const bytes = FORMATS[format];

  test("as another reader reads it", async () => {
    expect(valuesOf(bytes, "input")).toBe(undamaged);
    expect(JSON.parse(undamaged)[0][0]).toHaveLength(KEPT_CLASSES);
  });

  test("cut at every fifth byte: refused, and nothing left", async () => {
    const cut = at("cut.arrow");
    for (let length = 0; length < bytes.length; length += stepOf(5)) {
      writeFileSync(damaged, bytes.subarray(0, length));
      const error = await built
        .run({ input: damaged, output: cut })
        .catch((e) => e);
      expect(error, `${length} bytes`).toBeInstanceOf(built.InputFormatError);
    }
    expect(existsSync(cut)).toBe(false);
    const left = readdirSync(dirname(cut)).filter((name) =>
      name.endsWith(".tmp"),
    );
    expect(left).toEqual([]);
  });

  // Any number is set to any of them by `npm run soak:damage`. A step of 12 bytes takes both halves of numbers of 8 in turn.
  test("every third number of the metadata set to half of the awkward values", async () => {
    const counter = new Counter();
    let turn = 0;
    /** Half of the values for each number, and the other half for the next. */
    const half = <T>(values: T[]) =>
      values.filter((_, v) => (turn + v) % 2 === 1);
    for (const [start, end] of metadataRanges(bytes)) {
      for (let k = start; k + 4 <= end; k += 12) {
        const old = bytes.readInt32LE(k);
        turn++;
        for (const value of half([-1, 0, old + 1, 1, old - 1, 2 ** 31 - 1])) {
          const copy = Buffer.from(bytes);
          copy.writeInt32LE(value | 0, k);
          counter.add(await outcomeOf(copy));
        }
        if (k % 8 !== 0 || k + 8 > end) continue;
        for (const value of half([-1n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n])) {
          const copy = Buffer.from(bytes);
          copy.writeBigInt64LE(value, k);
          counter.add(await outcomeOf(copy));
        }
      }
    }
    expect(counter.counts).toEqual(outcomes.numbers);
  });

  test("random bits flipped in the metadata", async () => {
    const uniform = random(2026);
    const ranges = metadataRanges(bytes);
    const counter = new Counter();
    for (let k = 0; k < 400; k++) {
      const [start, end] = ranges[Math.floor(uniform() * ranges.length)] as [
        number,
        number,
      ];
      const place = start + Math.floor(uniform() * (end - start));
      const copy = Buffer.from(bytes);
      copy[place] = (copy[place] as number) ^ (1 << Math.floor(uniform() * 8));
      counter.add(await outcomeOf(copy));
    }
    expect(counter.counts).toEqual(outcomes.bits);
  });
});
