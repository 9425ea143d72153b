// An entry of a zip archive's directory (APPNOTE.TXT, 4.3.12), and the header before the member's own bytes (4.3.7): the
// same numbers twice.

/** A number that stands in the zip64 extra field instead. */
const ELSEWHERE = 0xffffffff;
const ZIP64_FIELD = 1;

/** General purpose bits: encrypted; sizes behind the bytes; patched; strongly encrypted; name in UTF-8; masked. */
export const FLAG = {
  encrypted: 1,
  sizesBehind: 1 << 3,
  patched: 1 << 5,
  strong: 1 << 6,
  utf8: 1 << 11,
  masked: 1 << 13,
} as const;

/** A member, as the directory describes it. */
export interface ZipEntry {
  name: string;
  flags: number;
  /** 0: stored, 8: deflated. */
  method: number;
  crc: number;
  /** Bytes in the archive, and unpacked. */
  packed: number;
  bytes: number;
  /** Where its local header starts. */
  offset: number;
}

export function isReadable({ flags, method }: ZipEntry): boolean {
  const { encrypted, patched, strong, masked } = FLAG;
  const other = encrypted | patched | strong | masked;
  return (flags & other) === 0 && (method === 0 || method === 8);
}

export function describeMethod({ flags, method }: ZipEntry): string {
  return flags & (FLAG.encrypted | FLAG.strong | FLAG.masked)
    ? "an encrypted member"
    : flags & FLAG.patched
      ? "a patch"
      : `compression method ${method}`;
}

/** Numbers of 32 bits; those that are elsewhere, in this order, from the zip64 extra field. null: not there. */
export function longNumbers(
  extra: Uint8Array<ArrayBuffer>,
  numbers: number[],
): number[] | null {
  if (!numbers.includes(ELSEWHERE)) return numbers;
  const view = new DataView(extra.buffer, extra.byteOffset, extra.byteLength);
  let at = 0;
  while (at + 4 <= extra.length) {
    const end = at + 4 + view.getUint16(at + 2, true);
    if (view.getUint16(at, true) !== ZIP64_FIELD) {
      at = end;
      continue;
    }
    let next = at + 4;
    const long = numbers.map((number) => {
      if (number !== ELSEWHERE) return number;
      next += 8;
      return next <= Math.min(end, extra.length)
        ? Number(view.getBigUint64(next - 8, true))
        : Number.NaN;
    });
    return long.every(Number.isSafeInteger) ? long : null;
  }
  return null;
}

export function memberName(encoded: Uint8Array, flags: number): string {
  return new TextDecoder(flags & FLAG.utf8 ? "utf-8" : "latin1").decode(
    encoded,
  );
}
