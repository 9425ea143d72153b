import { InputsSkippedError, UsageError } from "../errors.js";
import { checkHooks, copyOptions, resolve } from "../options/check-options.js";
import type { OptionsOf } from "../options/options-table.js";
import { computeShards } from "./compute-shards.js";
import { summaryOf } from "./dataset-plan.js";
import { type DatasetReport, publish, withReport } from "./dataset-report.js";
import type { DatasetHooks } from "./events.js";
import { shardOptions } from "./options.js";
import { openPlannedRun, otherRuns } from "./planned-run.js";
import { verifyPublished } from "./verify-published.js";

// Steps of a run for job schedulers: after planDataset, any number of tasks compute shards, and any of them publishes.

/** Options of `datasetStatus`. Only `output` is required. */
export interface StatusOptions extends OptionsOf<"status"> {}

/** Options of `runShards`. Only `output` is required. */
export interface TaskOptions extends OptionsOf<"run-shard"> {}

/** Options of `finalizeDataset`. Only `output` is required. */
export interface FinalizeOptions extends OptionsOf<"finalize"> {}

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
  const resolved = resolve("run-shard", options);
  const { output, run: fingerprint, limit } = resolved;
  const isWanted = shardFilter(options);
  return withReport(resolved, hooks, async (call) => {
    const { report, stopping } = call;
    const access = { ...options, signal: stopping.abortSignal };
    const planned = await openPlannedRun(output, fingerprint, access);
    const { run } = planned;
    const { options: runOptions, inputs } = run.plan.of;
    report.setPlan(run.plan);
    const optionsFor = shardOptions(runOptions, resolved, output);
    const context = { ...resolved, ...call, ...planned, optionsFor };
    if (await run.isPublished())
      return verifyPublished({ ...context, isWanted });
    run.rejectOtherVersion();
    const missing = await run.missing();
    const shards = missing.filter(isWanted).slice(0, limit);
    report.setMissing(await run.included(), missing, shards);
    const skipped = await computeShards({ ...context, shards });
    const all = await run.skippedInputs();
    report.counts.skippedInputs = all;
    const ofTask = all.filter(({ name }) => skipped.has(name));
    if (ofTask.length > 0)
      throw new InputsSkippedError(run.folders.out, ofTask, inputs.length);
    return report.finish("done");
  });
}

function shardFilter({
  shardIndex,
  shardCount,
}: Pick<TaskOptions, "shardIndex" | "shardCount">): (shard: number) => boolean {
  if ((shardIndex === undefined) !== (shardCount === undefined))
    throw new UsageError("shardIndex, shardCount: give both or none");
  const [index, count] = [shardIndex ?? 0, shardCount ?? 1];
  if (index >= count)
    throw new UsageError(
      `shardIndex: expected a number from 0 to ${count - 1}, because there are ${count} tasks, found ${index}`,
    );
  return (shard) => shard % count === index;
}

/**
 * Publishes a planned dataset whose shards are all computed. Repeated and concurrent calls are safe.
 *
 * @throws PlanMissingError; IncompleteError if shards are missing; InputsSkippedError if inputs were skipped;
 * OutputExistsError; DatasetDamagedError if a published shard differs from its record; ConfigurationError if another version
 * of softjac planned the run
 */
export async function finalizeDataset(
  given: FinalizeOptions,
  hooks: DatasetHooks = {},
): Promise<DatasetReport> {
  checkHooks(hooks);
  resolve("finalize", given);
  const options = copyOptions(given);
  const { output, run: fingerprint } = options;
  return withReport(options, hooks, (call) =>
    call.stopping.withWatchdog(async (alive) => {
      const { report, stopping } = call;
      const access = { ...options, signal: stopping.abortSignal, alive };
      const planned = await openPlannedRun(output, fingerprint, access);
      const { run } = planned;
      report.setPlan(run.plan);
      if (await run.isPublished())
        return verifyPublished({ ...planned, ...call });
      run.rejectOtherVersion();
      report.setMissing(await run.included(), await run.missing(), []);
      return publish(run, options, call);
    }),
  );
}

/** State of a published or planned dataset. */
export interface DatasetStatus
  extends Pick<DatasetReport, "output" | "inputs" | "rows" | "shards"> {
  fingerprint: string;
  status: "published" | "in progress";
  /** Number of shards that are done, except those of skipped inputs. */
  shardsDone: number;
  /** Shards without a record, and shards whose file does not match its record (truncated, replaced or lost). */
  missing: number[];
  damaged: number[];
  /**
   * Damaged files (in a published dataset also missing ones, and its manifest) and missing or damaged copies of the files of
   * a model, with the problem of each.
   */
  problems: DatasetReport["damaged"];
  /** Inputs that were skipped, with the error of each. */
  skippedInputs: DatasetReport["skippedInputs"];
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
  hooks: Pick<DatasetHooks, "signal"> = {},
): Promise<DatasetStatus> {
  checkHooks(hooks);
  resolve("status", options);
  const { signal } = hooks;
  const { output, run: fingerprint } = options;
  const access = { ...options, signal };
  const prefer = "published";
  const { run } = await openPlannedRun(output, fingerprint, access, prefer);
  const isPublished = await run.isPublished();
  const faults = [...(await run.faults()), ...(await run.modelFaults())];
  const shardsOf = (hasRecord: boolean) =>
    faults
      .filter(({ record }) => (record !== null) === hasRecord)
      .flatMap(({ shard }) => shard ?? []);
  const [missing, damaged] = [shardsOf(false), shardsOf(true)];
  const { fingerprint: own, ...counts } = summaryOf(run.plan);
  return {
    ...{ fingerprint: own, output: run.folders.out },
    status: isPublished ? "published" : "in progress",
    ...counts,
    shardsDone: (await run.included()) - missing.length - damaged.length,
    missing,
    damaged,
    problems: faults
      .filter(({ record, shard }) => isPublished || record || shard === null)
      .map(({ file, problem }) => ({ file, problem })),
    skippedInputs: await run.skippedInputs(),
    unfinished: await otherRuns(output, run.plan.fingerprint),
  };
}
