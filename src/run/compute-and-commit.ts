import { AbortedError, OutputClosedError, WorkerError } from "../errors.js";
import { checkUnchanged } from "../input/input-state.js";
import { ioError } from "../io/system-error.js";
import type { RunHooks } from "../options/hooks.js";
import type { OutputTarget, PendingOutput } from "../output/output-target.js";
import type { WorkerPool } from "../pool/worker-pool.js";
import { axesOf } from "../results/row-indices.js";
import { type Job, withOthers } from "./plan-job.js";
import { type RunContext, workerSetup } from "./run-context.js";
import { writeEntries } from "./write-entries.js";
import { writePlanned } from "./write-planned.js";

interface Work
  extends Pick<RunHooks, "signal" | "onProgress">,
    Pick<RunContext, "options" | "logits" | "report"> {
  workerPool: WorkerPool;
}

/**
 * Computes the whole output of a job beside its target, then commits it.
 * @param path the output in messages
 * @param open opens the output beside its target
 * @param onComputed called when only the commit is left; the commit waits for it
 * @throws SoftjacError; the output is discarded
 */
export async function produce(
  job: Job,
  work: Work,
  path: string,
  open: () => Promise<PendingOutput>,
  onComputed: () => unknown,
): Promise<void> {
  const { signal } = work;
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  const output = await open().catch((error) => {
    const known = ioError(path, "could not be opened", error);
    throw withOthers(known, work.options, work.logits);
  });
  const stop = () => output.stop?.();
  signal?.addEventListener("abort", stop);
  try {
    await compute(job, output, work);
    await Promise.all([onComputed(), output.commit()]);
    if (output.bytes) work.report.set({ outputBytes: output.bytes() });
  } catch (error) {
    // After the death of a thread others may still write: their descriptor must not become another file's.
    if (error instanceof WorkerError) await work.workerPool.close();
    await output.discard();
    if (signal?.aborted && error instanceof OutputClosedError)
      throw new AbortedError({ cause: signal.reason });
    throw ioError(path, "could not be written", error);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * Computes a job and writes every byte of its output.
 * @throws InputChangedError if the input has changed meanwhile; SoftjacError
 */
export async function compute(
  job: Job,
  output: OutputTarget,
  { workerPool, onProgress, ...work }: Work,
): Promise<void> {
  const { plan, slot } = job;
  const { options, logits, report } = work;
  report.axes = axesOf(logits);
  const memory = workerPool.memory(plan.slots * slot.bytes);
  report.set({ kernel: memory.module ? "simd" : "plain" });
  const context: RunContext = {
    ...work,
    output,
    pool: await workerPool.pool(
      plan.threads,
      workerSetup(job, logits, output, memory, options.temperature),
    ),
    buffer: memory.buffer,
    onProgress: () =>
      onProgress?.(report.rowsDone, plan.rows, {
        bytesDone: report.bytesDone,
        threads: plan.threads,
        threadsBusy: Math.min(plan.threads, workerPool.tasksInFlight),
      }),
  };
  const writeEnd =
    job.kind === "planned"
      ? await writePlanned(job, context)
      : await writeEntries(job, context);
  // A stream without its end is not taken for a whole one, so the input is checked before the end is written.
  await checkUnchanged(logits.source);
  await writeEnd();
}
