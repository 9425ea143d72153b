import { rm } from "node:fs/promises";
import { StalledError, WorkerError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { withWatchdog } from "../io/waiting.js";
import type { RunModel } from "../model/run-model.js";
import type { RunHooks } from "../options/hooks.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { openTemporary } from "../output/temporary-file.js";
import { WorkerPool } from "../pool/worker-pool.js";
import { computeAndCommit, openFile } from "../run/compute-and-commit.js";
import { openOptions } from "../run/open-options.js";
import { planRun } from "../run/run-plan.js";
import { ReportBuilder } from "../run/run-report.js";
import { openStore } from "../storage/open-store.js";
import { hashOf } from "../storage/store.js";
import {
  type ShardResult,
  shardFileName,
  shardRecord,
} from "./dataset-files.js";
import type { PinnedInput, Shard } from "./dataset-plan.js";
import type { ShardRun } from "./dataset-run.js";
import type { DatasetEvent, DatasetHooks } from "./events.js";
import type { OpenDatasetRun } from "./planned-run.js";
import { inputErrorMessage, isInvalidInput } from "./run-files.js";

/** Run whose shards are computed, and settings for that. */
export interface ShardContext extends Omit<OpenDatasetRun, "run"> {
  run: ShardRun;
  /** Returns the options of a run over one input. */
  optionsFor: (input: string) => ResolvedOptions;
  keepGoing: boolean;
  /** Seconds without progress after which a shard is abandoned. */
  stallTimeout: number;
}

interface ShardHooks
  extends Pick<RunHooks, "onProgress">,
    Pick<DatasetHooks, "onEvent"> {
  signal: AbortSignal;
  /** Called when the shard is computed but not yet committed, so that the next one can start. */
  onComputed?: () => void;
}

/**
 * Event that reports a shard, or the reason why there was nothing to do: `up to date` if it was computed before or its input
 * skipped, `published` if another process published the dataset meanwhile.
 */
export type ShardOutcome =
  | Extract<DatasetEvent, { event: "shard completed" | "input skipped" }>
  | "up to date"
  | "published";

/** Computes and commits shards, each on all threads. Keeps the threads and the last input open between shards. */
export class ShardComputer {
  #pool = new WorkerPool();
  #cleared: Promise<void> | null = null;
  #isStalled = false;
  /** Input of the last shard, which the next shard usually reads too. */
  #opened: { path: string; logits: LogitsFile } | null = null;

  #model: Promise<RunModel | null> | null = null;

  constructor(private readonly context: ShardContext) {}

  /**
   * Computes and commits a shard unless it is done. The next shard may start while this one is committed.
   * @throws SoftjacError as run; WorkerError if worker threads crashed twice; StalledError
   */
  async compute(shard: number, hooks: ShardHooks): Promise<ShardOutcome> {
    const { run, inputs, keepGoing } = this.context;
    const { range, input, path, file } = this.#shard(shard);
    const start = performance.now();
    try {
      // Another process may have computed it meanwhile.
      if (!(await run.mustCompute(shard))) return "up to date";
      if (await run.isPublished()) return "published";
      // Temporary files of processes that crash repeatedly would fill the disk.
      this.#cleared ??= this.context.store.removeStale();
      await this.#cleared;
      const made = await this.#computeWithRetry(shard, hooks);
      if (!made) return "published";
      const { rows, bytes, badRows } = made;
      const durationMs = performance.now() - start;
      const counts = { rows, bytes, badRows, durationMs };
      const event = "shard completed";
      return { event, shard, file, input: input.name, ...counts };
    } catch (error) {
      // Publication by another process removes the directory of temporary files, which causes arbitrary errors here.
      if (await run.isPublished().catch(() => false)) return "published";
      if (!keepGoing || !isInvalidInput(error)) throw error;
      await inputs.check(input);
      const message = inputErrorMessage(error, path, input.name);
      await run.skipInput(range.input, message);
      return { event: "input skipped", input: input.name, error: message };
    }
  }

  /** Closes the input and the threads. Does not wait for threads that hang. */
  async close(): Promise<void> {
    this.#opened?.logits.close();
    this.#opened = null;
    const closed = this.#pool.close();
    if (!this.#isStalled) await closed;
  }

  /** Returns the name of a shard in messages. */
  describe(shard: number): string {
    const { range, input, file } = this.#shard(shard);
    const rows =
      range.rowEnd > range.rowStart
        ? `rows ${range.rowStart} to ${range.rowEnd - 1}`
        : "no rows";
    return `${file} (${rows} of ${input.name})`;
  }

  #shard(shard: number) {
    const { run, inputs } = this.context;
    const { of } = run.plan;
    const range = of.shards[shard] as Shard;
    const input = of.inputs[range.input] as PinnedInput;
    const file = shardFileName(shard, run.shards);
    return { range, input, path: inputs.path(input.name), file };
  }

  /**
   * Computes a shard, and a second time on new threads if a thread crashes. During the commit of a shard the next one may
   * use the threads, so an error then is not retried here.
   */
  async #computeWithRetry(
    shard: number,
    hooks: ShardHooks,
  ): Promise<ShardResult | null> {
    let isComputed = false;
    const onComputed = () => {
      isComputed = true;
      hooks.onComputed?.();
    };
    try {
      return await this.#computeOnce(shard, { ...hooks, onComputed });
    } catch (error) {
      if (isComputed || !(error instanceof WorkerError)) throw error;
      const { file } = this.#shard(shard);
      const { message } = error;
      hooks.onEvent?.({ event: "shard retried", shard, file, error: message });
      await this.#pool.close();
      this.#pool = new WorkerPool();
      return this.#computeOnce(shard, hooks);
    }
  }

  async #computeOnce(
    shard: number,
    hooks: ShardHooks,
  ): Promise<ShardResult | null> {
    const { run, store, inputs, optionsFor, stallTimeout } = this.context;
    const { range, input, path } = this.#shard(shard);
    const { signal } = hooks;
    const options = {
      ...optionsFor(path),
      partitions: input.partitions ?? [],
      part: range,
      source: input.name,
    };
    const opened = await this.#open(input, path, options, signal);
    const logits = await inputs.rowsOf(opened, range, signal);
    const temporary = store.temporaryName();
    const rows = range.rowEnd - range.rowStart;
    let rowsDone = 0;
    try {
      const made = await withWatchdog(
        stallTimeout,
        (alive) =>
          this.#computeFile(options, logits, temporary, {
            ...hooks,
            onProgress(done, all, pace) {
              rowsDone = done;
              alive();
              hooks.onProgress?.(done, all, pace);
            },
          }),
        () => {
          this.#isStalled = true;
          return new StalledError(
            `${this.describe(shard)}: no progress for ${stallTimeout} s (${rowsDone} of ${rows} rows done); completed shards are kept; run the same command again to continue`,
          );
        },
      );
      const record = shardRecord(run.plan, shard, made);
      return (await run.commit(temporary, record)) ? made : null;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      if (logits !== opened) logits.close();
    }
  }

  async #open(
    input: PinnedInput,
    path: string,
    options: ResolvedOptions,
    signal: AbortSignal,
  ): Promise<LogitsFile> {
    if (this.#opened?.path === path) return this.#opened.logits;
    this.#opened?.logits.close();
    this.#opened = null;
    const { classes } = input;
    const open = { ...openOptions(options, signal), classes };
    this.#model ??= this.context.model();
    const opened = (await this.#model)?.openOptions(open) ?? open;
    const logits = await this.context.inputs.open(input, opened);
    this.#opened = { path, logits };
    return logits;
  }

  /** Computes a shard into the durable file `temporary`, which is removed after an error. */
  async #computeFile(
    options: ResolvedOptions,
    logits: LogitsFile,
    temporary: string,
    { onComputed = () => {}, signal, onProgress }: ShardHooks,
  ): Promise<ShardResult> {
    const { plan, folders } = this.context.run;
    const path = folders.out;
    const report = new ReportBuilder(options.input, path);
    const runPlan = planRun(options, logits);
    let sha256: string | null = null;
    const open = () =>
      openFile(options, runPlan, async (bytes, direct) => {
        const { sync } = options;
        const how = { sync, direct };
        const file = await openTemporary(path, temporary, bytes, how);
        return {
          ...file,
          async commit() {
            const hashed = plan.of.checksums
              ? hashOf(await openStore(temporary), temporary)
              : null;
            [sha256] = await Promise.all([hashed, file.finish()]);
            file.published();
          },
        };
      });
    const workerPool = this.#pool;
    const work = { signal, onProgress, workerPool, options, logits, report };
    await computeAndCommit(runPlan, work, path, open, onComputed);
    const { outputBytes: bytes, ...done } = report.finish("done");
    const { badRows, firstBadRow, entries, droppedMax, droppedSum } = done;
    const found = { badRows, firstBadRow, entries, droppedMax, droppedSum };
    return { rows: runPlan.rows, bytes, sha256, ...found };
  }
}
