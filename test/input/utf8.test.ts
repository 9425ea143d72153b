import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  columnFromArray,
  dictionary,
  fixedSizeList,
  float64,
  int8,
  largeUtf8,
  tableFromColumns,
  tableFromIPC,
  tableToIPC,
  utf8,
} from "@uwdata/flechette";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Other readers refuse a file whose texts are not UTF-8: none is written.

const at = workDirectory();
const input = at("texts.arrow");
const output = at("out.arrow");
const OFFSETS = Int32Array.of(0, 3, 5, 6, 7);

/** A file with the texts, of which `from` (in ASCII) is replaced by other bytes of the same number. */
function withBytes(
  values: string[],
  type: unknown,
  from: string,
  to: number[],
): Buffer {
  const column = (list: unknown[], of: unknown) =>
    columnFromArray(list as never, of as never);
  const table = tableFromColumns({
    logits: column(
      values.map((_, r) => [r, 0]),
      fixedSizeList(float64(), 2),
    ),
    name: column(values, type),
  } as never);
  return patched(
    Buffer.from(tableToIPC(table, { format: "file" }) as Uint8Array),
    Buffer.from(from),
    Buffer.from(to),
  );
}

function patched(file: Buffer, from: Buffer, to: Buffer): Buffer {
  const place = file.indexOf(from);
  expect(place).toBeGreaterThan(0);
  expect(from.length).toBe(to.length);
  file.set(to, place);
  return file;
}

async function message(file: Uint8Array, keep = ["name"]): Promise<string> {
  writeFileSync(input, file);
  const error = await built
    .run({ input, output, keep, force: true })
    .catch((e) => e);
  return `${error.code} ${error.message}`.replace(input, "file");
}

const TEXTS = ["one", "qx", "y", "z"];
const COLUMNS = [
  ["utf8", utf8(), "row"],
  ["large_utf8", largeUtf8(), "row"],
  ["dictionary", dictionary(utf8(), int8()), "value"],
] as const;

test.each(COLUMNS)(
  "%s: a byte that UTF-8 does not have",
  async (_, type, unit) => {
    const where =
      unit === "row" ? "column name, row 1" : "dictionary batch 0, value 1";
    expect(await message(withBytes(TEXTS, type, "qx", [0x71, 0xff]))).toBe(
      `ERR_INPUT_FORMAT file: ${where}: the text is not valid UTF-8`,
    );
  },
);

test.each(COLUMNS)("%s: a character over two texts", async (_, type, unit) => {
  const where =
    unit === "row" ? "column name, row 2" : "dictionary batch 0, value 2";
  expect(await message(withBytes(TEXTS, type, "yz", [0xc3, 0xa9]))).toBe(
    `ERR_INPUT_FORMAT file: ${where}: the text is not valid UTF-8`,
  );
});

test.each(COLUMNS)(
  "%s: a character that is cut at the end",
  async (_, type, unit) => {
    const where =
      unit === "row" ? "column name, row 3" : "dictionary batch 0, value 3";
    expect(
      await message(withBytes(TEXTS, type, "qxyz", [0x71, 0x78, 0x79, 0xc3])),
    ).toBe(`ERR_INPUT_FORMAT file: ${where}: the text is not valid UTF-8`);
  },
);

test("views, and a dictionary of them", async () => {
  const fixture = () =>
    readFileSync(
      fileURLToPath(new URL("../fixtures/views.arrow", import.meta.url)),
    );
  const bad = (from: string, to: number[]) =>
    patched(fixture(), Buffer.from(from), Buffer.from(to));
  expect(
    await message(bad("é row 1", [0xc3, 0xc3, ...Buffer.from(" row 1")])),
  ).toBe(
    "ERR_INPUT_FORMAT file: column name, row 1: the text is not valid UTF-8",
  );
  const category = "a category of its own";
  expect(
    await message(
      bad(category, [...Buffer.from("a category of its ow"), 0xe9]),
      ["split"],
    ),
  ).toMatch(
    /^ERR_INPUT_FORMAT file: dictionary batch \d, value 1: the text is not valid UTF-8$/,
  );
});

test("texts of several megabytes, whose characters lie over the ends of what is read at once", async () => {
  const texts = [
    "€".repeat(400_000),
    "a",
    "é".repeat(700_001),
    "",
    "😀".repeat(300_001),
  ];
  for (const type of [utf8(), largeUtf8(), dictionary(utf8(), int8())]) {
    writeFileSync(
      input,
      withBytes([...texts, "end"], type, "end", [...Buffer.from("END")]),
    );
    await built.run({ input, output, keep: ["name"], force: true });
    const found = tableFromIPC(readFileSync(output)).getChild("name");
    expect([...found]).toEqual([...texts, "END"]);
  }
});

test("offsets of a dictionary", async () => {
  const type = dictionary(utf8(), int8());
  for (const [value, offset, found] of [
    [2, 9, "value 2: expected an offset from 3 to 8, found 9"],
    [2, 2, "value 2: expected an offset from 3 to 8, found 2"],
    [1, -1, "value 1: expected an offset from 0 to 8, found -1"],
    [4, 9, "values 0 to 3: expected offsets within 0 to 8, found 0 to 9"],
  ] as const) {
    const offsets = OFFSETS.slice();
    offsets[value] = offset;
    const file = withBytes(TEXTS, type, "qx", [0x71, 0x78]);
    expect(
      await message(
        patched(file, Buffer.from(OFFSETS.buffer), Buffer.from(offsets.buffer)),
      ),
    ).toBe(`ERR_INPUT_FORMAT file: dictionary batch 0, ${found}`);
  }
});

test("an index beyond the dictionary", async () => {
  const type = dictionary(utf8(), int8());
  for (const index of [4, -1]) {
    const file = withBytes(TEXTS, type, "qx", [0x71, 0x78]);
    const damaged = patched(
      file,
      Buffer.from([0, 1, 2, 3, 0, 0, 0, 0]),
      Buffer.from([0, 1, index, 3, 0, 0, 0, 0]),
    );
    expect(await message(damaged)).toBe(
      `ERR_INPUT_FORMAT file: column name, row 2: expected a dictionary index from 0 to 3, found ${index}`,
    );
  }
});
