import type { InputFile } from "../input-file.js";
import { checkLimit } from "../limits.js";
import {
  type Fail,
  failing,
  findDirectory,
  IN_ZIP64,
  read,
  WHERE,
} from "./zip-directory.js";

// A member of a zip archive has a local header before its data, and a central header in the directory. Byte offsets of the
// fields that are read:
//
//                   flags method CRC-32 packed bytes name extra comment disk offset
//   local header       6      8     14     18    22   26    28                         30 + name + extra
//   central header     8     10     16     20    24   28    30      32   34     42     46 + name + extra + comment
//
// A number that does not fit its field is in the zip64 extra field instead; all bits of its field are set then.

const LOCAL = { signature: 0x04034b50, bytes: 30, flags: 6 };
const CENTRAL = { signature: 0x02014b50, bytes: 46, flags: 8 };
const ZIP64_FIELD = 1;

const ENCRYPTED = 1 | (1 << 6) | (1 << 13);
const PATCHED = 1 << 5;
/** Checksum and sizes follow the data; those in the local header are 0. */
const SIZES_BEHIND = 1 << 3;
const UTF8_NAME = 1 << 11;

/** Member of an archive. */
export interface ZipMember {
  name: string;
  flags: number;
  /** 0: stored, 8: deflated. */
  method: number;
  /** CRC-32 of the decompressed data. */
  crc: number;
  /** Size in bytes, in the archive and decompressed. */
  packed: number;
  bytes: number;
  /** Byte offset of its local header in the archive, and of its data. */
  offset: number;
  position: number;
}

/** Returns what keeps a member from being read, or null. */
export function unsupported({ flags, method }: ZipMember): string | null {
  if (flags & ENCRYPTED) return "an encrypted member";
  if (flags & PATCHED) return "a patch";
  return method === 0 || method === 8 ? null : `compression method ${method}`;
}

/**
 * Reads the members of an archive, in the order of its directory. Rejects archives whose members overlap, or differ from
 * their entry in the directory.
 * @throws InputFormatError, InputUnsupportedError (an archive in several files), IoError
 */
export function readZipMembers(file: InputFile): ZipMember[] {
  const fail = failing(file, WHERE);
  const { entries, bytes, start } = findDirectory(file);
  checkLimit(file, WHERE, "maxMetadataBytes", "bytes of metadata", bytes);
  checkLimit(file, WHERE, "maxColumns", "columns", entries);
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

function parseDirectory(directory: Buffer, fail: Fail): ZipMember[] {
  const members: ZipMember[] = [];
  const names = new Set<string>();
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
    if (header.readUInt16LE(34) !== 0)
      fail(
        `member ${name} is in another file; archives in several files are not supported, write the arrays to one file`,
      );
    if (names.has(name)) fail(`member ${name} is listed twice`);
    names.add(name);
    members.push(member);
    at += length;
  }
  return members;
}

/** Checks the local header of a member; returns the byte offset of its data, which end before `end`. */
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
  const compared = {
    name: "name",
    flags: "flags",
    method: "method",
    ...(!(local.flags & SIZES_BEHIND) && {
      crc: "checksum",
      packed: "compressed size",
      bytes: "size",
    }),
  };
  if (Number.isNaN(local.bytes + local.packed))
    fail("the zip64 field with its sizes is missing in its local header");
  for (const [field, title] of Object.entries(compared)) {
    const [expected, found] = [member, local].map(
      (header) => header[field as keyof typeof compared],
    );
    if (found !== expected)
      fail(
        `expected the ${title} in its local header to be ${JSON.stringify(expected)} as in the zip directory, found ${JSON.stringify(found)}`,
      );
  }
  if (position + packed > end)
    fail(
      `expected at most ${end - position} bytes before the zip directory, found ${packed}`,
    );
  if (method === 0 && packed !== bytes)
    fail(`expected ${bytes} bytes stored without compression, found ${packed}`);
  return position;
}

/** Returns the length of a header with its name and its extra field. */
function headerBytes(header: Buffer, { bytes, flags }: typeof LOCAL): number {
  return (
    bytes + header.readUInt16LE(flags + 20) + header.readUInt16LE(flags + 22)
  );
}

/** Parses a header; numbers that its zip64 extra field lacks are NaN. */
function parseHeader(header: Buffer, form: typeof LOCAL): ZipMember {
  const fields = header.subarray(form.flags);
  const flags = fields.readUInt16LE(0);
  const nameEnd = form.bytes + fields.readUInt16LE(20);
  const encoding = flags & UTF8_NAME ? "utf-8" : "latin1";
  const extra = header.subarray(nameEnd, headerBytes(header, form));
  const next = zip64Numbers(extra);
  const number = (short: number) => (short === IN_ZIP64 ? next() : short);
  return {
    name: new TextDecoder(encoding).decode(
      header.subarray(form.bytes, nameEnd),
    ),
    flags,
    method: fields.readUInt16LE(2),
    crc: fields.readUInt32LE(8),
    // In the order of the zip64 extra field.
    bytes: number(fields.readUInt32LE(16)),
    packed: number(fields.readUInt32LE(12)),
    offset: number(form === CENTRAL ? header.readUInt32LE(42) : 0),
    position: 0,
  };
}

/** Returns the numbers of a zip64 extra field one by one, NaN after the last. */
function zip64Numbers(extra: Buffer): () => number {
  let field = extra.subarray(0, 0);
  for (let at = 0; at + 4 <= extra.length && field.length === 0; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === ZIP64_FIELD)
      field = extra.subarray(at + 4, end);
    at = end;
  }
  return () => {
    if (field.length < 8) return Number.NaN;
    const number = Number(field.readBigUInt64LE());
    field = field.subarray(8);
    return Number.isSafeInteger(number) ? number : Number.NaN;
  };
}
