import { checkHooks } from "../options/check-options.js";
import { WorkerPool } from "../pool/worker-pool.js";
import { prestartWorkers } from "../run/prestart-workers.js";
import { computeShards } from "./compute-shards.js";
import { makePlan, planShards, rowsOf } from "./dataset-plan.js";
import type { DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import type { DatasetRun } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import { findInputs } from "./find-inputs.js";
import type { GracefulStop, WorkHooks } from "./graceful-stop.js";
import { ignoredFilesMessage } from "./input-names.js";
import { openInputs } from "./open-inputs.js";
import {
  bytesOptions,
  type DatasetOptions,
  type ResolvedDataset,
  resolveDataset,
} from "./options.js";
import { pinInputs } from "./pin-inputs.js";
import { type OpenDatasetRun, openRun } from "./planned-run.js";
import { verifyPublished } from "./verify-published.js";
import { publish, withReport } from "./with-report.js";

/**
 * Computes results for many files and publishes them as a directory of shards, which appears only when it is complete.
 * Completed shards are kept: the same call resumes after a stop or crash, on any machine and concurrently with other
 * processes, and gives the same bytes.
 *
 * @returns the report of the call
 * @throws SoftjacError as `run`; OutputExistsError if the output is another dataset; DatasetDamagedError if a shard of the
 * published dataset differs from its record; StoppedError after a stop; StalledError without progress for `stallTimeout`
 * seconds; InputsSkippedError if inputs were skipped
 */
export async function runDataset(
  options: DatasetOptions,
  hooks: DatasetHooks = {},
): Promise<DatasetReport> {
  checkHooks(hooks);
  const dataset = resolveDataset(options);
  const { output, work, optionsFor } = dataset;
  const workerPool = new WorkerPool();
  return withReport(
    { output, limits: work, hooks },
    async (report, stopping) => {
      const begun = await begin(dataset, hooks, report, stopping, workerPool);
      const { isNew, ...planned } = begun;
      const call = { ...planned, report, stopping };
      if (!isNew) {
        const s3 = { ...dataset.s3, signal: stopping.abortSignal };
        const repair = dataset.repair && {
          repair: { ...work, optionsFor, s3 },
        };
        return verifyPublished({ ...call, ...repair }, hooks);
      }
      const shards = await planned.run.missing();
      report.setMissing(shards);
      await computeShards(
        { ...work, ...call, workerPool, optionsFor, shards },
        hooks,
      );
      return publish(planned.run, dataset, report, hooks);
    },
  ).finally(() => workerPool.close());
}

/**
 * Plans a dataset without computing it. `runShards` then computes its shards and `finalizeDataset` publishes it.
 *
 * @returns the report, with the status `planned`, or `up to date` if the dataset is complete
 * @throws SoftjacError if `runDataset` would throw before it computes
 */
export async function planDataset(
  options: DatasetOptions,
  hooks: DatasetHooks = {},
): Promise<DatasetReport> {
  checkHooks(hooks);
  const dataset = resolveDataset(options);
  const { output, work: limits } = dataset;
  return withReport({ output, limits, hooks }, async (report, stopping) => {
    const { planned } = await planWithReport(dataset, hooks, report, stopping);
    return planned;
  });
}

/** Plans a dataset within `withReport`. */
export async function planWithReport(
  dataset: ResolvedDataset,
  hooks: DatasetHooks,
  report: DatasetReportBuilder,
  stopping: GracefulStop,
): Promise<{ run: DatasetRun; missing: number[]; planned: DatasetReport }> {
  const { run, isNew } = await begin(dataset, hooks, report, stopping);
  const missing = isNew ? await run.missing() : [];
  if (isNew) report.setMissing(missing, []);
  report.counts.skippedInputs = await run.skippedInputs();
  const planned = report.finish(isNew ? "planned" : "up to date");
  return { run, missing, planned };
}

/** Plans a run and stores its plan unless it exists. `isNew`: whether the dataset is unpublished. */
async function begin(
  dataset: ResolvedDataset,
  hooks: DatasetHooks,
  report: DatasetReportBuilder,
  stopping: GracefulStop,
  workerPool?: WorkerPool,
): Promise<OpenDatasetRun & { isNew: boolean }> {
  const { stopSignal: signal, abortSignal } = stopping;
  const planned = await stopping.withWatchdog((alive) =>
    planRun(dataset, { ...hooks, signal, abortSignal, alive }, workerPool),
  );
  report.setPlan(planned.run.plan);
  return { ...planned, isNew: await planned.run.begin(dataset) };
}

/** Plan of a call on a dataset. */
export interface DatasetDryRun {
  fingerprint: string;
  output: string;
  inputs: number;
  rows: number;
  shards: number;
  shardsDone: number;
  rowsLeft: number;
  /** Invalid inputs that are skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[];
}

/**
 * Plans `runDataset` without computing: which shards remain. Reads only the structure of the inputs and writes nothing.
 *
 * @throws SoftjacError if `runDataset` would throw before it computes
 */
export async function dryRunDataset(
  options: DatasetOptions,
  hooks: Pick<DatasetHooks, "signal"> = {},
): Promise<DatasetDryRun> {
  checkHooks(hooks);
  const dataset = resolveDataset(options);
  const { run } = await planRun(dataset, hooks);
  const { fingerprint, of } = run.plan;
  const missing =
    (await run.isPublished()) && !dataset.repair ? [] : await run.missing();
  if (missing.length > 0) await run.rejectOtherDataset(dataset);
  return {
    fingerprint,
    output: dataset.output,
    inputs: of.inputs.length,
    rows: rowsOf(run.plan),
    shards: run.shards,
    shardsDone: run.shards - missing.length,
    rowsLeft: rowsOf(run.plan, missing),
    skippedInputs: await run.skippedInputs(),
  };
}

interface PlanHooks extends Pick<DatasetHooks, "onEvent">, WorkHooks {
  /** Aborts requests of the returned run; `signal` aborts the planning. */
  abortSignal?: AbortSignal | undefined;
}

/**
 * Plans a run from its options. Reads the structure of every input; writes nothing.
 * @param workerPool threads that will compute it; they start while the inputs are checked
 */
async function planRun(
  dataset: ResolvedDataset,
  hooks: PlanHooks,
  workerPool?: WorkerPool,
): Promise<OpenDatasetRun> {
  const { signal, abortSignal = signal } = hooks;
  const found = await findInputs(dataset.inputs, dataset.output, {
    ...dataset.s3,
    signal,
  });
  const message = ignoredFilesMessage(found.ignored);
  if (message) hooks.onEvent?.({ event: "warning", message });
  const s3 = { ...dataset.s3, signal: abortSignal };
  const inputs = await openInputs(found.root, s3, found);
  const options = dataset.optionsFor(dataset.inputs[0] as string);
  if (workerPool) {
    const paths = found.names.map((name) => inputs.path(name));
    // Shards use all threads, one shard at a time.
    await prestartWorkers(workerPool, paths, {
      ...options,
      threadsExplicit: true,
    });
  }
  const { pinned, sizes, skipped } = await pinInputs(
    found.names,
    inputs,
    dataset,
    hooks,
  );
  const planned = makePlan(found.root, {
    checksums: dataset.checksums,
    options: bytesOptions(options),
    inputs: pinned,
    leftOut: skipped,
    shards: planShards(sizes, dataset),
  });
  return { ...(await openRun(dataset.output, planned, s3)), inputs };
}
