import { checkLimit } from "../../io/limits.js";
import {
  type Fail,
  failing,
  type InputFile,
  inputReader,
} from "../read-input.js";

// A zip archive (APPNOTE.TXT, section 4.3) is read from its end:
//
//   members | central directory | [zip64 end record | zip64 locator] | end record | comment
//
// A member has a local header before its data, and a central header in the directory. Byte offsets of their fields:
//
//                   flags method CRC-32 packed bytes name extra comment offset
//   local header       6      8     14     18    22   26    28                    30 + name + extra
//   central header     8     10     16     20    24   28    30      32     42     46 + name + extra + comment
//
// A number that does not fit its field is in the zip64 end record or the zip64 extra field; all bits of its field are then 1.

const LOCAL = { signature: 0x04034b50, bytes: 30, flags: 6 };
const CENTRAL = { signature: 0x02014b50, bytes: 46, flags: 8 };
const END = { signature: 0x06054b50, bytes: 22 };
const LOCATOR = { signature: 0x07064b50, bytes: 20 };
const END64 = { signature: 0x06064b50, bytes: 56 };
const MAX_COMMENT_BYTES = 0xffff;
const IN_ZIP64 = 0xffffffff;
const ZIP64_FIELD = 1;

const ENCRYPTED = 1 | (1 << 6) | (1 << 13);
const PATCHED = 1 << 5;
/** Flag: checksum and sizes follow the data and are 0 in the local header. */
const SIZES_AFTER_DATA = 1 << 3;
const UTF8_NAME = 1 << 11;

export interface ZipMember {
  name: string;
  flags: number;
  /** 0: stored, 8: deflated. */
  method: number;
  /** CRC-32 of the decompressed data. */
  crc: number;
  /** Size in bytes: in the archive (packed), and decompressed (bytes). */
  packed: number;
  bytes: number;
  /** Byte offset in the archive: of its local header (offset), and of its data (position). */
  offset: number;
  position: number;
}

/** Describes why a member cannot be read; null if it can. */
export function unsupported({ flags, method }: ZipMember): string | null {
  if (flags & ENCRYPTED) return "an encrypted member";
  if (flags & PATCHED) return "a patch";
  return method === 0 || method === 8 ? null : `compression method ${method}`;
}

const WHERE = "zip directory";

/**
 * Reads the members of an archive in directory order. Rejects members that overlap or contradict their directory entry.
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function readZipMembers(file: InputFile): ZipMember[] {
  const fail = failing(file, WHERE);
  const { entries, bytes, start } = findDirectory(file, fail);
  checkLimit(file, WHERE, "maxMetadataBytes", bytes);
  checkLimit(file, WHERE, "maxColumns", entries);
  const members = parseDirectory(read(file, start, bytes), fail);
  if (members.length !== entries)
    fail(`expected ${entries} members, found ${members.length}`);
  let free = 0;
  for (const member of members.toSorted((a, b) => a.offset - b.offset)) {
    member.position = locateData(file, member, free, start);
    free = member.position + member.packed;
  }
  return members;
}

/** Position of the central directory, as an end record at byte `at` states it. */
interface Directory {
  entries: number;
  bytes: number;
  start: number;
  at: number;
}

/** Finds the central directory; it must end where the end records begin. */
function findDirectory(file: InputFile, fail: Fail): Directory {
  const length = Math.min(file.bytes, END.bytes + MAX_COMMENT_BYTES);
  const tail = read(file, file.bytes - length, length);
  // The last end record whose comment ends with the file.
  let k = length - END.bytes;
  const isEnd = () =>
    tail.readUInt32LE(k) === END.signature &&
    k + END.bytes + tail.readUInt16LE(k + 20) === length;
  while (k >= 0 && !isEnd()) k--;
  if (k < 0)
    fail(
      "the file is truncated, or its writer did not close it (it has no zip end record)",
    );
  const end = tail.subarray(k);
  const endAt = file.bytes - length + k;
  const directory = findEnd64(file, endAt, fail) ?? {
    entries: end.readUInt16LE(10),
    bytes: end.readUInt32LE(12),
    start: end.readUInt32LE(16),
    at: endAt,
  };
  const { bytes, start, at } = directory;
  if (start + bytes !== at)
    fail(
      `expected the directory to end at byte ${at}, found ${bytes} bytes from byte ${start}`,
    );
  return directory;
}

/** Reads the zip64 end record; null if no locator precedes the end record. */
function findEnd64(
  file: InputFile,
  endAt: number,
  fail: Fail,
): Directory | null {
  const locatorAt = endAt - LOCATOR.bytes;
  if (locatorAt < END64.bytes) return null;
  const locator = read(file, locatorAt, LOCATOR.bytes);
  if (locator.readUInt32LE(0) !== LOCATOR.signature) return null;
  const at = Number(locator.readBigUInt64LE(8));
  const fits = at <= locatorAt - END64.bytes;
  const record = fits ? read(file, at, END64.bytes) : Buffer.alloc(END64.bytes);
  const number = (field: number) => Number(record.readBigUInt64LE(field));
  if (
    record.readUInt32LE(0) !== END64.signature ||
    at + 12 + number(4) !== locatorAt
  )
    fail(`no zip64 end record at bytes ${at} to ${locatorAt}`);
  return { entries: number(32), bytes: number(40), start: number(48), at };
}

