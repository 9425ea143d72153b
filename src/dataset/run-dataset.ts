import type { RunHooks } from "../run.js";
import { computeShards } from "./compute-shards.js";
import { type DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import { type DatasetOptions, resolveDataset } from "./options.js";
import { planRunOver } from "./plan-run-over.js";
import type { Shard } from "./plan-shards.js";
import { onDataset } from "./system-errors.js";

/**
 * Softmax and Jacobian blocks of many files: a folder of parts, which appears whole or not at all. What is done of it is
 * kept: the same call goes on where another has stopped or died, on whatever machine, beside others or alone, and ends
 * with the same bytes.
 *
 * @throws SoftjacError: as run; OutputExistsError where the folder is another run's; StoppedError where it was stopped
 * with something saved
 */
export async function runDataset(
  options: DatasetOptions,
  hooks: RunHooks = {},
): Promise<DatasetReport> {
  const dataset = resolveDataset(options);
  const report = new DatasetReportBuilder(dataset.output);
  const { run, store } = await planRunOver(dataset, hooks);
  report.planned(run.plan);
  return onDataset(dataset.output, async () => {
    if (!(await run.begin(dataset))) return report.finish("done already");
    const missing = await run.missing();
    report.found(run.shards - missing.length);
    const { of } = dataset;
    await computeShards({ of, run, store, shards: missing, report }, hooks);
    await run.publish(dataset);
    return report.finish("done");
  });
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
}

/**
 * Says what a call would do: what is left of the dataset. Reads the inputs' structure, writes nothing.
 * @throws SoftjacError as runDataset would before it starts
 */
export async function dryRunDataset(
  options: DatasetOptions,
  hooks: Pick<RunHooks, "signal"> = {},
): Promise<DatasetDryRun> {
  const dataset = resolveDataset(options);
  const { run } = await planRunOver(dataset, hooks);
  const { fingerprint, of } = run.plan;
  const missing = (await run.isPublished()) ? [] : await run.missing();
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
  };
}
