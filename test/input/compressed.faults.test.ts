import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { fixture, resultOf } from "../support/compressed-result.js";
import { Counter } from "../support/counter.js";
import { stepOf } from "../support/every-call.js";
import { workDirectory } from "../support/logits-input.js";
import { random } from "../support/random.js";

// Compressed files that are truncated or damaged.

const at = workDirectory();
const output = at("out.arrow");

/** Outcomes of 240 flipped bits; they are the same in every run. */
const FLIPPED = {
  lz4: {
    ERR_INPUT_FORMAT: 182,
    ERR_INPUT_UNSUPPORTED: 2,
    ERR_RAGGED_ROW: 14,
    other: 23,
    same: 19,
  },
  zstd: {
    ERR_INPUT_FORMAT: 195,
    ERR_INPUT_UNSUPPORTED: 4,
    ERR_RAGGED_ROW: 2,
    other: 8,
    same: 31,
  },
};

const plain = await resultOf(fixture("compressed-not"), output);

describe.each(["lz4", "zstd"] as const)("%s", (codec) => {
  const bytes = readFileSync(fixture(`compressed-${codec}`));

  test("cut at every seventh byte: refused", async () => {
    const cut = at("cut.arrow");
    for (let length = 0; length < bytes.length; length += stepOf(7)) {
      writeFileSync(cut, bytes.subarray(0, length));
      const error = await resultOf(cut, output).catch((e) => e);
      expect(error, `${length} bytes`).toBeInstanceOf(built.InputFormatError);
    }
  });

  test("flipped bits: refused, or read, and nothing else", async () => {
    const damaged = at("damaged.arrow");
    const uniform = random(codec.length);
    const counter = new Counter();
    for (let n = 0; n < 240; n++) {
      const copy = Buffer.from(bytes);
      const place = Math.floor(uniform() * bytes.length);
      copy[place] = (copy[place] as number) ^ (1 << (n % 8));
      writeFileSync(damaged, copy);
      try {
        const found = await resultOf(damaged, output);
        // Neither format has checksums of its content as pyarrow writes it: another value may be what the bytes say.
        counter.add(found === plain ? "same" : "other");
      } catch (error) {
        if (!(error instanceof built.SoftjacError)) throw error;
        expect(error.message).toMatch(CLEAR_MESSAGE);
        counter.add(error.code);
      }
    }
    expect(counter.counts).toEqual(FLIPPED[codec]);
  });

  const prefixes = placesOfPrefixes(bytes);

  test.each([
    ["nothing", 0n],
    ["less than nothing", -2n],
    ["a byte more, but for padding", null],
    ["2^40", 2n ** 40n],
    ["2^63 - 1", 2n ** 63n - 1n],
  ])("lengths that say %s", async (_, length) => {
    expect(prefixes.length).toBeGreaterThan(10);
    for (const place of prefixes) {
      const copy = Buffer.from(bytes);
      const old = copy.readBigInt64LE(place);
      copy.writeBigInt64LE(length ?? (old / 64n + 1n) * 64n + 1n, place);
      const damaged = at("damaged.arrow");
      writeFileSync(damaged, copy);
      await expect(resultOf(damaged, output)).rejects.toThrow(
        /(record|dictionary) batch \d, column \w+: expected a decompressed length of \d+ bytes, found -?\d+$/,
      );
    }
  });
});

/** Returns the offsets of the decompressed lengths of buffers, which precede the magic of each frame. */
function placesOfPrefixes(bytes: Buffer): number[] {
  const magics = [
    Buffer.from("04224d18", "hex"),
    Buffer.from("28b52ffd", "hex"),
  ];
  return magics.flatMap((magic) => {
    const places: number[] = [];
    for (let k = bytes.indexOf(magic); k >= 0; k = bytes.indexOf(magic, k + 1))
      places.push(k - 8);
    return places;
  });
}
