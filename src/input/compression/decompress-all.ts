import { availableParallelism } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { decompress } from "../../../workers/decompress/decompress.js";
import { AbortedError } from "../../errors.js";
import { COPY_FAILED } from "../../io/anonymous-file.js";
import { mapConcurrent } from "../../io/map-concurrent.js";
import { openThreads } from "../../pool/piscina-threads.js";
import type {
  DecompressReply,
  DecompressSetup,
  DecompressTask,
} from "../../tasks/decompress-tasks.js";
import { failureError } from "../../tasks/failure.js";

/** The built worker, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./decompress.js", import.meta.url);

/** Decoded size up to which starting threads takes longer than it saves. */
const MAX_INLINE_BYTES = 4 << 20;

/**
 * Decodes buffers on this thread and, for larger inputs, on one more thread per additional core. This thread works too, because
 * it decodes tens of MiB while another thread starts.
 * @throws the error of the first buffer in order; AbortedError between two buffers
 */
export async function decompressAll(
  path: string,
  setup: DecompressSetup,
  tasks: readonly DecompressTask[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = tasks.reduce((sum, { decodedBytes }) => sum + decodedBytes, 0);
  const others = bytes > MAX_INLINE_BYTES ? availableParallelism() - 1 : 0;
  const pool =
    others > 0
      ? await openThreads<DecompressTask, DecompressReply>(WORKER_URL, others, {
          workerData: setup,
        })
      : null;
  const decode = async (task: DecompressTask, lane: number) => {
    if (pool && lane > 0) return pool.run(task);
    const reply = await decompress(setup, task);
    // Lets the event loop handle signals and the replies of other threads.
    await turn();
    return reply;
  };
  const files = { input: path, output: path, writing: COPY_FAILED };
  try {
    // All threads are idle before the caller closes the files.
    await mapConcurrent(tasks, 1 + others, async (task, _, lane) => {
      if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
      const reply = await decode(task, lane);
      if (!reply.ok) throw failureError(reply.failure, files);
    });
  } finally {
    await pool?.close();
  }
}
