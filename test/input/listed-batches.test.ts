import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { writeKept } from "../support/kept-input.js";
import { workDirectory } from "../support/logits-input.js";

// Where the footer of an Arrow file and its messages disagree: other readers follow the footer, and lose rows.

const at = workDirectory();
const input = at("listed.arrow");
writeKept(input, 20);
const sound = readFileSync(input);
const footerStart = sound.length - 10 - sound.readInt32LE(sound.length - 10);

interface Block {
  /** Place of the block in the footer: offset (int64), metadata bytes (int32), 4 bytes, body bytes (int64). */
  place: number;
  offset: number;
  metadataBytes: number;
  bodyBytes: number;
}

/** The blocks of the three record batches: the last three of the file. */
const blocks: Block[] = [];
for (let k = 8; k < footerStart; k += 8) {
  if (sound.readUInt32LE(k) !== 0xffffffff) continue;
  const offset = Buffer.alloc(8);
  offset.writeBigInt64LE(BigInt(k));
  const place = sound.indexOf(offset, footerStart);
  if (place > 0)
    blocks.push({
      place,
      offset: k,
      metadataBytes: sound.readInt32LE(place + 8),
      bodyBytes: Number(sound.readBigInt64LE(place + 16)),
    });
}
const [first, , last] = blocks.slice(-3) as [Block, Block, Block];
const lastEnd = last.offset + last.metadataBytes + last.bodyBytes;

async function messageOf(change: (file: Buffer) => void): Promise<string> {
  const file = Buffer.from(sound);
  change(file);
  writeFileSync(input, file);
  const error = await built
    .run({ input, output: at("out"), force: true })
    .catch((e) => e);
  return `${error.code} ${error.message}`.replace(input, "file");
}

/** Changes the length of the last batch's body, as its message states it. */
function stateBody(file: Buffer, bytes: number): void {
  const stated = Buffer.alloc(8);
  stated.writeBigInt64LE(BigInt(last.bodyBytes));
  const place = file.indexOf(stated, last.offset);
  expect(place).toBeLessThan(last.offset + last.metadataBytes);
  file.writeBigInt64LE(BigInt(bytes), place);
}

test("a footer that lists two of three batches", async () => {
  // The count stands before the first block.
  expect(sound.readInt32LE(first.place - 4)).toBe(3);
  expect(
    await messageOf((file) => {
      file.writeInt32LE(2, first.place - 4);
    }),
  ).toBe(
    `ERR_INPUT_FORMAT file: footer: the message at byte ${last.offset} is not listed in the footer`,
  );
});

test("a last block that overlaps the footer", async () => {
  const more = footerStart + 64 - lastEnd;
  expect(
    await messageOf((file) => {
      stateBody(file, last.bodyBytes + more);
      file.writeBigInt64LE(BigInt(last.bodyBytes + more), last.place + 16);
    }),
  ).toBe(
    `ERR_INPUT_FORMAT file: record batch 2: expected a block within bytes ${last.offset} to ${footerStart}, found bytes ${last.offset} to ${footerStart + 64}`,
  );
});

test("a body whose length differs between the footer and its message", async () => {
  expect(
    await messageOf((file) => {
      file.writeBigInt64LE(BigInt(last.bodyBytes + 8), last.place + 16);
    }),
  ).toBe(
    `ERR_INPUT_FORMAT file: record batch 2: expected a body of ${last.bodyBytes + 8} bytes as declared in the footer, found ${last.bodyBytes}`,
  );
});
