import { writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { npy, zip } from "../../support/array-files.js";
import { rows } from "../../support/input-runs.js";
import { workDirectory } from "../../support/logits-input.js";
import { openedInput, openRefusal } from "../../support/opened-input.js";

// Damaged archives, and the messages about them.

const at = workDirectory();
const path = at("input");
const logits = npy(Float64Array.of(1, 2, 3, 4), [2, 2]);
const small = npy(Int8Array.of(0, 1), [2]);
const sound = zip({ "o.npy": logits, "y.npy": small });
const DIRECTORY = sound.indexOf("PK\x01\x02");
const SECOND = sound.indexOf("PK\x01\x02", DIRECTORY + 1);
const LOCAL = sound.indexOf("PK\x03\x04", 1);
const END = sound.indexOf("PK\x05\x06");

/** Writes little-endian numbers, each with its place and its width in bytes before it, as in `6 2 1; 8 4 0x10`. */
function patched(file: Buffer, patches: string): Buffer {
  const copy = Buffer.from(file);
  for (const [at = 0, width = 0, value = 0] of rows(patches))
    copy.writeUIntLE(value, at, width);
  return copy;
}

async function refusal(file: Buffer, options: object = {}): Promise<string> {
  writeFileSync(path, file);
  return openRefusal(path, { column: "o", ...options });
}

const size = logits.length;
const last = 30 + 5 + size - 1;
const hex = (number: number) => `0x${number.toString(16).padStart(8, "0")}`;
const method = (found: string) =>
  `member o.npy: expected a stored or deflated member, found ${found}; write the archive with numpy.savez or numpy.savez_compressed`;
const differs = (field: string, expected: unknown, found: unknown) =>
  `member o.npy: expected the ${field} in its local header to be ${expected} as in the zip directory, found ${found}`;
const within = `member y.npy: expected its local header within bytes ${LOCAL} to ${DIRECTORY}, found byte`;

const PLACES: Record<string, number> = {
  ...{ directory: DIRECTORY, second: SECOND, local: LOCAL, end: END, last },
};
/** Patches of the sound archive, in which a place or a value may be relative to one of the places. */
const REFUSED: Record<string, string> = {
  [method("an encrypted member")]: "6 2 1; directory+8 2 1",
  [method("a patch")]: "6 2 32; directory+8 2 32",
  [method("compression method 14")]: "8 2 14; directory+10 2 14",
  [differs("name", '"o.npy"', '"x.npy"')]: "30 1 0x78",
  [differs("flags", 0, 2048)]: "6 2 2048",
  [differs("method", 0, 8)]: "8 2 8",
  [differs("checksum", crc32(logits), 7)]: "14 4 7",
  [differs("compressed size", size, 7)]: "18 4 7",
  [differs("size", size, 7)]: "22 4 7",
  // Sizes after the data: the other fields are compared all the same.
  [differs("method", 0, 9)]: "6 2 8; 8 2 9; directory+8 2 8",
  "member o.npy: the zip64 field with its sizes is missing in its local header":
    "22 4 0xffffffff",
  [`member o.npy: expected a local header of 65570 bytes, found ${DIRECTORY}`]:
    "28 2 0xffff",
  [`member o.npy: expected checksum ${hex(crc32(logits))}, found ${hex(crc32(patched(sound, `${last} 1 0x41`).subarray(35, last + 1)))}`]:
    "last 1 0x41",
  [`member y.npy: no local header at byte ${LOCAL + 1}`]: "second+42 4 local+1",
  [`${within} 40`]: "second+42 4 40",
  [`${within} ${DIRECTORY}`]: "second+42 4 directory",
  [`member o.npy: expected at most ${DIRECTORY - 35} bytes before the zip directory, found 9999`]:
    "18 4 9999; 22 4 9999; directory+20 4 9999; directory+24 4 9999",
  [`member o.npy: expected 9999 bytes stored without compression, found ${size}`]:
    "22 4 9999; directory+24 4 9999",
  "zip directory: member o.npy is listed twice": "second+46 1 0x6f",
  "zip directory: member o.npy: the zip64 field with its sizes is missing":
    "directory+24 4 0xffffffff",
  "zip directory: expected 1 members, found 2": "end+8 2 1; end+10 2 1",
  [`zip directory: expected the directory to end at byte ${END}, found ${END - DIRECTORY} bytes from byte ${DIRECTORY - 1}`]:
    "end+16 4 directory-1",
  [`zip directory: the entry at byte ${SECOND - DIRECTORY} of ${END - DIRECTORY} is damaged`]:
    "second+28 2 9",
  "zip directory: the file is truncated, or its writer did not close it (it has no zip end record)":
    "end 4 0",
};

test.each(Object.entries(REFUSED))("%s", async (text, patches) => {
  const isMethod = text.includes(": expected a stored");
  const code = isMethod ? "UNSUPPORTED" : "FORMAT";
  const numbers = patches.replace(/\b([a-z]+)([+-]\d+)?/g, (_, place, more) =>
    String((PLACES[place] as number) + Number(more ?? 0)),
  );
  const found = await refusal(patched(sound, numbers));
  expect(found).toBe(`ERR_INPUT_${code} file: ${text}`);
});

test("a damaged zip64 end record", async () => {
  const file = zip({ "o.npy": logits }, { zip64: "all" });
  const end = file.length - 22;
  const end64 = end - 76;
  const damages = [`${end64 + 4} 4 45`, `${end64} 1 0`, `${end - 12} 4 ${end}`];
  for (const patches of damages)
    expect(await refusal(patched(file, patches))).toMatch(
      /^ERR_INPUT_FORMAT file: zip directory: no zip64 end record at bytes /,
    );
});

test("a member in the data of another member", async () => {
  const inner = sound.subarray(LOCAL, DIRECTORY);
  const outer = npy(inner, { descr: "|u1", shape: [1, inner.length] });
  const file = zip({ "o.npy": outer, "y.npy": small });
  const directory = file.indexOf("PK\x01\x02");
  const entry = file.indexOf("PK\x01\x02", directory + 1);
  const place = file.indexOf("PK\x03\x04", 1);
  const local = file.indexOf("PK\x03\x04", place + 1);
  expect(await refusal(patched(file, `${entry + 42} 4 ${place}`))).toBe(
    `ERR_INPUT_FORMAT file: member y.npy: expected its local header within bytes ${local} to ${directory}, found byte ${place}`,
  );
});

const deflated = zip(
  { "o.npy": npy(new Float64Array(2 ** 21), [2 ** 20, 2]) },
  { deflated: true },
);
const CENTRAL = deflated.lastIndexOf("PK\x01\x02");
const PACKED = deflated.readUInt32LE(18);
const START = 30 + 5;
const broken = Buffer.from(deflated).fill(0xff, START, START + 9);
const longer = Buffer.concat([
  ...[deflated.subarray(0, START + PACKED), Buffer.of(0)],
  deflated.subarray(START + PACKED),
]);

const MEMBER: Record<string, Buffer> = {
  "expected 5000 bytes as declared in the zip directory, found more": patched(
    deflated,
    `22 4 5000; ${CENTRAL + 24} 4 5000`,
  ),
  "the compressed data is damaged (invalid block type)": broken,
  "the compressed data is damaged (unexpected end of file)": patched(
    deflated,
    `18 4 ${PACKED - 9}; ${CENTRAL + 20} 4 ${PACKED - 9}`,
  ),
  [`expected ${PACKED + 1} bytes of compressed data, found ${PACKED}`]: patched(
    longer,
    `18 4 ${PACKED + 1}; ${CENTRAL + 21} 4 ${PACKED + 1}; ${longer.lastIndexOf("PK\x05\x06") + 16} 4 ${CENTRAL + 1}`,
  ),
};

test.each(Object.entries(MEMBER))("deflated member: %s", async (text, file) => {
  expect(await refusal(file)).toBe(
    `ERR_INPUT_FORMAT file: member o.npy: ${text}`,
  );
});

test("an abort stops decompression before the checksum at the end", async () => {
  const file = patched(deflated, `14 4 1; ${CENTRAL + 16} 4 1`);
  expect(await refusal(file)).toMatch(/expected checksum 0x00000001, found 0x/);
  const signal = AbortSignal.abort();
  expect(await refusal(file, { signal })).toMatch(/^ERR_ABORTED /);
});

test("a missing scratch directory is replaced by that of the system", async () => {
  writeFileSync(path, deflated);
  const { rows } = await openedInput(path, { scratch: at("missing") });
  expect(rows).toBe(2 ** 20);
});
