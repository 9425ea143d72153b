import zstd from "@foxglove/wasm-zstd";

/** More has hardly an effect on numbers, and takes twice the time. */
const LEVEL = 1;
/** What the library's memory surely has room for, twice; longer buffers are stored as they are. */
const MOST_BYTES = 2 ** 29;

/** One frame, or null where it would be no smaller. */
export async function compressZstd(
  bytes: Uint8Array,
): Promise<Uint8Array[] | null> {
  if (bytes.byteLength > MOST_BYTES) return null;
  await zstd.isLoaded;
  const frame = zstd.compress(bytes, LEVEL);
  return frame.byteLength < bytes.byteLength ? [frame] : null;
}
