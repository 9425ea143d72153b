import { pipeline, Readable } from "node:stream";
import { constants, crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { AbortedError } from "../../errors.js";
import type { InputFile } from "../input-file.js";
import { readInput } from "../read-input.js";
import { type Fail, failing, type ZipMember } from "./zip-archive.js";

/** Bytes read and decompressed at once. */
const PIECE_BYTES = 1 << 20;

/** Deflate adds less than this to data that it cannot compress. */
const MAX_OVERHEAD_BYTES = 1024;

/** Deflate compresses to a thousandth at best, so no head reaches this. */
const MAX_INFLATED_BYTES = 8 << 20;

/**
 * Returns the first `bytes` of a member, or all of a shorter one, whose checksum is verified.
 * @throws InputFormatError, IoError
 */
export async function memberHead(
  file: InputFile,
  member: ZipMember,
  bytes: number,
): Promise<Uint8Array> {
  const head = member.method === 0 ? null : inflateHead(file, member, bytes);
  if (head) return head;
  const pieces: Uint8Array[] = [];
  let found = 0;
  for await (const piece of memberData(file, member)) {
    pieces.push(piece);
    found += piece.length;
    if (found >= bytes) break;
  }
  return new Uint8Array(Buffer.concat(pieces).subarray(0, bytes));
}

/**
 * Decompresses a head synchronously, since a stream takes a millisecond to set up and an archive may have a million
 * members. Returns null if that is not enough or something is wrong; memberData() then reports the error.
 */
function inflateHead(
  file: InputFile,
  member: ZipMember,
  bytes: number,
): Uint8Array | null {
  const packed = new Uint8Array(
    Math.min(member.packed, bytes + MAX_OVERHEAD_BYTES),
  );
  readInput(file, packed, member.position);
  const isWhole = member.bytes <= bytes && packed.length === member.packed;
  try {
    const { buffer, engine } = inflateRawSync(packed, {
      info: true,
      maxOutputLength: MAX_INFLATED_BYTES,
      finishFlush: isWhole ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    const isRight = isWhole
      ? buffer.length === member.bytes &&
        engine.bytesWritten === member.packed &&
        crc32(buffer) === member.crc
      : buffer.length >= bytes && buffer.length <= member.bytes;
    return isRight ? new Uint8Array(buffer.subarray(0, bytes)) : null;
  } catch {
    return null;
  }
}

/**
 * Decompresses a member piece by piece: as many bytes as its header declares, whose checksum is verified at the end.
 * @throws InputFormatError, IoError, AbortedError
 */
export async function* memberData(
  file: InputFile,
  member: ZipMember,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { bytes, crc } = member;
  const fail = failing(file, `member ${member.name}`);
  const packed = packedData(file, member);
  const pieces = member.method === 0 ? packed : inflate(packed, member, fail);
  let done = 0;
  let checksum = 0;
  for await (const piece of pieces) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    done += piece.length;
    if (done > bytes)
      fail(
        `expected ${bytes} bytes as declared in the zip directory, found more`,
      );
    checksum = crc32(piece, checksum);
    yield piece;
  }
  if (done !== bytes)
    fail(
      `expected ${bytes} bytes as declared in the zip directory, found ${done}`,
    );
  if (checksum !== crc)
    fail(`expected checksum ${hex(crc)}, found ${hex(checksum)}`);
}

function* packedData(
  file: InputFile,
  { position, packed }: ZipMember,
): Generator<Uint8Array> {
  for (let at = 0; at < packed; at += PIECE_BYTES) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, packed - at));
    readInput(file, piece, position + at);
    yield piece;
  }
}

async function* inflate(
  pieces: Iterable<Uint8Array>,
  { packed, bytes }: ZipMember,
  fail: Fail,
): AsyncGenerator<Uint8Array> {
  // Small members need no large buffer; zlib accepts none under 64 bytes.
  const inflated = createInflateRaw({
    chunkSize: Math.min(PIECE_BYTES, Math.max(64, bytes + 1)),
  });
  // Errors reach the reader of `inflated`; the empty callback keeps them from being thrown a second time.
  pipeline(Readable.from(pieces), inflated, () => {});
  try {
    yield* inflated as AsyncIterable<Uint8Array>;
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (!code.startsWith("Z_")) throw cause;
    fail(`the compressed data is damaged (${(cause as Error).message})`, {
      cause,
    });
  }
  // zlib ignores bytes after the end of the compressed data.
  if (inflated.bytesWritten !== packed)
    fail(
      `expected ${packed} bytes of compressed data, found ${inflated.bytesWritten}`,
    );
}

function hex(checksum: number): string {
  return `0x${checksum.toString(16).padStart(8, "0")}`;
}
