import { checkHooks } from "../check-options.js";
import { Crew } from "../pool/crew.js";
import { computeShards } from "./compute-shards.js";
import type { DatasetReport } from "./dataset-report.js";
import type { DatasetHooks } from "./events.js";
import { type DatasetOptions, resolveDataset } from "./options.js";
import { planRunOver } from "./plan-run-over.js";
import type { Shard } from "./plan-shards.js";
import { reported } from "./reported.js";
import { onDataset } from "./system-errors.js";
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
  const { output, work, of } = dataset;
  const crew = new Crew();
  return reported({ output, limits: work, hooks }, async (report, stopping) => {
    const { soon: signal, now } = stopping;
    const { run, store, inputs } = await stopping.watched((alive) =>
      planRunOver(dataset, { ...hooks, signal, now, alive }, crew),
    );
    report.planned(run.plan);
    return onDataset(output, async () => {
      if (!(await run.begin(dataset))) {
        const s3 = { ...dataset.s3, signal: now };
        const repair = { ...work, of, s3 };
        return verifyPublished(
          {
            run,
            store,
            inputs,
            report,
            stopping,
            ...(dataset.repair && { repair }),
          },
          hooks,
        );
      }
      const shards = await run.missing();
      report.found(shards);
      await computeShards(
        { ...work, crew, of, run, store, inputs, shards, report, stopping },
        hooks,
      );
      report.skippedInputs(await run.leftOut());
      await run.publish(dataset);
      hooks.onEvent?.({ event: "published" });
      return report.finish("done");
    });
  }).finally(() => crew.close());
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
  const { run } = await planRunOver(dataset, hooks);
  const { fingerprint, of } = run.plan;
  const missing =
    (await run.isPublished()) && !dataset.repair ? [] : await run.missing();
  if (missing.length > 0) await run.refuseOther(dataset);
  const rowsOf = (shard: number) => {
    const { rowStart, rowEnd } = of.shards[shard] as Shard;
    return rowEnd - rowStart;
  };
  return {
    fingerprint,
    output: dataset.output,
    inputs: of.inputs.length,
    rows: of.inputs.reduce((sum, { rows }) => sum + rows, 0),
    shards: run.shards,
    shardsDone: run.shards - missing.length,
    rowsLeft: missing.reduce((sum, shard) => sum + rowsOf(shard), 0),
    skippedInputs: await run.leftOut(),
  };
}
