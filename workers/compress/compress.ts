import {
  type CompressReply,
  type CompressTask,
  inBody,
  PREFIX_BYTES,
} from "../../src/compressed/protocol.js";

/** Compressed bytes in pieces, or null where they are no fewer than `bytes`. */
export type Compressor = (
  bytes: Uint8Array,
) => Uint8Array[] | null | Promise<Uint8Array[] | null>;

/** Compresses the buffers of a body one by one; such as get no smaller are stored as they are. */
export async function compress({
  codec,
  source,
  buffers,
  target,
}: CompressTask): Promise<CompressReply> {
  const compressor = await compressorOf(codec);
  const out = new Uint8Array(target);
  const view = new DataView(target);
  const places: CompressReply["buffers"] = [];
  let end = 0;
  for (const { offset, length } of buffers) {
    if (length === 0) {
      places.push({ offset: end, length: 0 });
      continue;
    }
    const plain = new Uint8Array(source, offset, length);
    const compressed = await compressor(plain);
    view.setBigInt64(end, compressed ? BigInt(length) : -1n, true);
    let at = end + PREFIX_BYTES;
    for (const piece of compressed ?? [plain]) {
      out.set(piece, at);
      at += piece.byteLength;
    }
    places.push({ offset: end, length: at - end });
    const next = end + inBody(at - end - PREFIX_BYTES);
    out.fill(0, at, next);
    end = next;
  }
  return { buffers: places, bodyBytes: end };
}

/** Each loads what it needs when it is first used. */
async function compressorOf(codec: CompressTask["codec"]): Promise<Compressor> {
  if (codec === "lz4") return (await import("./lz4-frame.js")).compressLz4;
  return (await import("./zstd-frame.js")).compressZstd;
}
