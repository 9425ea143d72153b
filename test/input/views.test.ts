import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { Counter } from "../support/counter.js";
import { workDirectory } from "../support/logits-input.js";

// Texts as views, and dictionaries of them, as polars writes them unless told otherwise (test/fixtures/make_views.py).

const at = workDirectory();
const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const keep = ["name", "split", "bytes"];
const output = at("out.arrow");

const ROWS = 40;
const rows = Array.from({ length: ROWS }, (_, r) => r);
const EXPECTED = {
  name: rows.map((r) => (r % 7 === 3 ? null : `${"é".repeat(r % 9)} row ${r}`)),
  split: rows.map((r) =>
    r % 11 === 5 ? null : ["train", "a category of its own"][r % 2],
  ),
  bytes: rows.map((r) => new Array(r % 20).fill(r)),
};

function kept(path: string): Record<string, unknown[]> {
  const table = tableFromIPC(readFileSync(path));
  return Object.fromEntries(
    keep.map((name) => [
      name,
      [...table.getChild(name)].map((value) =>
        value instanceof Uint8Array ? [...value] : value,
      ),
    ]),
  );
}

describe.each(["views.arrow", "views-zstd.arrow", "views.arrows"])(
  "%s",
  (name) => {
    const input = fixture(name);

    test.each([
      [{}],
      [{ layout: "csr" as const }],
      [{ chunkRows: 3, compress: "lz4" as const }],
    ])("kept as utf8 and binary: %j", async (options) => {
      await built.run({ input, output, keep, force: true, ...options });
      if ("compress" in options) {
        const verified = await built.verify({ input, output, all: true });
        expect(verified.bytes).toEqual({ compared: true, message: null });
        return;
      }
      expect(kept(output)).toEqual(EXPECTED);
      const { fields } = tableFromIPC(readFileSync(output)).schema;
      const types = fields.slice(1, 4).map(({ type }) => type.typeId);
      const [utf8, dictionary, binary] = [5, -1, 4];
      expect(types).toEqual([utf8, dictionary, binary]);
    });

    test("beside the logits, not looked at", async () => {
      const report = await built.run({ input, output, force: true });
      expect(report.rows).toBe(ROWS);
    });
  },
);

test("rows that are left out leave their texts out", async () => {
  const bytes = readFileSync(fixture("views.arrow"));
  // the logits of row 0 are -4, 2.5, …: its first becomes NaN
  const place = bytes.indexOf(
    Buffer.from(Float64Array.of(-4, 2.5, -2.5, 4).buffer),
  );
  expect(place).toBeGreaterThan(0);
  bytes.writeDoubleLE(Number.NaN, place);
  const input = at("bad.arrow");
  writeFileSync(input, bytes);
  await built.run({ input, output, keep, onBadRow: "skip", force: true });
  const expected = Object.entries(EXPECTED).map(([name, values]) => [
    name,
    values.slice(1),
  ]);
  expect(kept(output)).toEqual(Object.fromEntries(expected));
});

describe("damaged", () => {
  const good = readFileSync(fixture("views.arrow"));
  const damaged = at("damaged.arrow");
  const text = EXPECTED.name[8] as string;
  const length = Buffer.byteLength(text);
  /** Where the view of row 8's name stands: its text is too long for it. */
  const view = good.indexOf(
    Buffer.concat([
      Buffer.from(Int32Array.of(length).buffer),
      Buffer.from(text).subarray(0, 4),
    ]),
  );

  test("a view is where it is looked for", () => {
    expect(length).toBeGreaterThan(12);
    expect(view).toBeGreaterThan(0);
    expect(view % 8).toBe(0);
  });

  test.each([
    ["length", 0, -1, "expected a view of 0 or more bytes, found -1"],
    ["length", 0, 2 ** 31 - 1, /expected a view within the \d+ bytes/],
    [
      "buffer",
      8,
      1,
      "expected a view of one of 1 data buffers, found buffer 1",
    ],
    [
      "buffer",
      8,
      -1,
      "expected a view of one of 1 data buffers, found buffer -1",
    ],
    ["offset", 12, -1, /expected a view within .* bytes at byte -1/],
    [
      "offset",
      12,
      2 ** 31 - 1,
      /expected a view within .* bytes at byte 2147483647/,
    ],
  ])("%s of a view: %i %i", async (_, field, value, message) => {
    const bytes = Buffer.from(good);
    bytes.writeInt32LE(value, view + field);
    writeFileSync(damaged, bytes);
    const error = await built
      .run({ input: damaged, output: at("none.arrow"), keep })
      .catch((e) => e);
    expect(error).toBeInstanceOf(built.InputFormatError);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("column name, row 8");
  });

  test("a bit in every 15th byte of the file: refused, or as another reader reads it", async () => {
    const undamaged = JSON.stringify(EXPECTED);
    const counter = new Counter();
    for (let k = 0; k < good.length; k += 15) {
      const bytes = Buffer.from(good);
      bytes[k] = (bytes[k] as number) ^ (1 << ((k / 15) % 8));
      writeFileSync(damaged, bytes);
      try {
        await built.run({ input: damaged, output, keep, force: true });
      } catch (error) {
        if (!(error instanceof built.SoftjacError)) throw error;
        counter.add(error.code);
        continue;
      }
      const found = kept(output);
      expect(found, `byte ${k}`).toEqual(kept(damaged));
      counter.add(JSON.stringify(found) === undamaged ? "same" : "other");
    }
    // The damage is the same in every run. A check that changes may change a count; fewer errors need a reason. The footer's
    // metadata version is not checked: every message has its own.
    expect(counter.counts).toEqual({
      ERR_INPUT_FORMAT: 158,
      ERR_INPUT_UNSUPPORTED: 1,
      other: 63,
      same: 264,
    });
  });
});
