import { checkNames, checkPath, checkValue } from "../check-options.js";
import { IncompleteError, UsageError } from "../errors.js";
import { type RunOptions, resolveOptions } from "../options.js";
import type { OptionSpec } from "../options-table.js";
import type { RunHooks } from "../run.js";
import {
  FINALIZE_OPTIONS,
  STATUS_OPTIONS,
  TASK_OPTIONS,
} from "./command-options.js";
import { computeShards } from "./compute-shards.js";
import { type DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import {
  type DatasetOptions,
  resolveDataset,
  runOptionsOf,
} from "./options.js";
import { planRunOver } from "./plan-run-over.js";
import { openPlannedRun } from "./planned-run.js";
import { onDataset } from "./system-errors.js";

// A run over a dataset in steps, for schedulers: planned once, made by any number of tasks, published by any of them.

/**
 * Plans a run over a dataset for others to make.
 * @returns `done already` where the dataset is complete
 * @throws SoftjacError as runDataset before it starts
 */
export async function planDataset(
  options: DatasetOptions,
  hooks: Pick<RunHooks, "signal"> = {},
): Promise<DatasetReport> {
  const dataset = resolveDataset(options);
  const report = new DatasetReportBuilder(dataset.output);
  const { run } = await planRunOver(dataset, hooks);
  report.planned(run.plan);
  return onDataset(dataset.output, async () => {
    const isNew = await run.begin(dataset);
    if (isNew) report.found(run.shards - (await run.missing()).length);
    return report.finish(isNew ? "planned" : "done already");
  });
}

/** Which shards a task makes. */
export interface TaskOptions
  extends Pick<
    RunOptions,
    | "threads"
    | "chunkRows"
    | "kernel"
    | "sync"
    | "maxMetadataBytes"
    | "maxColumns"
    | "maxNesting"
    | "maxBatchRows"
    | "maxDecodedBytes"
  > {
  /** Path of the dataset that is to be. */
  output: string;
  run?: string | undefined;
  /** Task i of n makes shards i, i + n, i + 2n, … */
  shardIndex?: number | undefined;
  shardCount?: number | undefined;
  /** Shards to make at most. */
  limit?: number | undefined;
}

/**
 * Makes a task's shards of a planned run, those that are not done.
 * @throws PlanMissingError; SoftjacError as run; StoppedError
 */
export async function runShards(
  options: TaskOptions,
  hooks: RunHooks = {},
): Promise<DatasetReport> {
  checkAll(options, TASK_OPTIONS);
  const {
    output,
    run: fingerprint,
    shardIndex,
    shardCount,
    limit,
    ...own
  } = options;
  if ((shardIndex === undefined) !== (shardCount === undefined))
    throw new UsageError(
      "shardIndex, shardCount: expected both or none, found one",
      "shardIndex",
    );
  const [index, count] = [shardIndex ?? 0, shardCount ?? 1];
  if (index >= count)
    throw new UsageError(
      `shardIndex: expected less than the ${count} tasks, found ${index}`,
      "shardIndex",
    );
  const report = new DatasetReportBuilder(output);
  const { run, store } = await openPlannedRun(output, fingerprint);
  report.planned(run.plan);
  if (await run.isPublished()) return report.finish("done already");
  const missing = await onDataset(output, () => run.missing());
  report.found(run.shards - missing.length);
  const shards = missing
    .filter((shard) => shard % count === index)
    .slice(0, limit);
  const of = (input: string) =>
    resolveOptions({
      ...runOptionsOf(run.plan.of.options),
      ...own,
      input,
      output,
    });
  await onDataset(output, () =>
    computeShards({ of, run, store, shards, report }, hooks),
  );
  return report.finish("done");
}

export interface FinalizeOptions {
  output: string;
  run?: string | undefined;
  /** Replace another dataset. */
  overwrite?: boolean | undefined;
}

/**
 * Publishes a planned run whose parts are all there. Any process may, any number of times.
 * @throws PlanMissingError, IncompleteError, OutputExistsError
 */
export async function finalizeDataset(
  options: FinalizeOptions,
): Promise<DatasetReport> {
  checkAll(options, FINALIZE_OPTIONS);
  const { output, run: fingerprint, overwrite = false } = options;
  const report = new DatasetReportBuilder(output);
  const { run } = await openPlannedRun(output, fingerprint);
  report.planned(run.plan);
  return onDataset(output, async () => {
    if (await run.isPublished()) return report.finish("done already");
    const missing = await run.missing();
    report.found(run.shards - missing.length);
    if (missing.length > 0 && !(await run.isPublished()))
      throw new IncompleteError(run.folders.out, missing, run.shards);
    await run.publish({ overwrite });
    return report.finish("done");
  });
}

export interface StatusOptions {
  output: string;
  run?: string | undefined;
}

/** How far a run over a dataset is. */
export interface DatasetStatus {
  fingerprint: string;
  output: string;
  status: "published" | "under way";
  inputs: number;
  rows: number;
  shards: number;
  shardsDone: number;
  /** Shards without a record, and with one that their part is not: cut, replaced, lost. */
  missing: number[];
  damaged: number[];
}

/** @throws PlanMissingError */
export async function datasetStatus(
  options: StatusOptions,
): Promise<DatasetStatus> {
  checkAll(options, STATUS_OPTIONS);
  const { output, run: fingerprint } = options;
  const { run } = await openPlannedRun(output, fingerprint);
  const isPublished = await run.isPublished();
  const { missing, damaged } = await run.inspect();
  const { of } = run.plan;
  return {
    fingerprint: run.plan.fingerprint,
    output: run.folders.out,
    status: isPublished ? "published" : "under way",
    inputs: of.inputs.length,
    rows: of.inputs.reduce((sum, { rows }) => sum + rows, 0),
    shards: run.shards,
    shardsDone: run.shards - missing.length - damaged.length,
    missing,
    damaged,
  };
}

function checkAll<Options extends { output: string }>(
  options: Options,
  specs: readonly OptionSpec[],
): void {
  checkNames(options, ["output", ...specs.map(({ name }) => name)]);
  checkPath("output", options.output);
  for (const spec of specs)
    checkValue(spec, options[spec.name as keyof Options]);
}
