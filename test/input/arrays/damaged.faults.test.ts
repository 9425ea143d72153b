import { closeSync, openSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SoftjacError } from "../../../src/errors.js";
import { InputRows } from "../../../src/input/input-rows.js";
import { openLogits } from "../../../src/input/open-logits.js";
import { npy, safetensors, zip } from "../../support/array-files.js";
import { CLEAR_MESSAGE } from "../../support/clear-message.mjs";
import { Counter } from "../../support/counter.js";
import { workDirectory } from "../../support/logits-input.js";
import { random } from "../../support/random.js";

// A damaged file of arrays is refused, or gives exactly the numbers of the sound one: where what says how the values stand
// is damaged, and, in archives, where the values are (their checksums tell).

const at = workDirectory();
const path = at("damaged");
const ROWS = 12;
const CLASSES = 3;
const values = Float32Array.from(
  { length: ROWS * CLASSES },
  (_, k) => Math.sin(k) * 5,
);
const labels = Int16Array.from({ length: ROWS }, (_, k) => k % CLASSES);
const logits = npy(values, [ROWS, CLASSES]);
const y = npy(labels, [ROWS]);
const members = { "o.npy": logits, "y.npy": y };
const EXPECTED = JSON.stringify([[...values], [...labels]]);

/** All numbers that are asked for, as text. */
async function numbersOf(file: Buffer, label: boolean): Promise<string> {
  writeFileSync(path, file);
  const opened = await openLogits(path, {
    keep: [],
    ownNames: [],
    inputs: label ? [{ option: "label", name: "y" }] : [],
  });
  try {
    const input = new InputRows(opened);
    await input.load(0, opened.rows);
    const all = [0, ...opened.inputs.map((_, n) => n + 1)].map((n) =>
      Array.from({ length: opened.rows }, (_, row) => [
        ...input.values(row, n),
      ]).flat(),
    );
    return JSON.stringify(label ? all : [...all, [...labels]]);
  } finally {
    opened.close();
  }
}

/** An error's code, or "same"; throws for any other outcome. */
async function outcomeOf(file: Buffer, label: boolean): Promise<string> {
  try {
    expect(await numbersOf(file, label)).toBe(EXPECTED);
    return "same";
  } catch (error) {
    if (!(error instanceof SoftjacError)) throw error;
    expect([
      "ERR_INPUT_FORMAT",
      "ERR_INPUT_UNSUPPORTED",
      "ERR_LOGITS_COLUMN",
    ]).toContain(error.code);
    expect(error.message).toMatch(CLEAR_MESSAGE);
    return error.code;
  }
}

const tensors = {
  o: { dtype: "F32", shape: [ROWS, CLASSES], values },
  y: { dtype: "I16", shape: [ROWS], values: labels },
};
const named = safetensors(tensors);

interface Sound {
  name: string;
  file: Buffer;
  label: boolean;
  /** Bytes before this say how the values stand, or have a checksum. */
  guarded: number;
  /** How many damaged files still give the numbers of the sound one, at least and at most. */
  same: { bits: [number, number]; numbers: [number, number] };
}

const ARCHIVES: [options: object, same: Sound["same"]][] = [
  [{}, { bits: [80, 80], numbers: [157, 157] }],
  [
    { deflated: true, zip64: "all", comment: "so" },
    { bits: [115, 135], numbers: [150, 182] },
  ],
  [
    { deflated: true, sizesBehind: true },
    { bits: [180, 208], numbers: [200, 238] },
  ],
];

// The damage is the same in every run.
const SOUND: Sound[] = [
  {
    name: "npy",
    file: logits,
    label: false,
    guarded: logits.length - values.byteLength,
    same: { bits: [1, 1], numbers: [139, 139] },
  },
  // Archives hold some bytes that mean nothing, such as times. How many bytes a deflated one has is up to zlib.
  ...ARCHIVES.map(([options, same]) => {
    const file = zip(members, options as object);
    return {
      name: `npz ${JSON.stringify(options)}`,
      file,
      label: true,
      guarded: file.length,
      same,
    };
  }),
  {
    name: "safetensors",
    file: named,
    label: true,
    guarded: 8 + Number(named.readBigUInt64LE(0)),
    same: { bits: [63, 63], numbers: [136, 136] },
  },
];

describe.each(SOUND)("$name", ({ file, label, guarded, same }) => {
  /** Every outcome is an error or "same". */
  function expectSame(
    { counts }: Counter,
    [least, most]: [number, number],
  ): void {
    expect(counts.same).toBeGreaterThanOrEqual(least);
    expect(counts.same).toBeLessThanOrEqual(most);
    // Most damage breaks the form.
    const { same: _, ERR_INPUT_FORMAT = 0, ...others } = counts;
    const otherwise = Object.values(others).reduce((sum, n) => sum + n, 0);
    expect(ERR_INPUT_FORMAT).toBeGreaterThan(2 * otherwise);
  }

  test("sound", async () => {
    expect(await outcomeOf(file, label)).toBe("same");
  });

  test("cut at every byte, and longer than it is: refused", async () => {
    for (let length = 0; length < file.length; length++)
      expect(
        await outcomeOf(file.subarray(0, length), label),
        `${length} bytes`,
      ).toBe("ERR_INPUT_FORMAT");
    for (const more of [1, 8, 64])
      expect(
        await outcomeOf(Buffer.concat([file, Buffer.alloc(more)]), label),
      ).toBe("ERR_INPUT_FORMAT");
  });

  test("bits flipped in every byte", async () => {
    const counter = new Counter();
    // All of them in headers; two in the bytes of archives, which are many, and have checksums.
    const step = label && guarded === file.length ? 4 : 1;
    for (let place = 0; place < guarded; place++)
      for (let bit = place % step; bit < 8; bit += step) {
        const copy = Buffer.from(file);
        copy[place] = (copy[place] as number) ^ (1 << bit);
        // A sound file of other numbers: in the place of <f4.
        if (copy.includes("'>f4'")) continue;
        counter.add(await outcomeOf(copy, label));
      }
    expectSame(counter, same.bits);
  });

  test("numbers set to awkward values, and stretches moved", async () => {
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
      // What lies behind what is guarded is as it was.
      file.copy(copy, guarded, guarded);
      counter.add(await outcomeOf(copy, label));
    }
    expectSame(counter, same.numbers);
  });

  test("no file is left open", () => {
    // The system gives the lowest number that is free.
    const fd = openSync(path, "r");
    closeSync(fd);
    expect(fd).toBeLessThan(64);
  });
});
