import { ShortReadError } from "../../src/io/positional.js";
import { systemFailure } from "../../src/io/system-error.js";
import type {
  DecompressReply,
  DecompressSetup,
  DecompressTask,
} from "../../src/tasks/decompress-tasks.js";
import type { Failure } from "../../src/tasks/failure.js";
import { TaskFailure } from "../slot-bytes.js";
import { CompressedBytes, Damaged, DecodedBytes } from "./bytes.js";
import { decodeLz4 } from "./lz4.js";
import { decodeZstd } from "./zstd-frame.js";

/** Bytes that are copied at once. */
const STEP_BYTES = 1 << 20;

/** Decodes one buffer from file to file. */
export async function decompress(
  { source, target }: DecompressSetup,
  task: DecompressTask,
): Promise<DecompressReply> {
  const { position, bytes, codec, decodedBytes } = task;
  const decoded = new DecodedBytes(target, task.target, decodedBytes);
  try {
    const stored = new CompressedBytes(source, position, bytes);
    if (codec === null) copy(stored, decoded);
    else if (codec === "LZ4_FRAME") decodeLz4(stored, decoded);
    else await decodeZstd(stored, decoded);
    if (stored.left > 0)
      throw new Damaged(`${stored.left} bytes follow the compressed frame`);
    decoded.finish();
    return { ok: true };
  } catch (error) {
    return { ok: false, failure: failureOf(error, task.where) };
  }
}

function copy(stored: CompressedBytes, decoded: DecodedBytes): void {
  while (stored.left > 0)
    decoded.add(stored.take(Math.min(STEP_BYTES, stored.left), "a buffer"));
}

function failureOf(error: unknown, where: string): Failure {
  if (error instanceof TaskFailure) return error.failure;
  if (error instanceof Damaged || error instanceof ShortReadError)
    return { kind: "damaged", where, text: error.message };
  const failed = systemFailure(error);
  if (failed) return { kind: "io", side: "input", ...failed };
  // Other errors are the decoder's, caused by the data.
  const reason = error instanceof Error ? error.message : String(error);
  const text = `could not be decompressed (${reason})`;
  return { kind: "damaged", where, text };
}
