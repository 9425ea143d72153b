import { readFileSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { openLogits } from "../../../src/input/open-logits.js";
import { npy, zip } from "../../support/array-files.js";
import { workDirectory } from "../../support/logits-input.js";
import { isLinux } from "../../support/machine.js";

// Archives that lie, and what they are refused with. An archive says everything twice: in its directory, and before each
// member's bytes.

const at = workDirectory();
const path = at("input");
const logits = npy(Float64Array.of(1, 2, 3, 4), [2, 2]);
const members = {
  "o.npy": logits,
  "y.npy": npy(Int8Array.of(0, 1), [2]),
};
const sound = zip(members);
const DIRECTORY = sound.indexOf("PK\x01\x02");
const SECOND = sound.indexOf("PK\x01\x02", DIRECTORY + 1);
const SECOND_LOCAL = sound.indexOf("PK\x03\x04", 1);
const END = sound.indexOf("PK\x05\x06");

type Patch = (file: Buffer) => void;

const u8 =
  (place: number, value: number): Patch =>
  (file) =>
    file.writeUInt8(value, place);
const u16 =
  (place: number, value: number): Patch =>
  (file) =>
    file.writeUInt16LE(value, place);
const u32 =
  (place: number, value: number): Patch =>
  (file) =>
    file.writeUInt32LE(value, place);

/** Opens a file, and returns the number of its rows. */
async function open(file: Buffer, options: object = {}): Promise<number> {
  writeFileSync(path, file);
  const opened = await openLogits(path, {
    column: "o",
    keep: [],
    ownNames: [],
    inputs: [],
    ...options,
  });
  opened.close();
  return opened.rows;
}

const size = logits.length;
const LIES: [name: string, patches: Patch[], text: string][] = [
  [
    "encrypted",
    [u16(6, 1), u16(DIRECTORY + 8, 1)],
    "member o.npy: expected a stored or deflated member, found an encrypted member; write the archive with numpy.savez or numpy.savez_compressed",
  ],
  [
    "compressed by LZMA",
    [u16(8, 14), u16(DIRECTORY + 10, 14)],
    "member o.npy: expected a stored or deflated member, found compression method 14; write the archive with numpy.savez or numpy.savez_compressed",
  ],
  [
    "another method",
    [u16(8, 8)],
    "member o.npy: expected the method in its local header to be 0 as in the zip directory, found 8",
  ],
  [
    "another name",
    [u8(30, 0x78)],
    'member o.npy: expected the name in its local header to be "o.npy" as in the zip directory, found "x.npy"',
  ],
  [
    "another checksum",
    [u32(14, 7)],
    `member o.npy: expected the checksum in its local header to be ${crc32(logits)} as in the zip directory, found 7`,
  ],
  [
    "another size",
    [u32(18, 7)],
    `member o.npy: expected the compressed size in its local header to be ${size} as in the zip directory, found 7`,
  ],
  [
    "other bytes",
    [u8(30 + 5 + size - 1, 0x41)],
    `member o.npy: expected checksum 0x${crc32(logits).toString(16).padStart(8, "0")}, found 0x`,
  ],
  [
    "no local header",
    [u32(SECOND + 42, SECOND_LOCAL + 1)],
    `member y.npy: no local header at byte ${SECOND_LOCAL + 1}`,
  ],
  [
    "one member over another",
    [u32(SECOND + 42, 40)],
    `member y.npy: expected its local header within bytes ${SECOND_LOCAL} to ${DIRECTORY}, found byte 40`,
  ],
  [
    "behind the directory",
    [u32(SECOND + 42, DIRECTORY)],
    `member y.npy: expected its local header within bytes ${SECOND_LOCAL} to ${DIRECTORY}, found byte ${DIRECTORY}`,
  ],
  [
    "more bytes than there are",
    [
      u32(18, 9999),
      u32(22, 9999),
      u32(DIRECTORY + 20, 9999),
      u32(DIRECTORY + 24, 9999),
    ],
    `member o.npy: expected at most ${DIRECTORY - 35} bytes before the zip directory, found 9999`,
  ],
  [
    "stored, but unpacked to more",
    [u32(22, 9999), u32(DIRECTORY + 24, 9999)],
    `member o.npy: expected 9999 bytes stored without compression, found ${size}`,
  ],
  [
    "one name twice",
    [u8(SECOND + 46, 0x6f)],
    "zip directory: member o.npy is listed twice",
  ],
  [
    "a member of another disk",
    [u16(DIRECTORY + 34, 1)],
    "zip directory: member o.npy is in another file; archives in several files are not supported, write the arrays to one file",
  ],
  [
    "sizes in a zip64 field that is not there",
    [u32(DIRECTORY + 24, 0xffffffff)],
    "zip directory: member o.npy: the zip64 field with its sizes is missing",
  ],
  [
    "one member fewer",
    [u16(END + 8, 1), u16(END + 10, 1)],
    "zip directory: expected 1 members, found 2",
  ],
  [
    "one part of several",
    [u16(END + 4, 1)],
    "zip directory: archives in several files are not supported; write the arrays to one file",
  ],
  [
    "a directory elsewhere",
    [u32(END + 16, DIRECTORY - 1)],
    `zip directory: expected the directory to end at byte ${END}, found ${END - DIRECTORY} bytes from byte ${DIRECTORY - 1}`,
  ],
  [
    "an entry cut",
    [u16(SECOND + 28, 9)],
    `zip directory: the entry at byte ${SECOND - DIRECTORY} of ${END - DIRECTORY} is damaged`,
  ],
  [
    "no end",
    [u32(END, 0)],
    "zip directory: the file is truncated, or its writer did not close it (it has no zip end record)",
  ],
];

test.each(LIES)("%s", async (_, patches, text) => {
  const file = Buffer.from(sound);
  for (const patch of patches) patch(file);
  await expect(open(file)).rejects.toThrow(`${path}: ${text}`);
});

test("a member inside another's bytes, all of its own numbers right", async () => {
  const inner = sound.subarray(SECOND_LOCAL, DIRECTORY);
  const outer = npy(inner, { descr: "|u1", shape: [1, inner.length] });
  const file = zip({ "o.npy": outer, "y.npy": members["y.npy"] });
  const directory = file.indexOf("PK\x01\x02");
  const first = file.indexOf("PK\x03\x04", 1);
  const local = file.indexOf("PK\x03\x04", first + 1);
  file.writeUInt32LE(first, file.indexOf("PK\x01\x02", directory + 1) + 42);
  await expect(open(file)).rejects.toThrow(
    `${path}: member y.npy: expected its local header within bytes ${local} to ${directory}, found byte ${first}`,
  );
});

const deflated = zip(
  { "o.npy": npy(new Float64Array(2 ** 21), [2 ** 20, 2]) },
  { deflated: true },
);
const CENTRAL = deflated.lastIndexOf("PK\x01\x02");

test("deflated bytes that are more than the directory says are unpacked no further", async () => {
  const file = Buffer.from(deflated);
  file.writeUInt32LE(5000, 22);
  file.writeUInt32LE(5000, CENTRAL + 24);
  await expect(open(file)).rejects.toThrow(
    `${path}: member o.npy: expected 5000 bytes as declared in the zip directory, found more`,
  );
});

test("deflated bytes that end early, go on, or are none", async () => {
  const packed = deflated.readUInt32LE(18);
  const start = 30 + 5;
  const broken = Buffer.from(deflated);
  broken.fill(0xff, start + 40, start + 60);
  await expect(open(broken)).rejects.toThrow(
    /member o.npy: the compressed data is damaged \([^)]+\)$/,
  );
  const short = Buffer.from(deflated);
  for (const place of [18, CENTRAL + 20])
    short.writeUInt32LE(packed - 9, place);
  await expect(open(short)).rejects.toThrow(
    "member o.npy: the compressed data is damaged (unexpected end of file)",
  );
  // A deflated stream, and another byte that belongs to nothing.
  const long = Buffer.concat([
    deflated.subarray(0, start + packed),
    Buffer.of(0),
    deflated.subarray(start + packed),
  ]);
  for (const place of [18, CENTRAL + 1 + 20])
    long.writeUInt32LE(packed + 1, place);
  const end = long.lastIndexOf("PK\x05\x06") + 16;
  long.writeUInt32LE(CENTRAL + 1, end);
  await expect(open(long)).rejects.toThrow(
    `member o.npy: expected ${packed + 1} bytes of compressed data, found ${packed}`,
  );
});

