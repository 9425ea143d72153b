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
 * Plans a run over a dataset for others to make.
 * @returns `up to date` where the dataset is complete
 * @throws SoftjacError as runDataset before it starts
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

/** Which shards a task makes. */
export interface TaskOptions
  extends S3Options,
    Pick<
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
  /** These shards alone. */
  select?: readonly number[] | undefined;
  /** Shards to make at most. */
  limit?: number | undefined;
  /** Compute again parts of the published dataset that are missing or damaged, of those that are the task's. */
  repair?: boolean | undefined;
  /** Leave out inputs that are bad and go on with the others. */
  keepGoing?: boolean | undefined;
  /** Seconds for the part under way once the work is stopped. */
  grace?: number | undefined;
  /** Seconds after which the call has returned, stopped where it is not done. */
  timeLimit?: number | undefined;
  /** Seconds without a finished chunk after which the work is given up. */
  stallTimeout?: number | undefined;
}

/**
 * Makes a task's shards of a planned run, those that are not done; of a published one, compares them with their records.
 * @throws PlanMissingError; DatasetDamagedError; ConfigurationError where another version has planned it; SoftjacError as run; StoppedError,
 * StalledError; InputsSkippedError where one of its own was
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
      "shardIndex, shardCount: expected both or none, found one",
      "shardIndex",
    );
  const [index, count] = [shardIndex ?? 0, shardCount ?? 1];
  if (index >= count)
    throw new UsageError(
      `shardIndex: expected less than the ${count} tasks, found ${index}`,
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
      `select: expected parts from 0 to ${shards - 1}, found ${beyond}`,
      "select",
    );
}

export interface FinalizeOptions extends S3Options {
  output: string;
  run?: string | undefined;
  /** Replace another dataset. */
  overwrite?: boolean | undefined;
  /** Publish it without inputs that were left out. */
  allowMissing?: boolean | undefined;
}

/**
 * Publishes a planned run whose parts are all there. Any process may, any number of times.
 * @throws PlanMissingError, IncompleteError, OutputExistsError, InputsSkippedError; ConfigurationError where another
 * version has planned it; DatasetDamagedError where a part of what is published is not what was recorded of it
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

export interface StatusOptions extends S3Options {
  output: string;
  run?: string | undefined;
}

/** State of a run over a dataset. */
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
  /** Damaged files (of a published dataset also missing ones, and its manifest), and what is wrong with each. */
  problems: { file: string; problem: string }[];
  /** Inputs without results, and why. */
  skippedInputs: { name: string; error: string }[];
  /** Fingerprints of other unfinished runs for the same output. */
  unfinished: string[];
}

/**
 * Describes a run over a dataset: the published one, else the one under way, where `run` does not say which.
 * @throws PlanMissingError; UsageError where several are under way and none is published
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
