import { InputFormatError } from "../../errors.js";
import { longNumbers, memberName, type ZipEntry } from "./zip-entry.js";

const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;

/** The `count` entries of a directory. @throws InputFormatError */
export function zipEntries(
  path: string,
  directory: Uint8Array<ArrayBuffer>,
  count: number,
): ZipEntry[] {
  const entries: ZipEntry[] = [];
  const fail = (text: string): never => {
    throw new InputFormatError(path, "zip directory", text);
  };
  const view = new DataView(directory.buffer);
  let at = 0;
  while (at < directory.length) {
    const bytes =
      at + CENTRAL_BYTES <= directory.length &&
      view.getUint32(at, true) === CENTRAL
        ? entryBytes(view, at)
        : 0;
    if (bytes === 0 || at + bytes > directory.length)
      return fail(`the entry at byte ${at} of ${directory.length} is damaged`);
    entries.push(centralEntry(directory, at, fail));
    at += bytes;
  }
  if (entries.length !== count)
    fail(`expected ${count} members, found ${entries.length}`);
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) fail(`member ${name} is listed twice`);
    names.add(name);
  }
  return entries;
}

function entryBytes(view: DataView, at: number): number {
  const variable = [28, 30, 32].map((k) => view.getUint16(at + k, true));
  return variable.reduce((sum, bytes) => sum + bytes, CENTRAL_BYTES);
}

function centralEntry(
  directory: Uint8Array<ArrayBuffer>,
  at: number,
  fail: (text: string) => never,
): ZipEntry {
  const view = new DataView(directory.buffer, at);
  const flags = view.getUint16(8, true);
  const nameBytes = view.getUint16(28, true);
  const name = memberName(
    directory.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes),
    flags,
  );
  const extra = directory
    .subarray(at + CENTRAL_BYTES + nameBytes)
    .subarray(0, view.getUint16(30, true));
  const [bytes, packed, offset] =
    longNumbers(
      extra,
      [24, 20, 42].map((k) => view.getUint32(k, true)),
    ) ?? fail(`member ${name}: the zip64 field with its sizes is missing`);
  if (view.getUint16(34, true) !== 0)
    fail(
      `member ${name} is in another file; archives in several files are not supported`,
    );
  return {
    name,
    flags,
    method: view.getUint16(10, true),
    crc: view.getUint32(16, true),
    packed: packed as number,
    bytes: bytes as number,
    offset: offset as number,
  };
}
