import { SoftjacError } from "../errors.js";
import { reportLogits } from "../input/first-rows.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openLogits } from "../input/open-logits.js";
import { checkHooks } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import {
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "../options/run-options.js";
import { ARROW, checkOutput } from "../output/written-files.js";
import { WorkerPool } from "../pool/worker-pool.js";
import { computeAndCommit } from "./compute-and-commit.js";
import { openOptions } from "./open-options.js";
import { openOutput } from "./open-output.js";
import { type Job, planJob, sizeWarning } from "./plan-job.js";
import { prestartWorkers } from "./prestart-workers.js";
import { ReportBuilder, type RunReport } from "./run-report.js";

/**
 * Computes softmax, Jacobian blocks and other results for every row of a file, and writes them to an Arrow file.
 * The output file is complete or absent, even after a crash.
 *
 * @throws SoftjacError; its `report` describes the run up to the error
 */
export async function run(
  options: RunOptions,
  hooks: RunHooks = {},
): Promise<RunReport> {
  checkHooks(hooks);
  const resolved = resolveOptions(options);
  const { input, output } = resolved;
  const report = new ReportBuilder(input, output);
  const workerPool = new WorkerPool();
  try {
    checkOutput({
      path: output,
      force: resolved.force,
      format: ARROW,
      inputs: [input],
      streams: true,
    });
    await prestartWorkers(workerPool, [input], resolved);
    const logits = await openLogits(input, openOptions(resolved, hooks.signal));
    try {
      if (!hooks.signal?.aborted) await reportLogits(logits, hooks.onEvent);
      const job = planJob(resolved, logits);
      const message = sizeWarning(resolved, logits, job);
      if (message) hooks.onEvent?.({ event: "warning", message });
      report.set(plannedReport(resolved, job, logits));
      await computeAndCommit(
        job,
        { ...hooks, workerPool, options: resolved, logits, report },
        output,
        () => openOutput(resolved, job),
        // Threads end while the output is synced to disk.
        () => workerPool.close(),
      );
    } finally {
      logits.close();
    }
    return report.finish("done");
  } catch (error) {
    if (error instanceof SoftjacError) error.report = report.finish("failed");
    throw error;
  } finally {
    await workerPool.close();
  }
}

/** Returns the fields of the report that are known before anything is computed. */
function plannedReport(
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
    rows: job.plan.rows,
    classes: logits.classes,
    inputBytes: logits.bytes,
    threads: job.plan.threads,
    ...(job.kind === "entries"
      ? { entries: 0, droppedMax: 0, droppedSum: 0 }
      : {
          outputBytes: job.layout.bytes,
          recordBatches: job.plan.batches.length,
          chunks: job.plan.chunks.length,
        }),
  };
}
