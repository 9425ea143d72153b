import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Footer } from "apache-arrow/ipc/metadata/file";
import { expect } from "vitest";
import { built } from "./built.js";
import { type Inputs, inputs } from "./inputs-input.js";
import { workDirectory, writeLogits } from "./logits-input.js";

export const ROWS = 301;
export const CLASSES = 5;
export const all: Inputs = inputs(ROWS, CLASSES);

/**
 * Runs files of arrays, for comparison byte by byte with runs of Arrow files. Outputs contain the name of their input, so all
 * inputs have the same name in different directories.
 */
export function arrayRuns() {
  const at = workDirectory();
  function paths(folder: string): { input: string; output: string } {
    mkdirSync(at(folder), { recursive: true });
    return { input: at(`${folder}/input`), output: at(`${folder}/output`) };
  }

  async function outputOf(
    folder: string,
    file: Buffer,
    options: object = {},
  ): Promise<Buffer> {
    const { input, output } = paths(folder);
    writeFileSync(input, file);
    await built.run({ input, output, force: true, ...options });
    return readFileSync(output);
  }

  /** Returns the output for an Arrow file of the logits. */
  async function ofLogits(dtype: "float32" | "float64"): Promise<Buffer> {
    const { input, output } = paths(dtype);
    const { logits } = all;
    writeLogits(input, {
      rows: ROWS,
      classes: CLASSES,
      dtype,
      logit: (row, k) => logits[row * CLASSES + k] as number,
    });
    await built.run({ input, output });
    return readFileSync(output);
  }

  return { paths, outputOf, ofLogits };
}

/** Returns the bodies of all record batches. Metadata is left out: unnamed arrays have no `softjac.column`. */
export function bodiesOf(file: Buffer): Buffer {
  const end = file.length - 10;
  const footer = Footer.decode(file.subarray(end - file.readInt32LE(end), end));
  return Buffer.concat(
    [...footer.recordBatches()].map(
      ({ offset, metaDataLength, bodyLength }) => {
        const start = Number(offset) + Number(metaDataLength);
        return file.subarray(start, start + Number(bodyLength));
      },
    ),
  );
}

/** Asserts equal bytes, without the list of all differences, which takes longer than the runs. */
export function expectBytes(
  found: Buffer | undefined,
  expected: Buffer | undefined,
): void {
  if (!found || !expected) throw new Error("expected bytes, found none");
  const differ = found.findIndex((byte, at) => byte !== expected[at]);
  expect({ bytes: found.length, differ }).toEqual({
    bytes: expected.length,
    differ: -1,
  });
}
