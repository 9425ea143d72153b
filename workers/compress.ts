import { checkAddressSpace } from "../src/io/system-error.js";
import type { Codec } from "../src/results/catalogue.js";
import {
  type CompressReply,
  type CompressTask,
  PREFIX_BYTES,
  paddedBytes,
} from "../src/tasks/compress-tasks.js";
import { loadZstd } from "./decompress/zstd-frame.js";

/** Returns compressed bytes in pieces, or null if they are not smaller. */
type Compressor = (bytes: Uint8Array) => Uint8Array[] | null;

/** Piscina worker: compresses the buffers of a body one by one; those that do not shrink are stored uncompressed. */
export default async function compress({
  codec,
  source,
  buffers,
  target,
}: CompressTask): Promise<CompressReply> {
  compressors[codec] ??= await loadCompressor(codec);
  const compressor = compressors[codec];
  const out = new Uint8Array(target);
  const view = new DataView(target);
  const compressedBuffers: CompressReply["buffers"] = [];
  let end = 0;
  for (const { offset, length } of buffers) {
    if (length === 0) {
      compressedBuffers.push({ offset: end, length: 0 });
      continue;
    }
    const plain = new Uint8Array(source, offset, length);
    const compressed = compressor(plain);
    view.setBigInt64(end, compressed ? BigInt(length) : -1n, true);
    let at = end + PREFIX_BYTES;
    for (const piece of compressed ?? [plain]) {
      out.set(piece, at);
      at += piece.byteLength;
    }
    compressedBuffers.push({ offset: end, length: at - end });
    const next = end + paddedBytes(at - end - PREFIX_BYTES);
    out.fill(0, at, next);
    end = next;
  }
  return { buffers: compressedBuffers, bodyBytes: end };
}

const compressors: Partial<Record<Codec, Compressor>> = {};

/** Loads the library of a codec. @throws the error ENOMEM without memory for WebAssembly */
async function loadCompressor(codec: Codec): Promise<Compressor> {
  if (codec === "lz4") {
    checkAddressSpace();
    const { compress } = await import("lz4-wasm-nodejs");
    return (bytes) => lz4Frame(bytes, compress);
  }
  const zstd = await loadZstd();
  return (bytes) => {
    if (bytes.byteLength > MAX_ZSTD_BYTES) return null;
    const frame = zstd.compress(bytes, LEVEL);
    return frame.byteLength < bytes.byteLength ? [frame] : null;
  };
}

/** Higher levels take twice the time and hardly make numbers smaller. */
const LEVEL = 1;
/** Larger buffers are stored uncompressed: input and output must fit the library's memory. */
const MAX_ZSTD_BYTES = 2 ** 29;

// An LZ4 frame of independent blocks (github.com/lz4/lz4, doc/lz4_Frame_format.md):
//
//   04 22 4D 18 | flags | block size | header checksum
//   blocks: size (highest bit: stored uncompressed) | data | … | 0

/** Version 1, independent blocks of at most 4 MiB, no checksums. */
const HEADER = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73);
const BLOCK_BYTES = 4 << 20;
const STORED = 0x80000000;
/** The library writes the length of a block in front of it. */
const LIBRARY_PREFIX = 4;

function lz4Frame(
  bytes: Uint8Array,
  compressBlock: (bytes: Uint8Array) => Uint8Array,
): Uint8Array[] | null {
  const pieces: Uint8Array[] = [HEADER];
  let total = HEADER.byteLength + 4;
  for (let start = 0; start < bytes.byteLength; start += BLOCK_BYTES) {
    const plain = bytes.subarray(start, start + BLOCK_BYTES);
    const block = compressBlock(plain).subarray(LIBRARY_PREFIX);
    const stored = block.byteLength >= plain.byteLength;
    const data = stored ? plain : block;
    pieces.push(uint32(data.byteLength + (stored ? STORED : 0)), data);
    total += 4 + data.byteLength;
  }
  pieces.push(uint32(0));
  return total < bytes.byteLength ? pieces : null;
}

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
