import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  DifferentByte,
  writeOrCompare,
} from "../../src/io/write-or-compare.js";
import { workDirectory } from "../support/logits-input.js";
import { random } from "../support/random.js";

const at = workDirectory();
const MiB = 1 << 20;
const START = 5;
const uniform = random(8);
const source = Uint8Array.from({ length: 3 * MiB + 7 }, () => 256 * uniform());

/** Compares `source` with a file that has it from byte START on, but for what `change` does to the file. */
function compared(change: (file: Buffer) => Buffer): unknown {
  const path = at("file");
  const before = change(Buffer.concat([Buffer.alloc(START), source]));
  writeFileSync(path, before);
  const fd = openSync(path, "r+");
  try {
    writeOrCompare({ fd, compare: true }, source, START);
    return null;
  } catch (error) {
    return error;
  } finally {
    closeSync(fd);
    // comparing writes nothing
    expect(Buffer.compare(readFileSync(path), before)).toBe(0);
  }
}

test("what is compared with itself is the same", () => {
  expect(compared((file) => file)).toBeNull();
  expect(compared((file) => Buffer.concat([file, file]))).toBeNull();
});

test.each([0, 1, MiB - 1, MiB, 2 * MiB + 3, 3 * MiB + 6])(
  "another byte is told by its place in the file: %i bytes on",
  (place) => {
    const expected = source[place] as number;
    const error = compared((file) => {
      file[START + place] = expected ^ 1;
      if (place < 3 * MiB) file[START + place + 1] = 0;
      return file;
    });
    expect(error).toBeInstanceOf(DifferentByte);
    const position = START + place;
    expect(error).toMatchObject({ position, expected, found: expected ^ 1 });
  },
);

test.each([0, MiB, 3 * MiB + 6])(
  "a file that ends %i bytes on has no byte there",
  (place) => {
    const position = START + place;
    const error = compared((file) => file.subarray(0, position));
    const expected = source[place];
    expect(error).toMatchObject({ position, expected, found: null });
  },
);
