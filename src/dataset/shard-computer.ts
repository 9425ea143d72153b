import { rm } from "node:fs/promises";
import { StalledError, WorkerError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { RunHooks } from "../options/hooks.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { openTemporary } from "../output/temporary-file.js";
import { WorkerPool } from "../pool/worker-pool.js";
import { produce } from "../run/compute-and-commit.js";
import { openOptions } from "../run/open-options.js";
import { openFile } from "../run/open-output.js";
import { planJob } from "../run/plan-job.js";
import { ReportBuilder } from "../run/run-report.js";
import { openStore } from "../storage/open-store.js";
import { hashOf } from "../storage/store.js";
import type { PinnedInput, Shard } from "./dataset-plan.js";
import type { ShardRun } from "./dataset-run.js";
import type { DatasetEvent, DatasetHooks } from "./events.js";
import { watched } from "./graceful-stop.js";
import { partName } from "./names.js";
import type { OpenDatasetRun } from "./planned-run.js";
import { type MadePart, partRecord } from "./records.js";
import { errorOfInput, isBadInput } from "./run-files.js";

/** What computing shards of a run needs. */
export interface ShardContext extends Omit<OpenDatasetRun, "run"> {
  run: ShardRun;
  /** Threads that have been started early; closed with the maker. */
  workerPool?: WorkerPool;
  /** Returns the options of a run over one input. */
  of: (input: string) => ResolvedOptions;
  /** Whether to skip invalid inputs. */
  keepGoing: boolean;
  /** Seconds without progress after which a shard is abandoned. */
  stallTimeout: number;
}

interface MakeHooks
  extends Pick<RunHooks, "onProgress">,
    Pick<DatasetHooks, "onEvent"> {
  signal: AbortSignal;
  /** Called when the shard is computed but not committed: the next one can be started. */
  onComputed?: () => void;
}

/**
 * The event that reports a shard, or the reason why there was nothing to do: it was computed before or its input skipped
 * (`up to date`), or the whole dataset was published meanwhile.
 */
export type ShardOutcome =
  | Extract<DatasetEvent, { event: "shard completed" | "input skipped" }>
  | "up to date"
  | "published";

/** Computes and commits shards, each on all threads. The threads and the input stay open from one shard to the next. */
export class ShardComputer {
  #crew: WorkerPool;
  #cleared: Promise<void> | null = null;
  #skipped: Promise<Map<number, string>> | null = null;
  #isStalled = false;
  /** The input of the last shard, because the next shard usually reads it too. */
  #opened: { path: string; logits: LogitsFile } | null = null;

  constructor(private readonly context: ShardContext) {
    this.#crew = context.workerPool ?? new WorkerPool();
  }

  /**
   * Computes and commits a shard unless that is done. One shard can be committed while the next is computed.
   * @throws SoftjacError as run; WorkerError if its threads died twice; StalledError
   */
  async make(shard: number, hooks: MakeHooks): Promise<ShardOutcome> {
    const { run, inputs, keepGoing } = this.context;
    const { span, input, path, file } = this.#shard(shard);
    this.#skipped ??= run.leftOutByNumber();
    const skipped = await this.#skipped;
    // Another process may have computed it since.
    if (skipped.has(span.input) || (await run.isDone(shard)))
      return "up to date";
    if (await run.isPublished()) return "published";
    const start = performance.now();
    try {
      // Where a process dies again and again, its temporary files would fill the disk.
      this.#cleared ??= this.context.store.removeStale();
      await this.#cleared;
      const made = await this.#twice(shard, hooks);
      if (!made) return "published";
      const { rows, bytes, badRows } = made;
      const durationMs = performance.now() - start;
      return {
        event: "shard completed",
        shard,
        file,
        input: input.name,
        rows,
        bytes,
        badRows,
        durationMs,
      };
    } catch (error) {
      // Publishing removes the directory of this process's temporary file. If the store cannot say, the first error counts.
      if (await run.isPublished().catch(() => false)) return "published";
      if (!keepGoing || !isBadInput(error)) throw error;
      await inputs.check(input);
      const found = errorOfInput(error, path, input.name);
      await run.leaveOut(span.input, found);
      skipped.set(span.input, found);
      return { event: "input skipped", input: input.name, error: found };
    }
  }

  /** Closes the input and ends the threads; threads that hang are not waited for. */
  async close(): Promise<void> {
    this.#opened?.logits.close();
    this.#opened = null;
    const closed = this.#crew.close();
    if (!this.#isStalled) await closed;
  }

  /** Returns a shard as messages call it. */
  describe(shard: number): string {
    const { span, input, file } = this.#shard(shard);
    const rows =
      span.rowEnd > span.rowStart
        ? `rows ${span.rowStart} to ${span.rowEnd - 1}`
        : "no rows";
    return `${file} (${rows} of ${input.name})`;
  }

  #shard(shard: number) {
    const { run, inputs } = this.context;
    const { of } = run.plan;
    const span = of.shards[shard] as Shard;
    const input = of.inputs[span.input] as PinnedInput;
    const file = partName(shard, run.shards);
    return { span, input, path: inputs.path(input.name), file };
  }

  /** Computes a shard again, on new threads, if a thread died. */
  async #twice(shard: number, hooks: MakeHooks): Promise<MadePart | null> {
    try {
      return await this.#once(shard, hooks);
    } catch (error) {
      if (!(error instanceof WorkerError)) throw error;
      const { file } = this.#shard(shard);
      const { message } = error;
      hooks.onEvent?.({ event: "shard retried", shard, file, error: message });
      await this.#crew.close();
      this.#crew = new WorkerPool();
      return this.#once(shard, hooks);
    }
  }

  async #once(shard: number, hooks: MakeHooks): Promise<MadePart | null> {
    const { run, store, inputs, of, stallTimeout } = this.context;
    const { span, input, path } = this.#shard(shard);
    const { signal } = hooks;
    await run.clearDamaged(shard);
    const options = {
      ...of(path),
      partitions: input.partitions ?? [],
      part: span,
      source: input.name,
    };
    const opened = await this.#open(input, path, options, signal);
    const logits = await inputs.rowsOf(opened, span, signal);
    const temporary = store.temporaryName();
    const rows = span.rowEnd - span.rowStart;
    let rowsDone = 0;
    try {
      const made = await watched(
        stallTimeout,
        (alive) =>
          this.#compute(options, logits, temporary, {
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
      const record = partRecord(run.plan, shard, made);
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
    const logits = await this.context.inputs.open(input, open);
    this.#opened = { path, logits };
    return logits;
  }

  /** Computes a shard into the file `temporary`, which is durable then, and remains only if that succeeds. */
  async #compute(
    options: ResolvedOptions,
    logits: LogitsFile,
    temporary: string,
    { onComputed = () => {}, signal, onProgress }: MakeHooks,
  ): Promise<MadePart> {
    const { plan, folders } = this.context.run;
    const path = folders.out;
    const report = new ReportBuilder(options.input, path);
    const job = planJob(options, logits);
    let sha256: string | null = null;
    const open = () =>
      openFile(options, job, async (bytes, direct) => {
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
    const workerPool = this.#crew;
    const work = { signal, onProgress, workerPool, options, logits, report };
    await produce(job, work, path, open, onComputed);
    const done = report.finish("done");
    return {
      rows: job.plan.rows,
      bytes: done.outputBytes,
      sha256,
      badRows: done.badRows,
      firstBadRow: done.firstBadRow,
      entries: done.entries,
      droppedMax: done.droppedMax,
      droppedSum: done.droppedSum,
    };
  }
}
