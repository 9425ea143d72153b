import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { npy, safetensorsFile, zip } from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";

// Headers and directories that state what cannot be.

const at = workDirectory();
const values = Float64Array.from({ length: 8 }, (_, k) => k);
const array = npy(values, [2, 4]);

async function messageOf(name: string, file: Buffer): Promise<string> {
  const input = at(name);
  writeFileSync(input, file);
  const error = await built
    .run({ input, output: at("out"), force: true })
    .catch((e) => e);
  return `${error.code} ${error.message}`.replace(input, "file");
}

function changed(file: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(file);
  change(copy);
  return copy;
}

test("the files are sound without the changes", async () => {
  for (const [name, file] of [
    ["a.npy", array],
    ["a.npz", zip({ "logits.npy": array }, { zip64: "all" })],
    ["a.safetensors", tensors([0, 64], [64, 128])],
  ] as const) {
    const input = at(name);
    writeFileSync(input, file);
    const column = name === "a.safetensors" ? { column: "a" } : {};
    const output = at("out");
    const report = await built.run({ input, output, force: true, ...column });
    expect(report).toMatchObject({
      rowsDone: 2,
      classes: 4,
    });
  }
});

test.each([
  [4, 0],
  [1, 7],
  [0, 0],
])("npy: version %i.%i", async (major, minor) => {
  const file = changed(array, (copy) => copy.set([major, minor], 6));
  expect(await messageOf("a.npy", file)).toBe(
    `ERR_INPUT_FORMAT file: header: expected version 1.0, 2.0 or 3.0, found ${major}.${minor}`,
  );
});

test("npy: a header that is longer than the file", async () => {
  const room = array.length - 10;
  const file = changed(array, (copy) => {
    copy.writeUInt16LE(room + 1, 8);
  });
  expect(await messageOf("a.npy", file)).toBe(
    `ERR_INPUT_FORMAT file: header: expected a header of at most ${room} bytes, found ${room + 1}: the file is truncated`,
  );
});

test("npy: a shape of negative lengths, whose product is right", async () => {
  expect(await messageOf("a.npy", npy(values, [-2, -4]))).toBe(
    "ERR_INPUT_FORMAT file: header: expected a shape of whole numbers from 0 to 2^53 - 1, found (-2, -4)",
  );
});

test("zip: an end record that contradicts the zip64 end record", async () => {
  const file = zip({ "logits.npy": array }, { zip64: "all" });
  const end = file.length - 22;
  expect(file.readUInt32LE(end)).toBe(0x06054b50);
  const contradicted = changed(file, (copy) => {
    copy.writeUInt16LE(2, end + 8);
    copy.writeUInt16LE(2, end + 10);
  });
  expect(await messageOf("a.npz", contradicted)).toMatch(
    /^ERR_INPUT_FORMAT file: zip directory: the end record \(2 members, \d+ bytes from byte \d+\) contradicts the zip64 end record \(1 members, \d+ bytes from byte \d+\)$/,
  );
});

/** Two tensors at these places. */
function tensors(...offsets: [start: number, end: number][]): Buffer {
  const [a, b] = offsets.map((data_offsets) => ({
    dtype: "F64",
    shape: [2, 4],
    data_offsets,
  }));
  const bytes = Math.max(...offsets.map(([, end]) => end));
  return safetensorsFile(JSON.stringify({ a, b }), Buffer.alloc(bytes));
}

test("safetensors: a gap between tensors", async () => {
  expect(await messageOf("a.safetensors", tensors([0, 64], [72, 136]))).toBe(
    "ERR_INPUT_FORMAT file: tensor b: expected values from byte 64 to at most 136, found bytes 72 to 136",
  );
});

test("safetensors: tensors over the same bytes", async () => {
  expect(await messageOf("a.safetensors", tensors([0, 64], [0, 64]))).toBe(
    "ERR_INPUT_FORMAT file: tensor b: expected values from byte 64 to at most 64, found bytes 0 to 64",
  );
});
