import { checkOwnFile } from "../system-error.js";
import { openThreads, type Threads } from "../threads/open-threads.js";
import type { Codec, CompressReply, CompressTask } from "./protocol.js";

/** Where the built worker stands, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./compress.js", import.meta.url);

/** Compresses record batches somewhere. */
export type Compressors = Threads<CompressTask, CompressReply>;

/**
 * Threads of their own, or for 0 this one. They are apart from those of the kernel, which wait most of the time: numbers
 * are compressed at a tenth of the speed that results are made at.
 */
export async function openCompressors(
  threads: number,
  codec: Codec,
): Promise<Compressors> {
  checkOwnFile(codec === "zstd" ? "wasm-zstd.wasm" : "lz4_wasm_nodejs_bg.wasm");
  if (threads > 0) return openThreads(WORKER_URL, threads);
  const { compress } = await import("../../workers/compress/compress.js");
  return { run: compress, close: async () => {} };
}
