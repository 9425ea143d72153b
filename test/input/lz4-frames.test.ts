import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { decompress } from "../../workers/decompress/decompress.js";
import { Xxh32 } from "../../workers/decompress/xxh32.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { workDirectory } from "../support/logits-input.js";
import { random } from "../support/random.js";

const at = workDirectory();
const content = Buffer.from(
  Array.from({ length: 40_000 }, (_, i) => `${(i * i) % 1009}\n`).join(""),
);
const NAMES = ["independent", "linked", "size", "checksums", "no-checksum"];
const frameOf = (name: string) =>
  readFileSync(
    fileURLToPath(new URL(`../fixtures/lines-${name}.lz4`, import.meta.url)),
  );

/** Decodes bytes that should be a frame of so many bytes; what was said, or what was written. */
async function decode(
  frame: Uint8Array,
  decodedBytes: number,
): Promise<string | Buffer> {
  const [from, to] = [at("frame"), at("decoded")];
  writeFileSync(from, frame);
  writeFileSync(to, "before");
  const [source, target] = [openSync(from, "r"), openSync(to, "r+")];
  try {
    const reply = await decompress(
      { source, target },
      {
        where: "frame",
        position: 0,
        bytes: frame.length,
        codec: "LZ4_FRAME",
        target: 6,
        decodedBytes,
      },
    );
    if (!reply.ok) return (reply.failure as { text: string }).text;
    const written = readFileSync(to);
    expect(written.subarray(0, 6).toString()).toBe("before");
    return written.subarray(6);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

describe.each(NAMES)("lines-%s.lz4, by the reference command", (name) => {
  const frame = frameOf(name);

  test("gives what went in", async () => {
    const found = await decode(frame, content.length);
    expect(content.equals(found as Buffer)).toBe(true);
  });

  test("gives neither more nor less than was expected", async () => {
    expect(await decode(frame, content.length - 1)).toMatch(
      `expected ${content.length - 1} decompressed bytes, found more`,
    );
    expect(await decode(frame, content.length + 1)).toMatch(
      `expected ${content.length + 1} decompressed bytes, found ${content.length}`,
    );
  });

  test("cut anywhere, or with something behind it", async () => {
    for (let length = 0; length < frame.length; length += 31)
      expect(await decode(frame.subarray(0, length), content.length)).toMatch(
        CLEAR_MESSAGE,
      );
    const longer = Buffer.concat([frame, Buffer.of(0)]);
    expect(await decode(longer, content.length)).toBe(
      "1 bytes follow the compressed frame",
    );
  });

  test("a flipped bit is found wherever there is a checksum", async () => {
    const uniform = random(name.length);
    let unseen = 0;
    for (let n = 0; n < 300; n++) {
      const damaged = Buffer.from(frame);
      const place = Math.floor(uniform() * frame.length);
      damaged[place] = (damaged[place] as number) ^ (1 << (n % 8));
      const found = await decode(damaged, content.length);
      if (typeof found === "string") expect(found).toMatch(CLEAR_MESSAGE);
      else if (!content.equals(found)) unseen++;
    }
    if (name === "no-checksum") expect(unseen).toBeGreaterThan(0);
    else expect(unseen).toBe(0);
  });
});

test("xxHash of 32 bits, as the reference command prints it", () => {
  const lines = Array.from({ length: 100 }, (_, k) => `${k}\n`).join("");
  for (const [text, expected] of [
    ["", 0x02cc5d05],
    ["abc", 0x32d153ff],
    [lines, 0x7e9fb8cc],
  ] as const) {
    const bytes = Buffer.from(text);
    expect(new Xxh32().add(bytes).value).toBe(expected);
    for (const piece of [1, 3, 16, 33]) {
      const hash = new Xxh32();
      for (let k = 0; k < bytes.length; k += piece)
        hash.add(bytes.subarray(k, k + piece));
      expect(hash.value).toBe(expected);
    }
  }
});
