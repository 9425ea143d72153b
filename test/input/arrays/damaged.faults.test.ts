import { closeSync, openSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  npy,
  safetensors,
  type ZipOptions,
  zip,
} from "../../support/array-files.js";
import { Counter } from "../../support/counter.js";
import { inputErrorCode } from "../../support/input-runs.js";
import { workDirectory } from "../../support/logits-input.js";
import { openedInput } from "../../support/opened-input.js";
import { random } from "../../support/random.js";

// Files of arrays with damage in headers and directories, or anywhere in archives, whose values have checksums: each is
// refused, or read with the numbers of the sound file.

const path = workDirectory()("damaged");
const ROWS = 12;
const CLASSES = 3;
const values = Float32Array.from({ length: 36 }, (_, k) => Math.sin(k) * 5);
const labels = Int16Array.from({ length: ROWS }, (_, k) => k % CLASSES);
const logits = npy(values, [ROWS, CLASSES]);
const members = { "o.npy": logits, "y.npy": npy(labels, [ROWS]) };
const named = safetensors({
  o: { dtype: "F32", shape: [ROWS, CLASSES], values },
  y: { dtype: "I16", shape: [ROWS], values: labels },
});
const HEADER = logits.length - values.byteLength;
const NAMES = 8 + Number(named.readBigUInt64LE(0));
const ZIP64 = { deflated: true, zip64: "all", comment: "so" } as const;
const BEHIND = { deflated: true, sizesBehind: true };

type Range = [least: number, most: number];
/** File, whether it has labels, and the number of its first bytes that are damaged. */
type Sound = [file: Buffer, label: boolean, guarded: number];
const archive = (options: ZipOptions): Sound => {
  const file = zip(members, options);
  return [file, true, file.length];
};

/**
 * Files, and how many damaged files still give the sound numbers: after flipped bits, and after changed numbers. Archives
 * contain bytes without meaning, such as times. The damage is the same in every run, but zlib determines the size of deflated
 * archives.
 */
const SOUND: [string, Sound, bits: Range, numbers: Range][] = [
  ["npy", [logits, false, HEADER], [1, 1], [139, 139]],
  ["npz", archive({}), [100, 100], [162, 162]],
  ["npz, zip64", archive(ZIP64), [187, 207], [169, 201]],
  ["npz, sizes after the data", archive(BEHIND), [200, 228], [207, 245]],
  ["safetensors", [named, true, NAMES], [63, 63], [136, 136]],
];

describe.each(SOUND)("%s", (_, [file, label, guarded], bits, numbers) => {
  const inputs = label ? [{ option: "label" as const, name: "y" }] : [];
  const expected = JSON.stringify(
    [values, labels].slice(0, label ? 2 : 1).map((all) => [...all]),
  );

  /** Returns "same" or the code of the error. */
  async function outcomeOf(damaged: Buffer): Promise<string> {
    writeFileSync(path, damaged);
    const opened = await openedInput(path, { inputs }).catch(inputErrorCode);
    if (typeof opened === "string") return opened;
    expect(JSON.stringify(opened.sources.map((rows) => rows.flat()))).toBe(
      expected,
    );
    return "same";
  }

  function expectSame({ counts }: Counter, [least, most]: Range): void {
    const { same = 0, ERR_INPUT_FORMAT = 0, ...others } = counts;
    expect(same).toBeGreaterThanOrEqual(least);
    expect(same).toBeLessThanOrEqual(most);
    // Most damage breaks the structure.
    const otherwise = Object.values(others).reduce((sum, n) => sum + n, 0);
    expect(ERR_INPUT_FORMAT).toBeGreaterThan(2 * otherwise);
  }

  test("is read", async () => {
    expect(await outcomeOf(file)).toBe("same");
  });

  test("is refused if it is truncated at any byte, or longer", async () => {
    for (let length = 0; length < file.length; length++)
      expect(await outcomeOf(file.subarray(0, length)), `${length} bytes`).toBe(
        "ERR_INPUT_FORMAT",
      );
    for (const more of [1, 8, 64])
      expect(await outcomeOf(Buffer.concat([file, Buffer.alloc(more)]))).toBe(
        "ERR_INPUT_FORMAT",
      );
  });

  test("is refused or the same with flipped bits", async () => {
    const counter = new Counter();
    // All bits of headers; two of each byte of archives, which are larger.
    const step = guarded === file.length ? 4 : 1;
    for (let place = 0; place < guarded; place++)
      for (let bit = place % step; bit < 8; bit += step) {
        const copy = Buffer.from(file);
        copy[place] = (copy[place] as number) ^ (1 << bit);
        // A sound file of other numbers.
        if (!copy.includes("'>f4'")) counter.add(await outcomeOf(copy));
      }
    expectSame(counter, bits);
  });

  test("is refused or the same with awkward numbers and moved bytes", async () => {
    const counter = new Counter();
    const uniform = random(7);
    const draw = (below: number) => Math.floor(uniform() * below);
    for (let k = 0; k < 800; k++) {
      const copy = Buffer.from(file);
      const place = draw(Math.max(1, guarded - 8));
      const width = [1, 2, 4, 8][k % 4] as number;
      if (k % 3 === 0) copy.copy(copy, place, draw(guarded - 8), draw(guarded));
      else
        for (let n = 0; n < width; n++)
          copy[place + n] = [0, 0xff, 0x7f, 0x30 + draw(10)][draw(4)] as number;
      file.copy(copy, guarded, guarded);
      counter.add(await outcomeOf(copy));
    }
    expectSame(counter, numbers);
  });

  test("is closed", () => {
    // The system gives the lowest free number.
    const fd = openSync(path, "r");
    closeSync(fd);
    expect(fd).toBeLessThan(64);
  });
});