test("unpacking stops when it is asked to", async () => {
  // Its checksum is wrong: who read to the end would say so.
  const file = Buffer.from(deflated);
  for (const place of [14, CENTRAL + 16]) file.writeUInt32LE(1, place);
  await expect(open(file)).rejects.toThrow(
    /member o.npy: expected checksum 0x00000001, found/,
  );
  await expect(
    open(file, { signal: AbortSignal.abort() }),
  ).rejects.toMatchObject({ code: "ERR_ABORTED" });
});

test("a directory that takes no file: that for temporary files takes it", async () => {
  expect(await open(deflated, { scratch: at("not there") })).toBe(2 ** 20);
});

/** Bytes that this process has read so far, by any call. */
function bytesRead(): number {
  const found = /rchar: (\d+)/.exec(readFileSync("/proc/self/io", "utf8"));
  return Number(found?.[1]);
}

test.skipIf(!isLinux).each([false, true])(
  "what is read of an archive is bounded by its size, however many members it has (deflated: %s)",
  async (deflated) => {
    const small = npy(Int8Array.of(0, 1), [2]);
    const names = Array.from({ length: 3000 }, (_, k) => [`y${k}.npy`, small]);
    const many = zip(
      { "o.npy": logits, ...Object.fromEntries(names) },
      { deflated },
    );
    writeFileSync(path, many);
    const before = bytesRead();
    const opened = await openLogits(path, {
      keep: ["y2999"],
      ownNames: [],
      inputs: [],
    });
    const after = bytesRead();
    opened.close();
    expect(opened.copied.map(({ field }) => field.name)).toEqual(["y2999"]);
    expect(after - before).toBeLessThan(4 * many.length + 2 ** 20);
  },
);
