import { SoftjacError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { reportLogits } from "../input/open-logits.js";
import { openRunLogits } from "../model/run-model.js";
import { checkHooks } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import {
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "../options/run-options.js";
import { WorkerPool } from "../pool/worker-pool.js";
import { computeAndCommit, openOutput } from "./compute-and-commit.js";
import { checkRunOutput, openOptions } from "./open-options.js";
import { prestartWorkers } from "./prestart-workers.js";
import { planRun, type RunPlan, sizeWarning } from "./run-plan.js";
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
  const workerPool = new WorkerPool(hooks.mainThread);
  try {
    checkRunOutput(resolved);
    await prestartWorkers(workerPool, [input], resolved);
    const opening = openOptions(resolved, hooks.signal);
    const logits = await openRunLogits(input, opening);
    try {
      if (!hooks.signal?.aborted) await reportLogits(logits, hooks.onEvent);
      const plan = planRun(resolved, logits);
      const message = sizeWarning(resolved, plan);
      if (message) hooks.onEvent?.({ event: "warning", message });
      report.set(plannedReport(resolved, plan, logits));
      await computeAndCommit(
        plan,
        { ...hooks, workerPool, options: resolved, logits, report },
        output,
        () => openOutput(resolved, plan),
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
  plan: RunPlan,
  logits: LogitsFile,
): Partial<RunReport> {
  return {
    column: logits.column,
    layout: options.layout,
    emit: [...options.emit],
    temperature: options.temperature,
    dtype: plan.dtype,
    rows: plan.rows,
    classes: logits.classes,
    inputBytes: logits.bytes,
    threads: plan.threads,
    ...(plan.kind === "entries"
      ? { entries: 0, droppedMax: 0, droppedSum: 0 }
      : {
          outputBytes: plan.maxBytes,
          recordBatches: plan.batchCount,
          chunks: plan.chunkCount,
        }),
  };
}
