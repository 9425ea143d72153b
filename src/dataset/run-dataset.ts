import { join } from "node:path";
import { AbortedError, StoppedError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openLogits } from "../input/open-logits.js";
import { openOptionsOf } from "../options.js";
import { Crew } from "../pool/crew.js";
import type { RunHooks } from "../run.js";
import { computePart } from "./compute-part.js";
import { makePlan, type PinnedInput } from "./dataset-plan.js";
import { type DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import { DatasetRun, partRecord } from "./dataset-run.js";
import { findInputs } from "./find-inputs.js";
import { runFolders } from "./names.js";
import {
  bytesOptions,
  type DatasetOptions,
  type ResolvedDataset,
  resolveDataset,
} from "./options.js";
import { checkPinned, pinInputs } from "./pin-inputs.js";
import { planShards, type Shard } from "./plan-shards.js";
import { PosixStore } from "./posix-store.js";

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
  const report = new DatasetReportBuilder(dataset);
  const { run, store } = await planDataset(dataset, hooks);
  report.planned(run.plan);
  if (!(await run.begin(dataset))) return report.finish("done already");
  const missing = await run.missing();
  report.found(run.shards - missing.length);
  await computeShards({ dataset, run, store, missing, report }, hooks);
  await run.publish(dataset);
  return report.finish("done");
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
  const { run } = await planDataset(dataset, hooks);
  const { fingerprint, of } = run.plan;
  const missing = (await run.isPublished()) ? [] : await run.missing();
  if (missing.length > 0 && !dataset.overwrite) await run.refuseOther();
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

async function planDataset(
  dataset: ResolvedDataset,
  { signal }: Pick<RunHooks, "signal">,
): Promise<{ run: DatasetRun; store: PosixStore }> {
  const found = await findInputs(dataset.inputs, dataset.output);
  const { pinned, sizes } = await pinInputs(found, dataset, signal);
  const plan = makePlan(found.root, {
    options: bytesOptions(dataset.of(dataset.inputs[0] as string)),
    inputs: pinned,
    shards: planShards(sizes, dataset),
  });
  const folders = runFolders(dataset.output, plan.fingerprint);
  const store = new PosixStore(folders.tmp);
  return { run: new DatasetRun(store, folders, plan), store };
}

interface Shards {
  dataset: ResolvedDataset;
  run: DatasetRun;
  store: PosixStore;
  missing: number[];
  report: DatasetReportBuilder;
}

/** One after the other, each on all threads. */
async function computeShards(
  { dataset, run, store, missing, report }: Shards,
  hooks: RunHooks,
): Promise<void> {
  const { of, root } = run.plan;
  const crew = new Crew();
  const inputs = new OpenInput();
  try {
    for (const shard of missing) {
      if (hooks.signal?.aborted) throw new AbortedError();
      // Another process may have done it since.
      if (await run.isDone(shard)) continue;
      await run.clearDamaged(shard);
      const span = of.shards[shard] as Shard;
      const input = of.inputs[span.input] as PinnedInput;
      const path = join(root, input.name);
      const resolved = dataset.of(path);
      const options = { ...resolved, part: span, source: input.name };
      const logits = await inputs.open(path, () => {
        checkPinned(path, input);
        return openLogits(path, openOptionsOf(resolved, hooks.signal));
      });
      const temporary = store.temporaryName();
      const made = await computePart(
        { crew, options, logits, path: dataset.output, temporary },
        { ...hooks, onProgress: report.progress(hooks.onProgress) },
      );
      checkPinned(path, input);
      if (!(await run.commit(temporary, partRecord(run.plan, shard, made))))
        return;
      report.made(made);
    }
  } catch (error) {
    // With the run's folders goes the place for what this process was making.
    if (await run.isPublished()) return;
    if (error instanceof AbortedError)
      throw new StoppedError(report.shardsDone, run.shards, { cause: error });
    throw error;
  } finally {
    inputs.close();
    await crew.close();
  }
}

/** The input of the last shard: mostly the next one's too. */
class OpenInput {
  #path = "";
  #logits: LogitsFile | null = null;

  async open(
    path: string,
    open: () => Promise<LogitsFile>,
  ): Promise<LogitsFile> {
    if (this.#logits && this.#path === path) return this.#logits;
    this.close();
    this.#logits = await open();
    this.#path = path;
    return this.#logits;
  }

  close(): void {
    this.#logits?.close();
    this.#logits = null;
  }
}
