import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
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

type Outcome = "refused" | "same" | "as another reader";

/** Runs on damaged bytes; throws for every outcome but the three that are right. */
async function outcomeOf(damagedBytes: Uint8Array): Promise<Outcome> {
  writeFileSync(damaged, damagedBytes);
  try {
    await built.run({ input: damaged, output, keep, force: true });
  } catch (error) {
    if (!(error instanceof built.SoftjacError)) throw error;
    expect(INPUT_ERRORS, error.message).toContain(error.code);
    expect(error.message).toMatch(/^.+: .*expected .+ found .+/s);
    return "refused";
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

/** Counts outcomes; `check` bounds the share that is refused, and that of other numbers, which few changes give. */
function tally() {
  const counts: Record<Outcome, number> = {
    refused: 0,
    same: 0,
    "as another reader": 0,
  };
  return {
    add: (outcome: Outcome) => {
      counts[outcome]++;
    },
    check: (what: string, leastRefused: number) => {
      console.log(`damaged ${what} ${JSON.stringify(counts)}`);
      const total = counts.refused + counts.same + counts["as another reader"];
      expect(counts.refused / total).toBeGreaterThan(leastRefused);
      expect(counts["as another reader"] / total).toBeLessThan(0.005);
    },
  };
}

describe.each(Object.entries(FORMATS))("an Arrow %s", (format, bytes) => {
  test("as another reader reads it", async () => {
    expect(valuesOf(bytes, "input")).toBe(undamaged);
    expect(JSON.parse(undamaged)[0][0]).toHaveLength(KEPT_CLASSES);
  });

  test("cut at every byte: refused, and nothing left", async () => {
    const cut = at("cut.arrow");
    for (let length = 0; length < bytes.length; length++) {
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

  test("every number of the metadata set to every awkward value", async () => {
    const counts = tally();
    for (const [start, end] of metadataRanges(bytes)) {
      for (let k = start; k + 4 <= end; k += 4) {
        const old = bytes.readInt32LE(k);
        for (const value of [-1, 0, 1, old + 1, old - 1, 2 ** 31 - 1]) {
          const copy = Buffer.from(bytes);
          copy.writeInt32LE(value | 0, k);
          counts.add(await outcomeOf(copy));
        }
        if (k % 8 !== 0 || k + 8 > end) continue;
        for (const value of [-1n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n]) {
          const copy = Buffer.from(bytes);
          copy.writeBigInt64LE(value, k);
          counts.add(await outcomeOf(copy));
        }
      }
    }
    counts.check(`${format}: metadata numbers`, 0.73);
  });

  test("random bits flipped in the metadata", async () => {
    const uniform = random(2026);
    const ranges = metadataRanges(bytes);
    const counts = tally();
    for (let k = 0; k < 2000; k++) {
      const [start, end] = ranges[Math.floor(uniform() * ranges.length)] as [
        number,
        number,
      ];
      const place = start + Math.floor(uniform() * (end - start));
      const copy = Buffer.from(bytes);
      copy[place] = (copy[place] as number) ^ (1 << Math.floor(uniform() * 8));
      counts.add(await outcomeOf(copy));
    }
    counts.check(`${format}: bit flips`, 0.73);
  });
});