function parseDirectory(directory: Buffer, fail: Fail): ZipMember[] {
  const members = new Map<string, ZipMember>();
  for (let at = 0; at < directory.length; ) {
    const header = directory.subarray(at);
    const length =
      header.length < CENTRAL.bytes
        ? Number.POSITIVE_INFINITY
        : headerBytes(header, CENTRAL) + header.readUInt16LE(32);
    if (length > header.length || header.readUInt32LE(0) !== CENTRAL.signature)
      fail(`the entry at byte ${at} of ${directory.length} is damaged`);
    const member = parseHeader(header, CENTRAL);
    const { name } = member;
    if (Number.isNaN(member.bytes + member.packed + member.offset))
      fail(`member ${name}: the zip64 field with its sizes is missing`);
    if (members.has(name)) fail(`member ${name} is listed twice`);
    members.set(name, member);
    at += length;
  }
  return [...members.values()];
}

/** Fields that must be equal in both headers of a member; checksum and sizes only if the local header has them. */
const COMPARED: readonly [field: keyof ZipMember, title: string][] = [
  ["name", "name"],
  ["flags", "flags"],
  ["method", "method"],
  ["crc", "checksum"],
  ["packed", "compressed size"],
  ["bytes", "size"],
];

/** Checks the local header of a member, and returns the byte offset of its data. The member must lie in `[free, end)`. */
function locateData(
  file: InputFile,
  member: ZipMember,
  free: number,
  end: number,
): number {
  const { name, offset, packed, bytes, method } = member;
  const fail = failing(file, `member ${name}`);
  if (offset < free || offset >= end)
    fail(
      `expected its local header within bytes ${free} to ${end}, found byte ${offset}`,
    );
  const fixed = read(file, offset, Math.min(LOCAL.bytes, end - offset));
  if (fixed.length < LOCAL.bytes || fixed.readUInt32LE(0) !== LOCAL.signature)
    fail(`no local header at byte ${offset}`);
  const position = offset + headerBytes(fixed, LOCAL);
  if (position > end)
    fail(
      `expected a local header of ${position - offset} bytes, found ${end - offset}`,
    );
  const local = parseHeader(read(file, offset, position - offset), LOCAL);
  if (Number.isNaN(local.bytes + local.packed))
    fail("the zip64 field with its sizes is missing in its local header");
  const compared = COMPARED.slice(0, local.flags & SIZES_AFTER_DATA ? 3 : 6);
  for (const [field, title] of compared)
    if (local[field] !== member[field])
      fail(
        `expected the ${title} in its local header to be ${JSON.stringify(member[field])} as in the zip directory, found ${JSON.stringify(local[field])}`,
      );
  if (position + packed > end)
    fail(
      `expected at most ${end - position} bytes before the zip directory, found ${packed}`,
    );
  if (method === 0 && packed !== bytes)
    fail(`expected ${bytes} bytes stored without compression, found ${packed}`);
  return position;
}

function headerBytes(header: Buffer, { bytes, flags }: typeof LOCAL): number {
  return (
    bytes + header.readUInt16LE(flags + 20) + header.readUInt16LE(flags + 22)
  );
}

/** Parses a header; numbers missing from its zip64 extra field become NaN. */
function parseHeader(header: Buffer, form: typeof LOCAL): ZipMember {
  const fields = header.subarray(form.flags);
  const flags = fields.readUInt16LE(0);
  const nameEnd = form.bytes + fields.readUInt16LE(20);
  const name = header.subarray(form.bytes, nameEnd);
  let long = zip64Field(header.subarray(nameEnd, headerBytes(header, form)));
  const number = (short: number): number => {
    if (short !== IN_ZIP64) return short;
    if (long.length < 8) return Number.NaN;
    const value = Number(long.readBigUInt64LE());
    long = long.subarray(8);
    return Number.isSafeInteger(value) ? value : Number.NaN;
  };
  return {
    name: new TextDecoder(flags & UTF8_NAME ? "utf-8" : "latin1").decode(name),
    flags,
    method: fields.readUInt16LE(2),
    crc: fields.readUInt32LE(8),
    // These calls are in the order of the zip64 extra field.
    bytes: number(fields.readUInt32LE(16)),
    packed: number(fields.readUInt32LE(12)),
    offset: number(form === CENTRAL ? header.readUInt32LE(42) : 0),
    position: 0,
  };
}

/** Returns the data of the first zip64 extra field; empty if there is none. */
function zip64Field(extra: Buffer): Buffer {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === ZIP64_FIELD)
      return extra.subarray(at + 4, end);
    at = end;
  }
  return extra.subarray(0, 0);
}

function read(file: InputFile, position: number, bytes: number): Buffer {
  return Buffer.from(inputReader(file)(position, bytes).buffer);
}
