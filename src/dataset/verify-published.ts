import { rm } from "node:fs/promises";
import {
  AbortedError,
  DatasetDamagedError,
  InternalError,
  IoError,
  StoppedError,
} from "../errors.js";
import { processMark, randomHex } from "../io/temporary-names.js";
import { MODEL_COPIES } from "../model/run-model.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { hasFolders, type S3Options } from "../storage/store.js";
import { computeShards } from "./compute-shards.js";
import { MANIFEST, type ShardRecord, sameRecords } from "./dataset-files.js";
import { rowsOf } from "./dataset-plan.js";
import type { DatasetCall, DatasetReport } from "./dataset-report.js";
import type { DatasetRun, ShardRun } from "./dataset-run.js";
import type { PlannedModel } from "./model-files.js";
import { type OpenDatasetRun, openRun } from "./planned-run.js";
import type { Fault } from "./run-files.js";

interface Published extends OpenDatasetRun, DatasetCall {
  /** Shards to check; default: all. */
  isWanted?: ((shard: number) => boolean) | undefined;
}

/** Settings for recomputing damaged shards. */
interface RepairOptions extends S3Options {
  repair: boolean;
  optionsFor: (input: string) => ResolvedOptions;
  stallTimeout: number;
  /** Maximum number of shards to recompute. */
  limit?: number | undefined;
  /** Contents of the files of the model, which replace damaged copies; tasks do not have them. */
  contents?: PlannedModel["contents"] | undefined;
}

/**
 * Compares a published dataset with its records, and with `repair` recomputes damaged shards.
 * @returns a report with the status `up to date`, or `done` after a repair
 * @throws DatasetDamagedError; StoppedError; with `repair`, SoftjacError as run
 */
export async function verifyPublished(
  published: Published & (RepairOptions | { repair?: undefined }),
): Promise<DatasetReport> {
  const { run, report } = published;
  report.counts.skippedInputs = await run.skippedInputs();
  const faults = await faultsOf(published);
  if (faults.length === 0) return report.finish("up to date");
  const damaged = faults.flatMap(({ shard }) => shard ?? []);
  const toDo = published.repair ? damaged.slice(0, published.limit) : [];
  report.setMissing(await run.included(), damaged, toDo);
  if (published.repair) await recompute(published, faults, toDo);
  const isManifestDone = published.repair && toDo.length === damaged.length;
  const copies = published.repair ? modelCopies(published) : new Map();
  const files = faults
    .filter(({ shard, file }) =>
      shard !== null
        ? !toDo.includes(shard)
        : file === MANIFEST
          ? !isManifestDone
          : !copies.has(file),
    )
    .map(({ file, problem }) => ({ file, problem }));
  report.counts.damaged = files;
  if (files.length > 0)
    throw new DatasetDamagedError(run.folders.out, files, run.shards);
  return report.finish("done");
}

async function faultsOf({
  run,
  stopping,
  isWanted,
  hooks,
}: Published): Promise<Fault[]> {
  const rows = rowsOf(run.plan);
  let rowsChecked = 0;
  try {
    const faults = await run.faults({
      thorough: true,
      isWanted,
      signal: stopping.stopSignal,
      onChecked(shard) {
        rowsChecked += rowsOf(run.plan, [shard]);
        hooks.onProgress?.(rowsChecked, rows);
      },
    });
    const all = [...faults, ...(await run.modelFaults())];
    if (all.length === 0 || (await run.isPublished())) return all;
    // The faults are of files of two datasets.
    const gone =
      "another run replaced or removed the dataset during the check; run the same command again";
    throw new IoError(run.folders.out, gone);
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

/**
 * Recomputes damaged shards of a published dataset and replaces their files one by one. Temporary files are in a directory
 * that only this process uses.
 */
async function recompute(
  { run: published, ...work }: Published & RepairOptions,
  faults: readonly Fault[],
  shards: readonly number[],
): Promise<void> {
  const { plan, folders } = published;
  await published.cleanUp();
  const tmp = `${folders.tmp}-${processMark()}-${randomHex(12)}`;
  const access = { ...work, signal: work.stopping.abortSignal };
  const { run, store } = await openRun(folders.out, plan, access, tmp);
  run.rejectOtherVersion();
  await run.rejectOtherDataset({ overwrite: false });
  if (hasFolders(store)) await store.makeFolder(tmp);
  try {
    for (const [file, content] of modelCopies(work))
      if (faults.some((fault) => fault.file === file))
        await run.replaceModelFile(file, content);
    const repaired = { run: repairOf(run, faults), store, shards };
    await computeShards({ ...work, ...repaired, keepGoing: false });
    // The manifest can be rebuilt only if every shard has a valid record.
    const isComplete = faults.every(
      ({ shard }) => shard === null || shards.includes(shard),
    );
    if (isComplete && faults.some(({ file }) => file === MANIFEST))
      await run.replaceManifest();
  } finally {
    if (hasFolders(store)) await store.remove(tmp);
  }
}

/** Returns the contents of the copies of model files that this process knows, by their names. */
function modelCopies({ contents }: Pick<RepairOptions, "contents">) {
  const files = [...(contents ?? [])];
  return new Map(
    files.map(([option, content]) => [MODEL_COPIES[option], content]),
  );
}

/** Adapts a published run for `computeShards`, so that damaged shards are recomputed in place. */
function repairOf(run: DatasetRun, faults: readonly Fault[]): ShardRun {
  const { plan, folders, shards } = run;
  const records = new Map(faults.map(({ shard, record }) => [shard, record]));
  /** Returns false if another process has repaired the shard. */
  const mustCompute = async (shard: number) => {
    const isWanted = (other: number) => other === shard;
    const remaining = await run.faults({ isWanted, thorough: true });
    return remaining.some((fault) => fault.shard === shard);
  };
  return {
    plan,
    folders,
    shards,
    mustCompute,
    // `true` would end the work, because publication usually means that all shards are done.
    isPublished: async () => false,
    skipInput: async () => {},
    async commit(file, record) {
      try {
        const expected = records.get(record.shard);
        if (expected && !sameRecords(expected, record))
          throw new InternalError(
            `${folders.out}/${record.part}: the recomputed shard (${describe(record)}) differs from its record (${describe(expected)}); nothing was replaced`,
          );
        if (await mustCompute(record.shard))
          await run.replaceShard(file, record);
        return true;
      } finally {
        await rm(file, { force: true });
      }
    },
  };
}

function describe({ rows, bytes, sha256 }: ShardRecord): string {
  return `${rows} rows, ${bytes} bytes${sha256 === null ? "" : `, SHA-256 ${sha256}`}`;
}
