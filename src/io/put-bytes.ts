import { readSync } from "node:fs";
import { writeFully } from "./positional.js";

/** A file that is written, or that is compared with what would be written. */
export interface PutTarget {
  fd: number;
  compare: boolean;
  /** Where bytes leave in order: memory that has a part of the file, position p of it at p modulo its length. */
  ring?: SharedArrayBuffer | null;
}

/** A file has another byte than the one that belongs there. */
export class DifferentByte extends Error {
  constructor(
    /** Byte of the file. */
    readonly position: number,
    readonly expected: number,
    /** null: the file has ended. */
    readonly found: number | null,
  ) {
    super(
      `byte ${position}: expected ${expected}, found ${found ?? "the end"}`,
    );
  }
}

/** Read at once when comparing. */
const COMPARE_BYTES = 1 << 20;

/** Writes all of `source` at `position`, or makes sure that it stands there. @throws DifferentByte */
export function putBytes(
  { fd, compare, ring }: PutTarget,
  source: Uint8Array,
  position: number,
): void {
  if (ring) putRound(new Uint8Array(ring), source, position);
  else if (compare) compareBytes(fd, source, position);
  else writeFully(fd, source, position);
}

function putRound(
  ring: Uint8Array,
  source: Uint8Array,
  position: number,
): void {
  const at = position % ring.byteLength;
  const first = Math.min(source.byteLength, ring.byteLength - at);
  ring.set(source.subarray(0, first), at);
  ring.set(source.subarray(first), 0);
}

function compareBytes(fd: number, source: Uint8Array, position: number): void {
  const found = Buffer.allocUnsafe(Math.min(source.byteLength, COMPARE_BYTES));
  for (let done = 0; done < source.byteLength; ) {
    const want = Math.min(found.byteLength, source.byteLength - done);
    const read = readSync(fd, found, 0, want, position + done);
    const length = Math.max(read, 1);
    const expected = source.subarray(done, done + length);
    if (read === 0 || !found.subarray(0, read).equals(expected)) {
      const at = expected.findIndex(
        (byte, k) => read === 0 || byte !== found[k],
      );
      throw new DifferentByte(
        position + done + at,
        expected[at] as number,
        read === 0 ? null : (found[at] as number),
      );
    }
    done += read;
  }
}
