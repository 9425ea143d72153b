import { AbortedError, DatasetDamagedError, StoppedError } from "../errors.js";
import { isS3 } from "../io/location.js";
import { SUCCESS } from "./dataset-files.js";
import { rowsOf } from "./dataset-plan.js";
import type { DatasetCall, DatasetReport } from "./dataset-report.js";
import type { DatasetRun } from "./dataset-run.js";
import type { Fault } from "./run-files.js";

interface Published extends DatasetCall {
  run: DatasetRun;
  /** Shards to check; default: all. */
  isWanted?: ((shard: number) => boolean) | undefined;
}

/**
 * Compares a published dataset with its records.
 * @returns a report with the status `up to date`
 * @throws DatasetDamagedError; StoppedError
 */
export async function verifyPublished(
  published: Published,
): Promise<DatasetReport> {
  const { run, report } = published;
  report.counts.skippedInputs = await run.skippedInputs();
  const faults = await faultsOf(published);
  if (faults.length === 0) return report.finish("up to date");
  report.setMissing(
    faults.flatMap(({ shard }) => shard ?? []),
    [],
  );
  const files = faults.map(({ file, problem }) => ({ file, problem }));
  report.counts.damaged = files;
  const { out, wip } = run.folders;
  const advice = isS3(out)
    ? `remove ${SUCCESS} and these objects`
    : `rename the directory to ${wip}, remove these files in it`;
  throw new DatasetDamagedError(out, files, run.shards, advice);
}

/** @throws StoppedError */
async function faultsOf({
  run,
  stopping,
  isWanted,
  hooks,
}: Published): Promise<Fault[]> {
  const rows = rowsOf(run.plan);
  let rowsChecked = 0;
  try {
    return await run.faults({
      thorough: true,
      isWanted,
      signal: stopping.stopSignal,
      onChecked(shard) {
        rowsChecked += rowsOf(run.plan, [shard]);
        hooks.onProgress?.(rowsChecked, rows);
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
