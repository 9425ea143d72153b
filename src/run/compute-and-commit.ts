import { totalmem } from "node:os";
import { AbortedError, OutputClosedError, WorkerError } from "../errors.js";
import { checkUnchanged } from "../input/input-state.js";
import { PositionalFile } from "../io/sequential.js";
import { ioError } from "../io/system-error.js";
import type { RunHooks } from "../options/hooks.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { ArrowWriter } from "../output/arrow-writer.js";
import { openPending } from "../output/commit.js";
import {
  type OutputTarget,
  openSequential,
  type PendingOutput,
  STANDARD_OUTPUT,
} from "../output/output-target.js";
import type { WorkerPool } from "../pool/worker-pool.js";
import { axesOf } from "../results/row-axes.js";
import { type RunContext, workerContext } from "./run-context.js";
import type { RunPlan } from "./run-plan.js";
import { writeEntries } from "./write-entries.js";
import { writeFixed } from "./write-fixed.js";

interface Work
  extends Pick<RunHooks, "signal" | "onProgress">,
    Pick<RunContext, "options" | "logits" | "report"> {
  workerPool: WorkerPool;
}

/**
 * Computes the output of a plan into a pending output, then commits it.
 * @param path path of the output in messages
 * @param open opens the pending output
 * @param onComputed called at the start of the commit, which waits for it
 * @throws SoftjacError, after the output has been discarded
 */
export async function computeAndCommit(
  plan: RunPlan,
  work: Work,
  path: string,
  open: () => Promise<PendingOutput>,
  onComputed: () => unknown,
): Promise<void> {
  const { signal } = work;
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  const output = await open().catch((error) => {
    throw ioError(path, "could not be opened", error);
  });
  const stop = () => output.stop?.();
  signal?.addEventListener("abort", stop);
  try {
    await compute(plan, output, work);
    await Promise.all([onComputed(), output.commit()]);
  } catch (error) {
    // Other threads may still write after one has died: end them before the descriptor is closed and reused.
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
 * Computes a plan and writes every byte of its output.
 * @throws InputChangedError if the input changed during the run; SoftjacError
 */
export async function compute(
  plan: RunPlan,
  output: OutputTarget,
  { workerPool, onProgress, ...work }: Work,
): Promise<void> {
  const { options, logits, report } = work;
  report.axes = axesOf(logits);
  const memory = workerPool.memory(plan.slots * plan.slot.bytes);
  report.set({ kernel: memory.module ? "simd" : "plain" });
  const pool = await workerPool.pool(
    plan.threads,
    workerContext(plan, logits, output, memory, options.temperature),
  );
  const writer = await openWriter(plan, output, options);
  const context: RunContext = {
    ...work,
    output,
    writer,
    pool,
    buffer: memory.buffer,
    onProgress: () =>
      onProgress?.(report.rowsDone, plan.rows, {
        bytesDone: report.bytesDone,
        threads: plan.threads,
        threadsBusy: Math.min(plan.threads, workerPool.tasksInFlight),
      }),
  };
  try {
    await (plan.kind === "fixed"
      ? writeFixed(plan, context)
      : writeEntries(plan, context));
    // Readers reject a stream without its end marker, so the input is checked before the end is written.
    await checkUnchanged(logits.source);
    report.set({ outputBytes: await writer.end() });
  } catch (error) {
    // The reader of a stream may never read what is still being written.
    output.stop?.();
    throw error;
  } finally {
    await writer.close();
  }
}

/**
 * Smaller outputs are written through the page cache, which is faster and keeps them for the next reader. Larger ones are
 * written past it if they are synced (8.9 GB: 14 to 27 s, against 20 to 37 s through it).
 */
const MIN_DIRECT_BYTES = 2 * 2 ** 30;

/**
 * Share of the memory up to which outputs that are not synced stay in the page cache. Linux delays writers from about 15 % of
 * unwritten bytes on (8.8 GB of 24 GB: 86 s, and 23 to 40 s past the page cache).
 */
const CACHED_SHARE = 1 / 8;

/** Opens the output of a run: a temporary file, or standard output. */
export async function openOutput(
  options: ResolvedOptions,
  plan: RunPlan,
): Promise<PendingOutput> {
  const { output } = options;
  if (output !== STANDARD_OUTPUT)
    return openFile(options, plan, (bytes, direct) =>
      openPending(output, bytes, { ...options, direct }),
    );
  const { openStandardOutput } = await import("../output/standard-output.js");
  return openStandardOutput();
}

/** Opens a file output. `open` creates a file of `bytes` (0 if the size is unknown), `direct` for writes past the page cache. */
export function openFile(
  { compress, sync }: ResolvedOptions,
  plan: RunPlan,
  open: (bytes: number, direct: boolean) => Promise<PendingOutput>,
): Promise<PendingOutput> {
  const isKnown = plan.kind === "fixed" && !compress;
  const least = sync ? 0 : CACHED_SHARE * totalmem();
  const isDirect = plan.maxBytes >= Math.max(MIN_DIRECT_BYTES, least);
  return open(isKnown ? plan.maxBytes : 0, isDirect);
}

/** Opens the writer of a run's messages to `output`. */
async function openWriter(
  { kind, file: spec, threads }: RunPlan,
  output: OutputTarget,
  { compress }: Pick<ResolvedOptions, "compress">,
): Promise<ArrowWriter> {
  const isPositional = kind === "fixed" && !compress && !output.stream;
  const file = isPositional
    ? new PositionalFile(output)
    : openSequential(output);
  if (!compress) return new ArrowWriter(output, spec, file);
  const { openCompressedWriter } = await import(
    "../output/compressed-writer.js"
  );
  return openCompressedWriter(compress, threads, output, spec, file);
}
