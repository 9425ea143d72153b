import { InputFormatError } from "../../errors.js";
import { FLAG, longNumbers, memberName, type ZipEntry } from "./zip-entry.js";

const LOCAL = 0x04034b50;
export const LOCAL_BYTES = 30;

/** With its name and its extra field, as its fixed part says. */
export function localHeaderBytes(fixed: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(fixed.buffer, fixed.byteOffset, fixed.byteLength);
  return LOCAL_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
}

/**
 * Checks the header before a member's bytes against its entry; returns where the bytes start, counted from the header.
 * `header` has its fixed part, name and extra field, or what there is of them.
 * @throws InputFormatError
 */
export function checkLocalHeader(
  path: string,
  entry: ZipEntry,
  header: Uint8Array<ArrayBuffer>,
): number {
  const fail = (text: string): never => {
    throw new InputFormatError(path, `member ${entry.name}`, text);
  };
  const view = new DataView(
    header.buffer,
    header.byteOffset,
    header.byteLength,
  );
  if (header.length < LOCAL_BYTES || view.getUint32(0, true) !== LOCAL)
    return fail(`no local header at byte ${entry.offset}`);
  const nameBytes = view.getUint16(26, true);
  const start = localHeaderBytes(header);
  if (start > header.length)
    return fail(
      `expected a local header of ${start} bytes, found ${header.length}`,
    );
  const flags = view.getUint16(6, true);
  const name = memberName(
    header.subarray(LOCAL_BYTES, LOCAL_BYTES + nameBytes),
    flags,
  );
  const [bytes, packed] =
    longNumbers(
      header.subarray(LOCAL_BYTES + nameBytes, start),
      [22, 18].map((k) => view.getUint32(k, true)),
    ) ?? fail("the zip64 field with its sizes is missing in its local header");
  const own = [
    name,
    flags,
    view.getUint16(8, true),
    view.getUint32(14, true),
    packed,
    bytes,
  ];
  const directory = [
    entry.name,
    entry.flags,
    entry.method,
    entry.crc,
    entry.packed,
    entry.bytes,
  ];
  // Writers that cannot go back leave the checksum and the sizes 0, and put them behind the bytes.
  const compared = flags & FLAG.sizesBehind ? 3 : 6;
  const k = directory
    .slice(0, compared)
    .findIndex((value, k) => value !== own[k]);
  if (k >= 0)
    fail(
      `expected the ${["name", "flags", "method", "checksum", "compressed size", "size"][k]} in its local header to be ${JSON.stringify(directory[k])} as in the zip directory, found ${JSON.stringify(own[k])}`,
    );
  return start;
}
