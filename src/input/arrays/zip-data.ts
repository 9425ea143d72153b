import { pipeline, Readable } from "node:stream";
import { constants, crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { AbortedError } from "../../errors.js";
import { type InputFile, inputReader } from "../read-input.js";
import { type Fail, failing, type ZipMember } from "./zip-archive.js";

/** Bytes read and decompressed at once. */
const PIECE_BYTES = 1 << 20;

/** Deflate adds less than this to data that it cannot compress. */
const MAX_OVERHEAD_BYTES = 1024;

/** Deflate compresses to a thousandth at best, so no head reaches this. */
const MAX_INFLATED_BYTES = 8 << 20;

/** Returns the first `bytes` of a member, or all of a shorter one. @throws InputFormatError, IoError */
export async function memberHead(
  file: InputFile,
  member: ZipMember,
  bytes: number,
): Promise<Uint8Array> {
  const { position, packed, method } = member;
  const read = inputReader(file);
  const wanted = Math.min(bytes, member.bytes);
  if (method === 0) return read(position, wanted);
  // A stream takes a millisecond to set up, and an archive may have a million members.
  try {
    const found = inflateRawSync(
      read(position, Math.min(packed, bytes + MAX_OVERHEAD_BYTES)),
      {
        maxOutputLength: MAX_INFLATED_BYTES,
        finishFlush: constants.Z_SYNC_FLUSH,
      },
    );
    if (found.length >= wanted && found.length <= member.bytes)
      return new Uint8Array(found.subarray(0, wanted));
  } catch {}
  // memberData() reports what is wrong.
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
  const failBytes = (found: string | number) =>
    fail(
      `expected ${bytes} bytes as declared in the zip directory, found ${found}`,
    );
  const packed = packedData(file, member);
  const pieces = member.method === 0 ? packed : inflate(packed, member, fail);
  let done = 0;
  let checksum = 0;
  for await (const piece of pieces) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    done += piece.length;
    if (done > bytes) failBytes("more");
    checksum = crc32(piece, checksum);
    yield piece;
  }
  if (done !== bytes) failBytes(done);
  const hex = (number: number) => `0x${number.toString(16).padStart(8, "0")}`;
  if (checksum !== crc)
    fail(`expected checksum ${hex(crc)}, found ${hex(checksum)}`);
}

function* packedData(
  file: InputFile,
  { position, packed }: ZipMember,
): Generator<Uint8Array> {
  const read = inputReader(file);
  for (let at = 0; at < packed; at += PIECE_BYTES)
    yield read(position + at, Math.min(PIECE_BYTES, packed - at));
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
