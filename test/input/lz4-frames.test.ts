import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { decompress } from "../../workers/decompress/decompress.js";
import { Xxh32 } from "../../workers/decompress/lz4.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { flippedBits } from "../support/damaged-runs.js";
import { workDirectory } from "../support/logits-input.js";

// Frames of the reference command lz4.

const at = workDirectory();
const content = Buffer.from(
  Array.from({ length: 40_000 }, (_, i) => `${(i * i) % 1009}\n`).join(""),
);
const size = content.length;

/** Decodes a frame after the first 6 bytes of a file; returns the text of the failure or what was written. */
async function decode(
  frame: Uint8Array,
  decodedBytes = size,
): Promise<string | Buffer> {
  const [from, to] = [at("frame"), at("decoded")];
  writeFileSync(from, frame);
  writeFileSync(to, "before");
  const files = { source: openSync(from, "r"), target: openSync(to, "r+") };
  try {
    const reply = await decompress(files, {
      ...{ where: "frame", codec: "LZ4_FRAME", position: 0, target: 6 },
      ...{ bytes: frame.length, decodedBytes },
    });
    if (!reply.ok) return (reply.failure as { text: string }).text;
    const written = readFileSync(to);
    expect(written.subarray(0, 6).toString()).toBe("before");
    return written.subarray(6);
  } finally {
    closeSync(files.source);
    closeSync(files.target);
  }
}

describe.each([
  ...["independent", "linked", "size", "checksums", "no-checksum"],
])("lines-%s.lz4", (name) => {
  const url = new URL(`../fixtures/lines-${name}.lz4`, import.meta.url);
  const frame = readFileSync(fileURLToPath(url));

  test("gives its content, and no other number of bytes", async () => {
    expect(content.equals((await decode(frame)) as Buffer)).toBe(true);
    expect(await decode(frame, size - 1)).toMatch(
      `expected ${size - 1} decompressed bytes, found more`,
    );
    expect(await decode(frame, size + 1)).toMatch(
      `expected ${size + 1} decompressed bytes, found ${size}`,
    );
  });

  test("is refused if it is truncated or longer", async () => {
    for (let length = 0; length < frame.length; length += 31)
      expect(await decode(frame.subarray(0, length))).toMatch(CLEAR_MESSAGE);
    expect(await decode(Buffer.concat([frame, Buffer.of(0)]))).toBe(
      "1 bytes follow the compressed frame",
    );
  });

  test("is refused if a bit that a checksum covers is flipped", async () => {
    let unseen = 0;
    for (const damaged of flippedBits(frame, 300, name.length)) {
      const found = await decode(damaged);
      if (typeof found === "string") expect(found).toMatch(CLEAR_MESSAGE);
      else if (!content.equals(found)) unseen++;
    }
    expect(unseen > 0).toBe(name === "no-checksum");
  });
});

const lines = Array.from({ length: 100 }, (_, k) => `${k}\n`).join("");

test.each([
  ["", 0x02cc5d05],
  ["abc", 0x32d153ff],
  [lines, 0x7e9fb8cc],
])(
  "32-bit xxHash of %j, as the reference command prints it",
  (text, expected) => {
    const bytes = Buffer.from(text);
    for (const piece of [1, 3, 16, 33, 1000]) {
      const hash = new Xxh32();
      for (let k = 0; k < bytes.length; k += piece)
        hash.add(bytes.subarray(k, k + piece));
      expect(hash.value).toBe(expected);
    }
  },
);
