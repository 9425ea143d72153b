import { readFully, ShortReadError } from "../../src/io/positional.js";
import { checkPackageFile, systemFailure } from "../../src/io/system-error.js";
import type {
  DecompressReply,
  DecompressSetup,
  DecompressTask,
} from "../../src/tasks/decompress-tasks.js";
import { CompressedBytes, Damaged, DecodedBytes, WriteError } from "./bytes.js";
import { decodeLz4 } from "./lz4-frame.js";

/** Bytes that are copied at once. */
const STEP_BYTES = 1 << 20;

/** Decodes one buffer from file to file. Failures are returned, because thrown errors lose their fields between threads. */
export async function decompress(
  { source, target }: DecompressSetup,
  task: DecompressTask,
): Promise<DecompressReply> {
  const { position, bytes, codec, decodedBytes } = task;
  const decoded = new DecodedBytes(target, task.target, decodedBytes);
  try {
    if (codec === null) copy(source, position, bytes, decoded);
    else {
      const compressed = new CompressedBytes(source, position, bytes);
      if (codec === "LZ4_FRAME") decodeLz4(compressed, decoded);
      else {
        checkPackageFile("wasm-zstd.wasm");
        const { decodeZstd } = await import("./zstd-frame.js");
        await decodeZstd(compressed, decoded);
      }
      if (compressed.left > 0)
        throw new Damaged(
          `${compressed.left} bytes follow the compressed frame`,
        );
    }
    decoded.finish();
    return { ok: true };
  } catch (error) {
    return failure(error);
  }
}

function copy(
  source: number,
  position: number,
  bytes: number,
  decoded: DecodedBytes,
): void {
  const buffer = new Uint8Array(Math.min(bytes, STEP_BYTES));
  for (let done = 0; done < bytes; done += buffer.byteLength) {
    const piece = buffer.subarray(0, Math.min(buffer.byteLength, bytes - done));
    readFully(source, piece, position + done);
    decoded.add(piece);
  }
}

function failure(error: unknown): DecompressReply {
  if (error instanceof Damaged || error instanceof ShortReadError)
    return { ok: false, kind: "damaged", text: error.message };
  const isWrite = error instanceof WriteError;
  const failed = systemFailure(isWrite ? error.cause : error);
  const side = isWrite ? "output" : "input";
  if (failed) return { ok: false, kind: "io", side, ...failed };
  // Other errors are the decoder's, caused by the data.
  const text = error instanceof Error ? error.message : String(error);
  return {
    ok: false,
    kind: "damaged",
    text: `could not be decompressed (${text})`,
  };
}
