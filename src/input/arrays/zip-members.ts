import { pipeline, Readable } from "node:stream";
import { crc32, createInflateRaw } from "node:zlib";
import { AbortedError, InputFormatError } from "../../errors.js";
import type { InputFile } from "../input-file.js";
import { readInput } from "../read-input.js";
import type { ZipDirectory } from "./zip-directory.js";
import type { ZipEntry } from "./zip-entry.js";
import {
  checkLocalHeader,
  LOCAL_BYTES,
  localHeaderBytes,
} from "./zip-local.js";

/** A member whose bytes are found, and stand inside the archive where no other's do. */
export interface ZipMember extends ZipEntry {
  /** Where its bytes start. */
  position: number;
}

/** Bytes read, and unpacked, at once. */
const PIECE_BYTES = 1 << 20;

/**
 * The members of a directory, checked against what stands before their bytes.
 * @throws InputFormatError, IoError
 */
export function locateMembers(
  file: InputFile,
  { entries, start }: ZipDirectory,
): ZipMember[] {
  const { path } = file;
  let free = 0;
  const located = new Map<ZipEntry, ZipMember>();
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    const { name, offset, packed, bytes, method } = entry;
    const where = `member ${name}`;
    if (offset < free || offset >= start)
      throw new InputFormatError(
        path,
        where,
        `expected its local header within bytes ${free} to ${start}, found byte ${offset}`,
      );
    const header = readLocalHeader(file, offset, start);
    const position = offset + checkLocalHeader(path, entry, header);
    free = position + packed;
    if (free > start || (method === 0 && packed !== bytes))
      throw new InputFormatError(
        path,
        where,
        free > start
          ? `expected at most ${start - position} bytes before the zip directory, found ${packed}`
          : `expected ${bytes} bytes stored without compression, found ${packed}`,
      );
    located.set(entry, { ...entry, position });
  }
  return entries.map((entry) => located.get(entry) as ZipMember);
}

/** A local header, or what there is of it before `end`: no more is read, since there may be a million of them. */
function readLocalHeader(
  file: InputFile,
  offset: number,
  end: number,
): Uint8Array<ArrayBuffer> {
  const fixed = new Uint8Array(Math.min(LOCAL_BYTES, end - offset));
  readInput(file, fixed, offset);
  if (fixed.length < LOCAL_BYTES) return fixed;
  const bytes = Math.min(localHeaderBytes(fixed), end - offset);
  const header = new Uint8Array(bytes);
  readInput(file, header, offset);
  return header;
}

/**
 * The bytes of a member, unpacked, piece by piece: exactly as many as the directory says, the whole of them with its
 * checksum. Who stops before the end has bytes that nothing vouches for.
 * @throws InputFormatError, IoError, AbortedError
 */
export async function* memberBytes(
  file: InputFile,
  member: ZipMember,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { bytes, crc } = member;
  const fail = (text: string, options?: ErrorOptions): never => {
    throw new InputFormatError(
      file.path,
      `member ${member.name}`,
      text,
      options,
    );
  };
  const pieces =
    member.method === 0
      ? packedBytes(file, member)
      : inflatedBytes(file, member, fail);
  let done = 0;
  let found = 0;
  for await (const piece of pieces) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    done += piece.length;
    if (done > bytes)
      fail(
        `expected ${bytes} bytes as declared in the zip directory, found more`,
      );
    found = crc32(piece, found);
    yield piece;
  }
  if (done !== bytes)
    fail(
      `expected ${bytes} bytes as declared in the zip directory, found ${done}`,
    );
  if (found !== crc) fail(`expected checksum ${hex(crc)}, found ${hex(found)}`);
}

function* packedBytes(
  file: InputFile,
  { position, packed }: ZipMember,
): Generator<Uint8Array> {
  for (let at = 0; at < packed; at += PIECE_BYTES) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, packed - at));
    readInput(file, piece, position + at);
    yield piece;
  }
}

async function* inflatedBytes(
  file: InputFile,
  member: ZipMember,
  fail: (text: string, options?: ErrorOptions) => never,
): AsyncGenerator<Uint8Array> {
  // Small members, such as labels of a few rows, need no large piece; zlib takes none under 64 bytes.
  const inflate = createInflateRaw({
    chunkSize: Math.min(PIECE_BYTES, Math.max(64, member.bytes + 1)),
  });
  // Failures reach who reads `inflate`; the callback is only there so that nobody else must hear of them.
  pipeline(Readable.from(packedBytes(file, member)), inflate, () => {});
  try {
    yield* inflate as AsyncIterable<Uint8Array>;
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (!code.startsWith("Z_")) throw cause;
    fail(`the compressed data is damaged (${(cause as Error).message})`, {
      cause,
    });
  }
  // Bytes behind the end of the deflated ones would be passed over.
  if (inflate.bytesWritten !== member.packed)
    fail(
      `expected ${member.packed} bytes of compressed data, found ${inflate.bytesWritten}`,
    );
}

function hex(checksum: number): string {
  return `0x${checksum.toString(16).padStart(8, "0")}`;
}
