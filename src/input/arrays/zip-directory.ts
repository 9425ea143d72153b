import { InputFormatError, InputUnsupportedError } from "../../errors.js";
import type { InputFile } from "../input-file.js";
import { checkLimit } from "../limits.js";
import { readInput } from "../read-input.js";
import { zipEntries } from "./zip-central.js";
import type { ZipEntry } from "./zip-entry.js";

// A zip archive (APPNOTE.TXT, 4.3) is found from its end:
//
//   members | directory | [zip64 end record | zip64 locator] | end record | comment
//
// The zip64 records are there where a number does not fit the end record, which then has all its bits set.

const END = 0x06054b50;
const END_BYTES = 22;
const LOCATOR = 0x07064b50;
const LOCATOR_BYTES = 20;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const MAX_COMMENT_BYTES = 0xffff;

const WHERE = "zip directory";

/** Where the directory stands, by an end record. */
interface End {
  entries: number;
  bytes: number;
  start: number;
}

export interface ZipDirectory {
  entries: ZipEntry[];
  start: number;
}

/**
 * The directory of a zip archive: what stands in it, before it is compared with the members themselves.
 * @throws InputFormatError, InputUnsupportedError (an archive in several files), IoError
 */
export function readZipDirectory(file: InputFile): ZipDirectory {
  const { path } = file;
  const at = findEnd(file);
  const record = view(file, at, END_BYTES);
  refuseDisks(
    path,
    record.getUint32(4, true),
    record.getUint16(8, true),
    record.getUint16(10, true),
  );
  const end: End = {
    entries: record.getUint16(10, true),
    bytes: record.getUint32(12, true),
    start: record.getUint32(16, true),
  };
  const long = findEnd64(file, at);
  if (long) {
    const { entries, bytes, start } = long.end;
    const same =
      isShort(end.entries, 0xffff, entries) &&
      isShort(end.bytes, 0xffffffff, bytes) &&
      isShort(end.start, 0xffffffff, start);
    if (!same)
      throw new InputFormatError(
        path,
        WHERE,
        `the end record (${end.entries} members, ${end.bytes} bytes from byte ${end.start}) contradicts the zip64 end record (${entries} members, ${bytes} bytes from byte ${start})`,
      );
  }
  const { entries, bytes, start } = long?.end ?? end;
  const behind = long?.at ?? at;
  if (start + bytes !== behind)
    throw new InputFormatError(
      path,
      WHERE,
      `expected the directory to end at byte ${behind}, found ${bytes} bytes from byte ${start}`,
    );
  checkLimit(file, WHERE, "maxMetadataBytes", "bytes of metadata", bytes);
  checkLimit(file, WHERE, "maxColumns", "columns", entries);
  const encoded = new Uint8Array(bytes);
  readInput(file, encoded, start);
  return { entries: zipEntries(path, encoded, entries), start };
}

/** Where the end record starts: the last that says where the file ends. */
function findEnd(file: InputFile): number {
  const room = Math.min(file.bytes, END_BYTES + MAX_COMMENT_BYTES);
  const tail = view(file, file.bytes - room, room);
  for (let k = room - END_BYTES; k >= 0; k--)
    if (
      tail.getUint32(k, true) === END &&
      k + END_BYTES + tail.getUint16(k + 20, true) === room
    )
      return file.bytes - room + k;
  throw new InputFormatError(
    file.path,
    WHERE,
    "the file is truncated, or its writer did not close it (it has no zip end record)",
  );
}

/** The zip64 end record, where a locator stands before the end record at `endAt`. */
function findEnd64(
  file: InputFile,
  endAt: number,
): { at: number; end: End } | null {
  const locatorAt = endAt - LOCATOR_BYTES;
  if (locatorAt < END64_BYTES) return null;
  const locator = view(file, locatorAt, LOCATOR_BYTES);
  if (locator.getUint32(0, true) !== LOCATOR) return null;
  const at = Number(locator.getBigUint64(8, true));
  const fits = at <= locatorAt - END64_BYTES;
  const record = fits ? view(file, at, END64_BYTES) : null;
  const bytes = record ? Number(record.getBigUint64(4, true)) : 0;
  if (record?.getUint32(0, true) !== END64 || at + 12 + bytes !== locatorAt)
    throw new InputFormatError(
      file.path,
      WHERE,
      `no zip64 end record at bytes ${at} to ${locatorAt}`,
    );
  const number = (place: number) => Number(record.getBigUint64(place, true));
  refuseDisks(file.path, record.getUint32(16, true), number(24), number(32));
  if (locator.getUint32(4, true) !== 0) refuseDisks(file.path, 1, 0, 0);
  return {
    at,
    end: { entries: number(32), bytes: number(40), start: number(48) },
  };
}

function isShort(short: number, all: number, long: number): boolean {
  return short === all || short === long;
}

function refuseDisks(
  path: string,
  disks: number,
  entriesHere: number,
  entries: number,
): void {
  if (disks !== 0 || entriesHere !== entries)
    throw new InputUnsupportedError(
      path,
      WHERE,
      "archives in several files are not supported",
    );
}

function view(file: InputFile, position: number, bytes: number): DataView {
  const found = new Uint8Array(bytes);
  readInput(file, found, position);
  return new DataView(found.buffer);
}
