import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { Counter } from "../support/counter.js";
import { workDirectory } from "../support/logits-input.js";
import { random } from "../support/random.js";

const at = workDirectory();
const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}.arrow`, import.meta.url));
const output = at("out.arrow");
const keep = ["id", "name", "flag", "split"];
const CODECS = ["lz4", "zstd"] as const;

/** What comes of 600 flipped bits, the same in every run. */
const FLIPPED = {
  lz4: {
    ERR_INPUT_FORMAT: 453,
    ERR_INPUT_UNSUPPORTED: 4,
    ERR_RAGGED_ROW: 26,
    other: 63,
    same: 54,
  },
  zstd: {
    ERR_INPUT_FORMAT: 477,
    ERR_INPUT_UNSUPPORTED: 5,
    ERR_RAGGED_ROW: 8,
    other: 28,
    same: 82,
  },
};

/** What a run makes of a file, as another reader reads it. */
async function resultOf(input: string, more = {}): Promise<string> {
  await built.run({ input, output, keep, force: true, ...more });
  const table = tableFromIPC(readFileSync(output));
  const column = (name: string) => [...table.getChild(name)];
  const lists = (name: string) => column(name).map((list) => [...list]);
  return JSON.stringify([
    ...[lists("softmax"), lists("jacobian")],
    ...keep.map(column),
  ]);
}

const plain = await resultOf(fixture("compressed-not"));

describe.each(CODECS)("%s", (codec) => {
  const input = fixture(`compressed-${codec}`);
  const bytes = readFileSync(input);

  test("gives what the plain file gives, kept columns and dictionaries too", async () => {
    expect(await resultOf(input)).toBe(plain);
    const checked = await built.verify({ output, input, sample: 10 });
    expect(checked).toMatchObject({ ok: true, findings: [] });
    expect((await built.inspect({ input })).compression).toEqual([
      codec === "lz4" ? "LZ4_FRAME" : "ZSTD",
    ]);
  });

  test("long runs", async () => {
    const runs = fixture(`runs-${codec}`);
    await built.run({ input: runs, output, emit: ["softmax"], force: true });
    const rows = 3000;
    const logits = Float64Array.from({ length: rows * 10 }, (_, n) => {
      const r = Math.floor(n / 10 / 75);
      return ((r * 7 + ((n % 10) % 5) * 13) % 23) / 2 - 4;
    });
    const expected = built.softmax(logits, { rows, classes: 10 });
    const found = [...tableFromIPC(readFileSync(output)).getChild("softmax")];
    expect(found.flatMap((row) => [...row])).toEqual([...expected]);
  });

  test("cut at every byte: refused", async () => {
    const cut = at("cut.arrow");
    for (let length = 0; length < bytes.length; length += 3) {
      writeFileSync(cut, bytes.subarray(0, length));
      const error = await resultOf(cut).catch((e) => e);
      expect(error, `${length} bytes`).toBeInstanceOf(built.InputFormatError);
    }
  });

  test("flipped bits: refused, or read, and nothing else", async () => {
    const damaged = at("damaged.arrow");
    const uniform = random(codec.length);
    const counter = new Counter();
    for (let n = 0; n < 600; n++) {
      const copy = Buffer.from(bytes);
      const place = Math.floor(uniform() * bytes.length);
      copy[place] = (copy[place] as number) ^ (1 << (n % 8));
      writeFileSync(damaged, copy);
      try {
        const found = await resultOf(damaged);
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
      await expect(resultOf(damaged)).rejects.toThrow(
        /(record|dictionary) batch \d, column \w+: expected a decompressed length of \d+ bytes, found -?\d+$/,
      );
    }
  });
});

test("results that another tool has compressed are read back and verified", async () => {
  // a file of pyarrow's with the columns of results, in both forms
  const logits = fixture("compressed-not");
  await built.run({ input: logits, output, force: true, emit: ["jacobian"] });
  const reader = await built.openJacobian(output);
  const expected = [...((await reader.block(7)) ?? [])];
  await reader.close();
  for (const codec of CODECS) {
    const again = fixture(`results-${codec}`);
    const other = await built.openJacobian(again);
    expect([...((await other.block(7)) ?? [])]).toEqual(expected);
    await other.close();
    const checked = await built.verify({
      output: again,
      input: logits,
      sample: 20,
    });
    expect(checked).toMatchObject({ ok: true, findings: [] });
  }
});

/** Where compressed buffers of a file say how long they are: in front of every frame, by its magic. */
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
