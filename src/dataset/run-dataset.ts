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
 * Softmax and Jacobian blocks of many files: a folder of parts, which appears whole or not at all. What is done of it is
 * kept: the same call goes on where another has stopped or died, on whatever machine, beside others or alone, and ends
 * with the same bytes.
 *
 * @throws SoftjacError: as run; OutputExistsError where the folder is another run's; DatasetDamagedError where a part of
 * the published dataset is not what was recorded of it; StoppedError where it was stopped
 * with something saved, StalledError where nothing happened any more; InputsSkippedError
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

/** What a call over a dataset would do. */
export interface DatasetDryRun {
  fingerprint: string;
  output: string;
  inputs: number;
  rows: number;
  shards: number;
  shardsDone: number;
  rowsLeft: number;
  /** Bad inputs that it skips, and why. */
  skippedInputs: { name: string; error: string }[];
}

/**
 * Says what a call would do: what is left of the dataset. Reads the inputs' structure, writes nothing.
 * @throws SoftjacError as runDataset would before it starts
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
