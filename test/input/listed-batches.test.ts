import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openArrow } from "../../src/input/arrow-container.js";
import { inputRuns } from "../support/input-runs.js";
import { writeKept } from "../support/kept-input.js";

// The footer of an Arrow file and its messages disagree: other readers follow the footer, and lose rows.

const { input, write, refused } = inputRuns();
writeKept(input, 20);
const sound = readFileSync(input);
const footerStart = sound.length - 10 - sound.readInt32LE(sound.length - 10);
const container = openArrow(input);
container.close();
const { recordBatches } = container;
const [first, , last] = recordBatches as [Block, Block, Block];
type Block = (typeof recordBatches)[number];

const int64 = (value: number) =>
  Buffer.from(BigInt64Array.of(BigInt(value)).buffer);
/** Position of a block in the footer: offset (int64), metadata bytes (int32), 4 bytes, body bytes (int64). */
const placeOf = ({ offset }: Block) =>
  sound.indexOf(int64(offset), footerStart);

/** Changes by the message. */
const CHANGES: Record<string, (file: Buffer) => unknown> = {
  [`footer: the message at byte ${last.offset} is not listed in the footer`]: (
    file,
  ) => {
    // The count precedes the first block.
    expect(file.readInt32LE(placeOf(first) - 4)).toBe(3);
    file.writeInt32LE(2, placeOf(first) - 4);
  },
  [`record batch 2: expected a block within bytes ${last.offset} to ${footerStart}, found bytes ${last.offset} to ${footerStart + 64}`]:
    (file) => {
      const start = last.offset + last.metadataBytes;
      const bodyBytes = int64(footerStart + 64 - start);
      const stated = file.indexOf(int64(last.bodyBytes), last.offset);
      expect(stated).toBeLessThan(start);
      bodyBytes.copy(file, stated);
      bodyBytes.copy(file, placeOf(last) + 16);
    },
  [`record batch 2: expected a body of ${last.bodyBytes + 8} bytes as declared in the footer, found ${last.bodyBytes}`]:
    (file) => int64(last.bodyBytes + 8).copy(file, placeOf(last) + 16),
};

test.each(Object.entries(CHANGES))("%s", async (message, change) => {
  const file = Buffer.from(sound);
  change(file);
  write(file);
  await refused({}, message, "ERR_INPUT_FORMAT");
});
