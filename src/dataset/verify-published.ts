import { AbortedError, DatasetDamagedError, StoppedError } from "../errors.js";
import type { ResolvedOptions } from "../options.js";
import type { S3Access } from "../store/s3-options.js";
import { computeShards } from "./compute-shards.js";
import type { DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import type { DatasetRun } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import type { Shard } from "./plan-shards.js";
import type { StoredRunOver } from "./planned-run.js";
import { Repair } from "./repair.js";
import type { Stopping } from "./stopping.js";
import type { Fault } from "./stored-parts.js";

interface Published extends StoredRunOver {
  report: DatasetReportBuilder;
  stopping: Stopping;
  /** The shards to look at; default: all. */
  isWanted?: ((shard: number) => boolean) | undefined;
  /** How damaged parts are computed again; without it they are only found. */
  repair?: {
    of: (input: string) => ResolvedOptions;
    stallTimeout: number;
    s3: S3Access;
    /** Parts to compute at most. */
    limit?: number | undefined;
  };
}

/**
 * Compares a published dataset with its records, and computes damaged parts again where that is asked for.
 * @returns `up to date`, or `done` where something was repaired
 * @throws DatasetDamagedError; StoppedError; with `repair`, SoftjacError as run
 */
export async function verifyPublished(
  { report, stopping, isWanted, repair, ...work }: Published,
  hooks: DatasetHooks,
): Promise<DatasetReport> {
  const { run } = work;
  report.skippedInputs(await run.leftOut());
  const faults = await faultsOf(run, { stopping, isWanted }, hooks);
  if (faults.length === 0) return report.finish("up to date");
  const damaged = shardsOf(faults);
  const toDo = repair ? damaged.slice(0, repair.limit) : [];
  report.found(damaged, toDo);
  if (repair) {
    await run.clearUp();
    const repaired = await Repair.open(run, repair.s3, faults);
    try {
      const { store } = repaired;
      const parts = { ...work, ...repair, store, run: repaired, shards: toDo };
      await computeShards(
        { ...parts, keepGoing: false, report, stopping },
        hooks,
      );
      // It can be made once every part has a record again.
      if (faults.some(isManifest) && toDo.length === damaged.length)
        await repaired.run.replaceManifest();
    } finally {
      await repaired.close();
    }
  }
  const left = faults.filter(({ shard }) =>
    shard === null
      ? toDo.length < damaged.length || !repair
      : !toDo.includes(shard),
  );
  const files = left.map(({ part, found }) => ({ file: part, problem: found }));
  report.damaged(files);
  if (files.length > 0)
    throw new DatasetDamagedError(run.folders.out, files, run.shards);
  return report.finish("done");
}

/** @throws StoppedError */
async function faultsOf(
  run: DatasetRun,
  { stopping, isWanted }: Pick<Published, "stopping" | "isWanted">,
  { onProgress }: DatasetHooks,
): Promise<Fault[]> {
  const { shards, inputs } = run.plan.of;
  const rows = inputs.reduce((sum, input) => sum + input.rows, 0);
  let rowsChecked = 0;
  try {
    return await run.faults({
      thorough: true,
      isWanted,
      signal: stopping.soon,
      onChecked(shard) {
        const { rowStart, rowEnd } = shards[shard] as Shard;
        rowsChecked += rowEnd - rowStart;
        onProgress?.(rowsChecked, rows);
      },
    });
  } catch (error) {
    if (!(error instanceof AbortedError)) throw error;
    throw new StoppedError(
      run.shards,
      run.shards,
      { cause: error },
      `${run.folders.out}: stopped before all ${run.shards} published shards were compared with their records; run the same command again`,
    );
  }
}

function shardsOf(faults: readonly Fault[]): number[] {
  return faults.flatMap(({ shard }) => (shard === null ? [] : [shard]));
}

function isManifest({ shard }: Fault): boolean {
  return shard === null;
}
