import { InputFormatError, InputUnsupportedError } from "../../errors.js";
import type { InputFile } from "../input-file.js";
import { readInput } from "../read-input.js";

// A zip archive (APPNOTE.TXT, section 4.3) is read from its end:
//
//   members | central directory | [zip64 end record | zip64 locator] | end record | comment
//
// A number that does not fit the end record is in the zip64 end record instead; all bits of its field are set then.

const END = { signature: 0x06054b50, bytes: 22 };
const LOCATOR = { signature: 0x07064b50, bytes: 20 };
const END64 = { signature: 0x06064b50, bytes: 56 };
const MAX_COMMENT_BYTES = 0xffff;

/** Value of a field of 32 bits whose number is elsewhere. */
export const IN_ZIP64 = 0xffffffff;

export const WHERE = "zip directory";

interface Directory {
  entries: number;
  bytes: number;
  start: number;
}

export type Fail = (text: string, options?: ErrorOptions) => never;

/**
 * Finds the central directory of an archive, which ends where the end records begin.
 * @throws InputFormatError, InputUnsupportedError (an archive in several files), IoError
 */
export function findDirectory(file: InputFile): Directory {
  const fail = failing(file, WHERE);
  const endAt = findEndRecord(file, fail);
  const record = read(file, endAt, END.bytes);
  const end = {
    entries: record.readUInt16LE(10),
    bytes: record.readUInt32LE(12),
    start: record.readUInt32LE(16),
  };
  rejectSplit(file, record.readUInt32LE(4), record.readUInt16LE(8), end);
  const long = findEnd64(file, endAt, fail);
  const { entries, bytes, start } = long?.directory ?? end;
  if (
    (end.entries !== entries && end.entries !== 0xffff) ||
    (end.bytes !== bytes && end.bytes !== IN_ZIP64) ||
    (end.start !== start && end.start !== IN_ZIP64)
  )
    fail(
      `the end record (${end.entries} members, ${end.bytes} bytes from byte ${end.start}) contradicts the zip64 end record (${entries} members, ${bytes} bytes from byte ${start})`,
    );
  const directoryEnd = long?.at ?? endAt;
  if (start + bytes !== directoryEnd)
    fail(
      `expected the directory to end at byte ${directoryEnd}, found ${bytes} bytes from byte ${start}`,
    );
  return { entries, bytes, start };
}

/** Returns the byte offset of the last end record whose comment ends with the file. */
function findEndRecord(file: InputFile, fail: Fail): number {
  const length = Math.min(file.bytes, END.bytes + MAX_COMMENT_BYTES);
  const tail = read(file, file.bytes - length, length);
  for (let k = length - END.bytes; k >= 0; k--)
    if (
      tail.readUInt32LE(k) === END.signature &&
      k + END.bytes + tail.readUInt16LE(k + 20) === length
    )
      return file.bytes - length + k;
  return fail(
    "the file is truncated, or its writer did not close it (it has no zip end record)",
  );
}

/** Reads the zip64 end record, if there is a locator before the end record. */
function findEnd64(
  file: InputFile,
  endAt: number,
  fail: Fail,
): { at: number; directory: Directory } | null {
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
  const directory = {
    entries: number(32),
    bytes: number(40),
    start: number(48),
  };
  const disks = record.readUInt32LE(16) + locator.readUInt32LE(4);
  rejectSplit(file, disks, number(24), directory);
  return { at, directory };
}

function rejectSplit(
  { path }: InputFile,
  disks: number,
  entriesHere: number,
  { entries }: Directory,
): void {
  if (disks !== 0 || entriesHere !== entries)
    throw new InputUnsupportedError(
      path,
      WHERE,
      "archives in several files are not supported; write the arrays to one file",
    );
}

export function read(file: InputFile, position: number, bytes: number): Buffer {
  const target = Buffer.allocUnsafe(bytes);
  readInput(file, target, position);
  return target;
}

/** Returns a function that rejects the file. */
export function failing({ path }: InputFile, where: string): Fail {
  return (text, options) => {
    throw new InputFormatError(path, where, text, options);
  };
}
