import { MODEL_FILES } from "../model/run-model.js";
import { checkHooks } from "../options/check-options.js";
import { computeShards } from "./compute-shards.js";
import { makePlan, planShards, rowsOf, summaryOf } from "./dataset-plan.js";
import {
  type DatasetCall,
  type DatasetReport,
  publish,
  withReport,
} from "./dataset-report.js";
import type { DatasetRun } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import { findInputs } from "./find-inputs.js";
import type { WorkHooks } from "./graceful-stop.js";
import {
  hashesOf,
  type PlannedModel,
  readPlannedModel,
} from "./model-files.js";
import {
  bytesOptions,
  type DatasetOptions,
  type ResolvedDataset,
  resolveDataset,
} from "./options.js";
import { pinInputs } from "./pin-inputs.js";
import { type OpenDatasetRun, openInputs, openRun } from "./planned-run.js";
import { verifyPublished } from "./verify-published.js";

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
  return withReport(dataset, hooks, async (call) => {
    const { isNew, ...planned } = await begin(dataset, call);
    const context = { ...dataset, ...call, ...planned };
    if (!isNew) return verifyPublished(context);
    const shards = await planned.run.missing();
    call.report.setMissing(await planned.run.included(), shards);
    await computeShards({ ...context, shards });
    return publish(planned.run, dataset, call);
  });
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
  const plan = async (call: DatasetCall) =>
    (await planWithReport(dataset, call)).planned;
  return withReport(dataset, hooks, plan);
}

/** Plans a dataset within `withReport`. */
export async function planWithReport(
  dataset: ResolvedDataset,
  call: DatasetCall,
): Promise<{ run: DatasetRun; missing: number[]; planned: DatasetReport }> {
  const { report } = call;
  const { run, isNew } = await begin(dataset, call);
  const missing = isNew ? await run.missing() : [];
  if (isNew) report.setMissing(await run.included(), missing, []);
  report.counts.skippedInputs = await run.skippedInputs();
  const planned = report.finish(isNew ? "planned" : "up to date");
  return { run, missing, planned };
}

/** Plans a run and stores its plan unless it exists. `isNew`: whether the dataset is unpublished. */
async function begin(
  dataset: ResolvedDataset,
  { report, stopping, hooks }: DatasetCall,
): Promise<PlannedRun & { isNew: boolean }> {
  const { stopSignal: signal, abortSignal } = stopping;
  const planned = await stopping.withWatchdog((alive) =>
    planRun(dataset, { ...hooks, signal, abortSignal, alive }),
  );
  report.setPlan(planned.run.plan);
  const isNew = await planned.run.begin(dataset, planned.contents);
  return { ...planned, isNew };
}

/** Plan of a call on a dataset. */
export interface DatasetDryRun
  extends Pick<DatasetReport, "output" | "inputs" | "rows" | "shards"> {
  fingerprint: string;
  /** Number of shards that are done, and of those to compute; shards of skipped inputs are neither. */
  shardsDone: number;
  shardsLeft: number;
  rowsLeft: number;
  /** Invalid inputs that are skipped, with the error of each. */
  skippedInputs: DatasetReport["skippedInputs"];
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
  const missing =
    (await run.isPublished()) && !dataset.repair ? [] : await run.missing();
  if (missing.length > 0) await run.rejectOtherDataset(dataset);
  const { fingerprint, ...counts } = summaryOf(run.plan);
  return {
    ...{ fingerprint, output: dataset.output, ...counts },
    shardsDone: (await run.included()) - missing.length,
    shardsLeft: missing.length,
    rowsLeft: rowsOf(run.plan, missing),
    skippedInputs: await run.skippedInputs(),
  };
}

interface PlannedRun extends OpenDatasetRun, Pick<PlannedModel, "contents"> {}

interface PlanHooks extends Pick<DatasetHooks, "onEvent">, WorkHooks {
  /** Aborts requests of the returned run; `signal` aborts the planning. */
  abortSignal?: AbortSignal | undefined;
}

/** Plans a run from its options. Reads the structure of every input; writes nothing. */
async function planRun(
  dataset: ResolvedDataset,
  hooks: PlanHooks,
): Promise<PlannedRun> {
  const { signal, abortSignal = signal } = hooks;
  const { inputs: paths, output } = dataset;
  const others = MODEL_FILES.flatMap((option) => dataset[option] ?? []);
  const found = await findInputs(paths, output, { ...dataset, signal }, others);
  const { warning: message } = found;
  if (message) hooks.onEvent?.({ event: "warning", message });
  const access = { ...dataset, signal: abortSignal };
  const inputs = await openInputs(found.root, access, found.states);
  const options = dataset.optionsFor(paths[0] as string);
  const planned = await readPlannedModel(options, { ...access, signal });
  const { model, contents } = planned;
  const pinned = await pinInputs(found.names, inputs, dataset, {
    ...hooks,
    model,
  });
  // Once is enough: the plan identifies the model.
  await model?.check(signal);
  const plan = makePlan(found.root, {
    checksums: dataset.checksums,
    options: bytesOptions(options),
    model: hashesOf(planned),
    inputs: pinned.pinned,
    leftOut: pinned.skipped,
    shards: planShards(pinned.sizes, dataset),
  });
  const opened = await openRun(output, plan, access);
  return { ...opened, inputs, model: async () => model, contents };
}
