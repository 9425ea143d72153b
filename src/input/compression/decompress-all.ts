import { availableParallelism } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { decompress } from "../../../workers/decompress/decompress.js";
import { AbortedError } from "../../errors.js";
import { openThreads } from "../../pool/piscina-threads.js";
import type {
  DecompressReply,
  DecompressSetup,
  DecompressTask,
} from "../../tasks/decompress-tasks.js";
import type { Failure } from "../../tasks/failure.js";

/** The built worker, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./decompress.js", import.meta.url);

/** Decoded size up to which starting threads takes longer than it saves. */
const MAX_INLINE_BYTES = 4 << 20;

/**
 * Decodes buffers on this thread and, for larger inputs, on one more thread per additional core. This thread works too, because
 * it decodes tens of MiB while another thread starts. Returns the first failure in task order.
 * @throws AbortedError between two buffers
 */
export async function decompressAll(
  setup: DecompressSetup,
  tasks: readonly DecompressTask[],
  signal: AbortSignal | undefined,
): Promise<Failure | null> {
  const bytes = tasks.reduce((sum, { decodedBytes }) => sum + decodedBytes, 0);
  const others = bytes > MAX_INLINE_BYTES ? availableParallelism() - 1 : 0;
  const pool =
    others > 0
      ? await openThreads<DecompressTask, DecompressReply>(WORKER_URL, others, {
          workerData: setup,
        })
      : null;
  /** Failures by the index of the task. */
  const failures: Failure[] = [];
  let next = 0;
  const work = async (
    decode: (task: DecompressTask) => Promise<DecompressReply>,
  ) => {
    while (next < tasks.length && failures.length === 0 && !signal?.aborted) {
      const task = next++;
      const reply = await decode(tasks[task] as DecompressTask);
      if (!reply.ok) failures[task] = reply.failure;
    }
  };
  try {
    const inline = work(async (task) => {
      const reply = await decompress(setup, task);
      // Lets the event loop handle signals and the replies of other threads.
      await turn();
      return reply;
    });
    const elsewhere = Array.from({ length: pool ? others : 0 }, () =>
      work((task) => (pool as NonNullable<typeof pool>).run(task)),
    );
    // All threads must be idle before the caller closes the files.
    const ends = await Promise.allSettled([inline, ...elsewhere]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  } finally {
    await pool?.close();
  }
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  return Object.values(failures)[0] ?? null;
}
