import {
  checkAddressSpace,
  checkPackageFile,
} from "../../src/io/system-error.js";
import { type CompressedBytes, Damaged, type DecodedBytes } from "./bytes.js";

/** Maximum size, compressed and decoded, of data that is decoded at once: twice as fast as in pieces. */
const WHOLE_BYTES = 256 << 20;
/** Compressed bytes that are given to the decoder at once. */
const STEP_BYTES = 256 << 10;
/** Maximum number of consecutive empty outputs; more mean that the decoder is stuck. */
const MAX_EMPTY = 8;

type Zstd = typeof import("@foxglove/wasm-zstd");
let zstd: Zstd | null = null;

/** Loads the library into this thread, once. @throws the system's error */
export async function loadZstd(): Promise<Zstd> {
  // A second check would need address space for one memory more.
  if (zstd) return zstd;
  checkPackageFile("wasm-zstd.wasm");
  checkAddressSpace();
  const { default: loaded } = await import("@foxglove/wasm-zstd");
  await loaded.isLoaded;
  zstd = loaded;
  return zstd;
}

/** Decodes Zstandard frames up to the end of the source. @throws Damaged, the system's error */
export async function decodeZstd(
  source: CompressedBytes,
  target: DecodedBytes,
): Promise<void> {
  const zstd = await loadZstd();
  if (Math.max(source.left, target.left) <= WHOLE_BYTES)
    decodeWhole(zstd, source, target);
  else await decodePieces(source, target);
}

function decodeWhole(
  zstd: Zstd,
  source: CompressedBytes,
  target: DecodedBytes,
): void {
  const bytes = source.take(source.left, "a Zstandard frame");
  let decoded: Uint8Array;
  try {
    decoded = zstd.decompress(bytes, target.left);
  } catch {
    throw new Damaged(
      `the Zstandard frame is damaged, or has more than ${target.left} decompressed bytes`,
    );
  }
  target.add(decoded);
}

async function decodePieces(
  source: CompressedBytes,
  target: DecodedBytes,
): Promise<void> {
  checkAddressSpace();
  const { ZSTDDecoder } = await import("zstddec/stream");
  const decoder = new ZSTDDecoder();
  await decoder.init();
  let empty = 0;
  function* pieces(): Generator<Uint8Array> {
    while (source.left > 0) {
      empty = 0;
      yield source.take(Math.min(STEP_BYTES, source.left), "a Zstandard frame");
    }
  }
  for (const decoded of decoder.decodeStreaming(pieces())) {
    empty = decoded.byteLength === 0 ? empty + 1 : 0;
    // On damaged data, the decoder yields empty outputs forever.
    if (empty > MAX_EMPTY) throw new Damaged("the Zstandard frame is damaged");
    target.add(decoded);
  }
}
