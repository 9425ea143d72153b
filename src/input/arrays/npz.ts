import { pipeline, Readable } from "node:stream";
import { constants, crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import {
  AbortedError,
  InputUnsupportedError,
  LogitsColumnError,
} from "../../errors.js";
import { checkLimit } from "../../io/limits.js";
import type { Opening } from "../logits-file.js";
import {
  type Fail,
  failing,
  type InputFile,
  inputReader,
  requireInput,
} from "../read-input.js";
import { npyHeader } from "./npy.js";
import type {
  ArrayContainer,
  StoredArray,
  UnpackedArrays,
} from "./stored-array.js";
import { readZipMembers, unsupported, type ZipMember } from "./zip-archive.js";

const SUFFIX = ".npy";

interface Member extends StoredArray {
  member: ZipMember;
}

/**
 * Opens an .npz file, a zip archive of .npy files; other members are ignored.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError
 */
export async function openNpz(file: InputFile): Promise<ArrayContainer> {
  // Headers are in the members, and members are read whole.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const members = readZipMembers(file);
  const arrays: Member[] = [];
  for (const member of members)
    if (member.name.endsWith(SUFFIX))
      arrays.push(await memberArray(file, member));
  if (arrays.length === 0) {
    const names = members.map(({ name }) => name);
    const advice = names.some((name) => name.endsWith("data.pkl"))
      ? "pickles are not supported, save the tensors as safetensors or .npy"
      : "extract the files and give their paths";
    throw new LogitsColumnError(
      file.path,
      `expected a zip archive of .npy files, found ${names.slice(0, 4).join(", ") || "an empty archive"}; ${advice}`,
    );
  }
  return {
    arrays,
    unpack: (chosen, options) => unpack(file, chosen as Member[], options),
  };
}

async function memberArray(
  file: InputFile,
  member: ZipMember,
): Promise<Member> {
  const { path } = file;
  const where = `member ${member.name}`;
  const problem = unsupported(member);
  if (problem)
    throw new InputUnsupportedError(
      path,
      where,
      `expected a stored or deflated member, found ${problem}; write the archive with numpy.savez or numpy.savez_compressed`,
    );
  const array = await npyHeader({
    path,
    where,
    bytes: member.bytes,
    head: (bytes) => memberHead(file, member, bytes),
  });
  return { ...array, name: member.name.slice(0, -SUFFIX.length), member };
}

/** Reads stored members in place; if any is deflated, decompresses all to a temporary file. */
async function unpack(
  file: InputFile,
  chosen: readonly Member[],
  { temporary, signal }: Pick<Opening, "temporary" | "signal">,
): Promise<UnpackedArrays> {
  // A member may be chosen twice, for example as labels and as a column to copy.
  const members = new Map(chosen.map((array) => [array.member, array.start]));
  const inflates = chosen.some(({ member }) => member.method !== 0);
  const total = [...members.keys()].reduce((sum, { bytes }) => sum + bytes, 0);
  if (inflates) checkLimit(file, "arrays", "maxDecodedBytes", total);
  const copy = inflates ? temporary.open(file.path) : null;
  const starts = new Map<ZipMember, number>();
  for (const [member, start] of members) {
    starts.set(member, start + (copy?.bytes ?? member.position));
    // Stored members are read as well, to verify their checksums.
    for await (const chunk of memberData(file, member, signal))
      copy?.append(chunk);
  }
  return {
    fd: copy?.fd ?? file.fd,
    start: (array) => starts.get((array as Member).member) as number,
  };
}

/** Maximum size of a chunk that is read or decompressed at once. */
const CHUNK_BYTES = 1 << 20;

/** Upper bound of what Deflate adds to incompressible data of a header's size. */
const MAX_OVERHEAD_BYTES = 1024;

/** Above the decompressed size of any head, since Deflate compresses at most about 1000:1. */
const MAX_INFLATED_BYTES = 8 << 20;

/** Returns the first `bytes` of a member, or all of a shorter one. @throws InputFormatError, IoError */
async function memberHead(
  file: InputFile,
  member: ZipMember,
  bytes: number,
): Promise<Uint8Array> {
  const { position, packed, method } = member;
  const read = inputReader(file);
  const wanted = Math.min(bytes, member.bytes);
  if (method === 0) return read(position, wanted);
  // Synchronous, because setting up a stream takes a millisecond and an archive may have a million members.
  try {
    const head = inflateRawSync(
      read(position, Math.min(packed, bytes + MAX_OVERHEAD_BYTES)),
      {
        maxOutputLength: MAX_INFLATED_BYTES,
        finishFlush: constants.Z_SYNC_FLUSH,
      },
    );
    if (head.length >= wanted && head.length <= member.bytes)
      return new Uint8Array(head.subarray(0, wanted));
  } catch {}
  // For damaged data, memberData() throws the error with the reason.
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of memberData(file, member)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= bytes) break;
  }
  return new Uint8Array(Buffer.concat(chunks).subarray(0, bytes));
}

/**
 * Yields a decompressed member in chunks; checks its size, and at the end its checksum.
 * @throws InputFormatError, IoError, AbortedError
 */
async function* memberData(
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
  const chunks = member.method === 0 ? packed : inflate(packed, member, fail);
  let done = 0;
  let checksum = 0;
  for await (const chunk of chunks) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    done += chunk.length;
    if (done > bytes) failBytes("more");
    checksum = crc32(chunk, checksum);
    yield chunk;
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
  for (let at = 0; at < packed; at += CHUNK_BYTES)
    yield read(position + at, Math.min(CHUNK_BYTES, packed - at));
}

async function* inflate(
  chunks: Iterable<Uint8Array>,
  { packed, bytes }: ZipMember,
  fail: Fail,
): AsyncGenerator<Uint8Array> {
  // A small member needs no large buffer; zlib's minimum is 64 bytes.
  const inflated = createInflateRaw({
    chunkSize: Math.min(CHUNK_BYTES, Math.max(64, bytes + 1)),
  });
  // The consumer of `inflated` receives errors; the empty callback only keeps them from being thrown twice.
  pipeline(Readable.from(chunks), inflated, () => {});
  try {
    yield* inflated as AsyncIterable<Uint8Array>;
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (!code.startsWith("Z_")) throw cause;
    fail(`the compressed data is damaged (${(cause as Error).message})`, {
      cause,
    });
  }
  // zlib silently ignores bytes after the end of the compressed data.
  if (inflated.bytesWritten !== packed)
    fail(
      `expected ${packed} bytes of compressed data, found ${inflated.bytesWritten}`,
    );
}
