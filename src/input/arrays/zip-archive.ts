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
//   local header                                      26    28                 30 + name + extra
//   central header     8     10     16     20    24   28    30      32    42   46 + name + extra + comment
//
// The local header repeats the other fields. They are not compared: the checksum of the data proves that it was found. A number
// that does not fit its field is in the zip64 end record or the zip64 extra field; all bits of its field are then 1.

const LOCAL = { signature: 0x04034b50, bytes: 30 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const END = { signature: 0x06054b50, bytes: 22 };
const LOCATOR = { signature: 0x07064b50, bytes: 20 };
const END64 = { signature: 0x06064b50, bytes: 56 };
const MAX_COMMENT_BYTES = 0xffff;
const IN_ZIP64 = 0xffffffff;
const ZIP64_FIELD = 1;

const ENCRYPTED = 1 | (1 << 6) | (1 << 13);
const UTF8_NAME = 1 << 11;

export interface ZipMember {
  name: string;
  isEncrypted: boolean;
  /** 0: stored, 8: deflated. */
  method: number;
  /** CRC-32 of the decompressed data. */
  crc: number;
  /** Size in bytes: in the archive (packed), and decompressed (bytes). */
  packed: number;
  bytes: number;
  /** Byte offset of its data in the archive. */
  position: number;
}

const WHERE = "zip directory";

/** Reads the members of an archive in directory order. @throws InputFormatError, InputUnsupportedError, IoError */
export function readZipMembers(file: InputFile): ZipMember[] {
  const fail = failing(file, WHERE);
  const { entries, bytes, start } = findDirectory(file, fail);
  checkLimit(file, WHERE, "maxMetadataBytes", "bytes of metadata", bytes);
  checkLimit(file, WHERE, "maxColumns", "columns", entries);
  const directory = read(file, start, bytes);
  const members: ZipMember[] = [];
  for (let at = 0; at < bytes; ) {
    const header = directory.subarray(at);
    const length =
      header.length < CENTRAL.bytes
        ? Number.POSITIVE_INFINITY
        : extraEnd(header) + header.readUInt16LE(32);
    if (length > header.length || header.readUInt32LE(0) !== CENTRAL.signature)
      fail(`the entry at byte ${at} of ${bytes} is damaged`);
    const member = parseHeader(header);
    if (Number.isNaN(member.bytes + member.packed + member.position))
      fail(`member ${member.name}: the zip64 field with its sizes is missing`);
    member.position = dataOf(file, member, start);
    members.push(member);
    at += length;
  }
  if (members.length !== entries)
    fail(`expected ${entries} members, found ${members.length}`);
  return members;
}

/** Position of the central directory. */
interface Directory {
  entries: number;
  bytes: number;
  start: number;
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
  const long = findEnd64(file, endAt, fail);
  const entries = long?.entries ?? end.readUInt16LE(10);
  const bytes = long?.bytes ?? end.readUInt32LE(12);
  const start = long?.start ?? end.readUInt32LE(16);
  const at = long?.at ?? endAt;
  if (start + bytes !== at)
    fail(
      `expected the directory to end at byte ${at}, found ${bytes} bytes from byte ${start}`,
    );
  return { entries, bytes, start };
}

/** Reads the zip64 end record at byte `at`; null if no locator precedes the end record. */
function findEnd64(
  file: InputFile,
  endAt: number,
  fail: Fail,
): (Directory & { at: number }) | null {
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

/** Returns the byte offset of a member's data, which is before byte `end`, behind its local header at byte `position`. */
function dataOf(
  file: InputFile,
  { name, position, packed }: ZipMember,
  end: number,
): number {
  const fail = failing(file, `member ${name}`);
  const fits = position + LOCAL.bytes <= end;
  const header = fits ? read(file, position, LOCAL.bytes) : null;
  if (header?.readUInt32LE(0) !== LOCAL.signature)
    return fail(`no local header at byte ${position}`);
  const start =
    position + LOCAL.bytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (start + packed > end)
    fail(
      `expected at most ${end - start} bytes before the zip directory, found ${packed}`,
    );
  return start;
}

/** Parses a central header; numbers missing from its zip64 extra field become NaN, and `position` is that of the local header. */
function parseHeader(header: Buffer): ZipMember {
  const flags = header.readUInt16LE(8);
  const nameEnd = CENTRAL.bytes + header.readUInt16LE(28);
  const name = header.subarray(CENTRAL.bytes, nameEnd);
  let long = zip64Field(header.subarray(nameEnd, extraEnd(header)));
  const number = (field: number): number => {
    const short = header.readUInt32LE(field);
    if (short !== IN_ZIP64) return short;
    if (long.length < 8) return Number.NaN;
    const value = Number(long.readBigUInt64LE());
    long = long.subarray(8);
    return Number.isSafeInteger(value) ? value : Number.NaN;
  };
  return {
    name: new TextDecoder(flags & UTF8_NAME ? "utf-8" : "latin1").decode(name),
    isEncrypted: (flags & ENCRYPTED) !== 0,
    method: header.readUInt16LE(10),
    crc: header.readUInt32LE(16),
    // These calls are in the order of the zip64 extra field.
    bytes: number(24),
    packed: number(20),
    position: number(42),
  };
}

/** Returns the end of a central header's name and extra fields. */
function extraEnd(header: Buffer): number {
  return CENTRAL.bytes + header.readUInt16LE(28) + header.readUInt16LE(30);
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
