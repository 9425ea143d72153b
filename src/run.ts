import { compute } from "./compute.js";
import { AbortedError, SoftjacError } from "./errors.js";
import { type LogitsFile, openLogits } from "./input/logits-file.js";
import { readInput } from "./input/read-input.js";
import { writeFully } from "./io/positional.js";
import { type Job, planJob } from "./job.js";
import {
  openOptionsOf,
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "./options.js";
import { checkTarget, ioError, openPending } from "./output/commit.js";
import { copyDictionaries } from "./output/dictionaries.js";
import { frame } from "./output/jacobian-file.js";
import { openTaskPool } from "./pool/task-pool.js";
import { ReportBuilder, type RunReport } from "./report.js";
import { allocateKernelMemory } from "./slots/kernel-memory.js";
import { VERSION } from "./version.js";
import { workerSetup } from "./worker-setup.js";

export interface RunHooks {
  /** Stops the run between chunks: what is in flight ends, the output is discarded, AbortedError is thrown. */
  signal?: AbortSignal | undefined;
  /** Called now and then with the rows done so far, and the rows there are. */
  onProgress?: ((rowsDone: number, rows: number) => void) | undefined;
}

/**
 * Softmax and its Jacobian blocks of every row of a file: resolve, open, plan, compute, commit, report.
 * The output appears whole under its name, or not at all.
 *
 * @returns what was done
 * @throws SoftjacError, its `report` saying how far the run came
 */
export async function run(
  options: RunOptions,
  hooks: RunHooks = {},
): Promise<RunReport> {
  const resolved = resolveOptions(options);
  const { input, output } = resolved;
  const report = new ReportBuilder(VERSION, input, output);
  try {
    checkTarget(output, resolved.force, input);
    const logits = openLogits(input, openOptionsOf(resolved));
    try {
      const job = planJob(resolved, logits);
      report.set(knownFromJob(resolved, job, logits));
      await produce(resolved, job, logits, report, hooks);
    } finally {
      logits.close();
    }
    return report.finish("done");
  } catch (error) {
    if (error instanceof SoftjacError) error.report = report.finish("failed");
    throw error;
  }
}

/** Writes the whole output beside its target, then commits it. */
async function produce(
  options: ResolvedOptions,
  job: Job,
  logits: LogitsFile,
  report: ReportBuilder,
  { signal, onProgress }: RunHooks,
): Promise<void> {
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  const { plan, layout } = job;
  const output = await openPending(options.output, layout.bytes, options);
  try {
    const memory = allocateKernelMemory(
      plan.slots * job.slot.bytes,
      options.kernel,
    );
    report.set({ kernel: memory.module ? "simd" : "plain" });
    const pool = await openTaskPool(
      plan.threads,
      workerSetup(job, logits, output.fd, memory, options.temperature),
    );
    try {
      await compute({
        job,
        logits,
        pool,
        output,
        paths: options,
        report,
        signal,
        onProgress: () => onProgress?.(report.rowsDone, plan.rows),
      });
    } finally {
      await pool.close();
    }
    const { dictionaries } = logits;
    copyDictionaries(
      (target, position) => readInput(logits, target, position),
      output.fd,
      dictionaries,
      layout.dictionaries,
    );
    for (const { offset, bytes } of frame(layout))
      writeFully(output.fd, bytes, offset);
    await output.commit();
  } catch (error) {
    await output.discard();
    throw ioError(options.output, "could not be written", error);
  }
}

function knownFromJob(
  options: ResolvedOptions,
  job: Job,
  logits: LogitsFile,
): Partial<RunReport> {
  return {
    column: logits.column,
    layout: options.layout,
    emit: [...options.emit],
    temperature: options.temperature,
    dtype: job.dtype,
    rows: logits.rows,
    classes: logits.classes,
    inputBytes: logits.bytes,
    outputBytes: job.layout.bytes,
    recordBatches: job.plan.batches.length,
    chunks: job.plan.chunks.length,
    threads: job.plan.threads,
  };
}
