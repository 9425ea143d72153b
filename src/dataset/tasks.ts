import {
  checkHooks,
  checkNames,
  checkPath,
  checkValue,
} from "../check-options.js";
import { IncompleteError, InputsSkippedError, UsageError } from "../errors.js";
import type { RunOptions } from "../options.js";
import type { OptionSpec } from "../options-table.js";
import { Crew } from "../pool/crew.js";
import { type S3Options, s3OptionsOf } from "../store/s3-options.js";
import {
  FINALIZE_OPTIONS,
  STATUS_OPTIONS,
  TASK_OPTIONS,
} from "./command-options.js";
import { computeShards } from "./compute-shards.js";
import type { DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import type { DatasetHooks } from "./events.js";
import {
  type DatasetOptions,
  optionsOfParts,
  type ResolvedDataset,
  resolveDataset,
  resolveWork,
} from "./options.js";
import { planRunOver } from "./plan-run-over.js";
import { openPlannedRun, otherRuns } from "./planned-run.js";
import { reported } from "./reported.js";
import type { Stopping } from "./stopping.js";
import { onDataset } from "./system-errors.js";
import { verifyPublished } from "./verify-published.js";

// A run over a dataset in steps, for schedulers: planned once, made by any number of tasks, published by any of them.

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
  const { output, work } = dataset;
  return reported({ output, limits: work, hooks }, (report, stopping) =>
    planUnder(dataset, hooks, report, stopping),
  );
}

/** The same as a step of a call that is reported. */
export async function planUnder(
  dataset: ResolvedDataset,
  hooks: DatasetHooks,
  report: DatasetReportBuilder,
  stopping: Stopping,
): Promise<DatasetReport> {
  const { soon: signal, now } = stopping;
  const { run } = await stopping.watched((alive) =>
    planRunOver(dataset, { ...hooks, signal, now, alive }),
  );
  report.planned(run.plan);
  return onDataset(dataset.output, async () => {
    const isNew = await run.begin(dataset);
    if (isNew) report.found(await run.missing(), []);
    report.skippedInputs(await run.leftOut());
    return report.finish(isNew ? "planned" : "up to date");
  });
}

/** Options of `runShards`. Only `output` is required. */
export interface TaskOptions
  extends S3Options,
    Pick<RunOptions, "threads" | "chunkRows" | "sync"> {
  /** Path or s3:// prefix of the dataset. */
  output: string;
  /** Fingerprint of the run; required if several are planned for the output. */
  run?: string | undefined;
  /** Index i of the task, 0-based: it computes shards i, i + n, i + 2n, …; default: all shards. */
  shardIndex?: number | undefined;
  /** Number of tasks n. */
  shardCount?: number | undefined;
  /** Numbers of the shards to compute, 0-based; default: those of the task. */
  select?: readonly number[] | undefined;
  /** Maximum number of shards to compute. */
  limit?: number | undefined;
  /** Whether to recompute the task's shards that are missing or damaged in the published dataset; default: false. */
  repair?: boolean | undefined;
  /** Whether to skip invalid inputs and compute the others; default: false. */
  keepGoing?: boolean | undefined;
  /** Seconds to finish or abandon the current shard after a stop; default: 25. */
  grace?: number | undefined;
  /** Seconds after which the call ends, with StoppedError if shards remain; default: no limit. */
  timeLimit?: number | undefined;
  /** Seconds without progress after which the call fails with StalledError; default: 600. */
  stallTimeout?: number | undefined;
}

/**
 * Computes the shards of a task that are not complete yet. For a published dataset, compares them with their records.
 *
 * @throws SoftjacError as `run`; PlanMissingError; DatasetDamagedError; StoppedError; StalledError; InputsSkippedError if
 * inputs of these shards were skipped; ConfigurationError if another version of softjac planned the run
 */
export async function runShards(
  options: TaskOptions,
  hooks: DatasetHooks = {},
): Promise<DatasetReport> {
  checkHooks(hooks);
  checkAll(options, TASK_OPTIONS);
  const {
    output,
    run: fingerprint,
    shardIndex,
    shardCount,
    select,
    limit,
    repair = false,
    keepGoing,
    grace,
    timeLimit,
    stallTimeout,
    endpoint,
    region,
    requestTimeout,
    ...own
  } = options;
  const isOfTask = tasksShards({ shardIndex, shardCount });
  const work = resolveWork({ keepGoing, grace, timeLimit, stallTimeout });
  return reported({ output, limits: work, hooks }, async (report, stopping) => {
    const signal = stopping.now;
    const s3 = { endpoint, region, requestTimeout, signal };
    const planned = await openPlannedRun(output, fingerprint, s3);
    const { run } = planned;
    report.planned(run.plan);
    const chosen = select && new Set(select);
    refuseBeyond(select, run.shards);
    const isWanted = (shard: number) =>
      isOfTask(shard) && (chosen?.has(shard) ?? true);
    const of = optionsOfParts(run.plan.of.options, own, output);
    return onDataset(output, async () => {
      if (await run.isPublished()) {
        const how = { ...work, of, s3, limit };
        return verifyPublished(
          {
            ...planned,
            report,
            stopping,
            isWanted,
            ...(repair && { repair: how }),
          },
          hooks,
        );
      }
      run.refuseOtherVersion();
      const missing = await run.missing();
      const shards = missing.filter(isWanted).slice(0, limit);
      report.found(missing, shards);
      const leftOut = new Set<string>();
      await computeShards(
        { ...work, ...planned, crew: new Crew(), of, shards, report, stopping },
        {
          ...hooks,
          onEvent(event) {
            if (event.event === "input skipped") leftOut.add(event.input);
            hooks.onEvent?.(event);
          },
        },
      );
      const all = await run.leftOut();
      report.skippedInputs(all);
      const here = all.filter(({ name }) => leftOut.has(name));
      if (here.length > 0)
        throw new InputsSkippedError(
          run.folders.out,
          here.map(({ name, error }) => ({ input: name, error })),
          run.plan.of.inputs.length,
        );
      return report.finish("done");
    });
  });
}

/** Which shards are a task's. @throws UsageError */
function tasksShards({
  shardIndex,
  shardCount,
}: Pick<TaskOptions, "shardIndex" | "shardCount">): (shard: number) => boolean {
  if ((shardIndex === undefined) !== (shardCount === undefined))
    throw new UsageError(
      "shardIndex, shardCount: give both or none",
      "shardIndex",
    );
  const [index, count] = [shardIndex ?? 0, shardCount ?? 1];
  if (index >= count)
    throw new UsageError(
      `shardIndex: expected a number below shardCount (${count}), found ${index}`,
      "shardIndex",
    );
  return (shard) => shard % count === index;
}

function refuseBeyond(
  select: readonly number[] | undefined,
  shards: number,
): void {
  const beyond = select?.find((shard) => shard >= shards);
  if (beyond !== undefined)
    throw new UsageError(
      `select: expected shards from 0 to ${shards - 1}, found ${beyond}`,
      "select",
    );
}

/** Options of `finalizeDataset`. Only `output` is required. */
export interface FinalizeOptions extends S3Options {
  /** Path or s3:// prefix of the dataset. */
  output: string;
  /** Fingerprint of the run; required if several are planned for the output. */
  run?: string | undefined;
  /** Whether to replace an existing dataset; default: false. */
  overwrite?: boolean | undefined;
  /** Whether to publish the dataset without skipped inputs; default: false. */
  allowMissing?: boolean | undefined;
}

/**
 * Publishes a planned dataset whose shards are all computed. Repeated and concurrent calls are safe.
 *
 * @throws PlanMissingError; IncompleteError if shards are missing; InputsSkippedError if inputs were skipped;
 * OutputExistsError; DatasetDamagedError if a published shard differs from its record; ConfigurationError if another version
 * of softjac planned the run
 */
export async function finalizeDataset(
  options: FinalizeOptions,
  hooks: DatasetHooks = {},
): Promise<DatasetReport> {
  checkHooks(hooks);
  checkAll(options, FINALIZE_OPTIONS);
  const {
    output,
    run: fingerprint,
    overwrite = false,
    allowMissing = false,
  } = options;
  return reported({ output, hooks }, (report, stopping) =>
    stopping.watched(async (alive) => {
      const planned = await openPlannedRun(output, fingerprint, {
        ...s3OptionsOf(options),
        signal: stopping.now,
        alive,
      });
      const { run } = planned;
      report.planned(run.plan);
      return onDataset(output, async () => {
        report.skippedInputs(await run.leftOut());
        if (await run.isPublished())
          return verifyPublished({ ...planned, report, stopping }, hooks);
        run.refuseOtherVersion();
        const missing = await run.missing();
        report.found(missing, []);
        if (missing.length > 0 && !(await run.isPublished()))
          throw new IncompleteError(run.folders.out, missing, run.shards);
        await run.publish({ overwrite, allowMissing });
        hooks.onEvent?.({ event: "published" });
        return report.finish("done");
      });
    }),
  );
}

/** Options of `datasetStatus`. Only `output` is required. */
export interface StatusOptions extends S3Options {
  /** Path or s3:// prefix of the dataset. */
  output: string;
  /** Fingerprint of the run; required if several are planned for the output. */
  run?: string | undefined;
}

/** State of a published or planned dataset. */
export interface DatasetStatus {
  fingerprint: string;
  output: string;
  status: "published" | "in progress";
  inputs: number;
  rows: number;
  shards: number;
  shardsDone: number;
  /** Shards without a record, and shards whose file does not match its record (truncated, replaced or lost). */
  missing: number[];
  damaged: number[];
  /** Damaged files (in a published dataset also missing ones, and its manifest), with the problem of each. */
  problems: { file: string; problem: string }[];
  /** Inputs that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[];
  /** Fingerprints of other unfinished runs for the same output. */
  unfinished: string[];
}

/**
 * Returns which shards of a dataset are done, missing or damaged. Without `run`, describes the published dataset, or else
 * the run in progress.
 *
 * @throws PlanMissingError; UsageError if several runs are in progress and none is published
 */
export async function datasetStatus(
  options: StatusOptions,
  { signal }: Pick<DatasetHooks, "signal"> = {},
): Promise<DatasetStatus> {
  checkAll(options, STATUS_OPTIONS);
  const { output, run: fingerprint } = options;
  const access = { ...s3OptionsOf(options), signal };
  const { run } = await openPlannedRun(
    output,
    fingerprint,
    access,
    "published",
  );
  const isPublished = await run.isPublished();
  const { missing, damaged, faults } = await run.inspect();
  const { of } = run.plan;
  const skippedInputs = await run.leftOut();
  return {
    fingerprint: run.plan.fingerprint,
    output: run.folders.out,
    status: isPublished ? "published" : "in progress",
    inputs: of.inputs.length,
    rows: of.inputs.reduce((sum, { rows }) => sum + rows, 0),
    shards: run.shards,
    shardsDone: run.shards - missing.length - damaged.length,
    missing,
    damaged,
    problems: faults
      .filter(({ record, shard }) => isPublished || record || shard === null)
      .map(({ part, found }) => ({ file: part, problem: found })),
    skippedInputs,
    unfinished: await otherRuns(output, run.plan.fingerprint),
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
