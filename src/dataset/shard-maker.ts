import { rm } from "node:fs/promises";
import { StalledError, WorkerError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openOptionsOf, type ResolvedOptions } from "../options.js";
import { Crew } from "../pool/crew.js";
import type { RunHooks } from "../run.js";
import { computePart, type MadePart } from "./compute-part.js";
import type { PinnedInput } from "./dataset-plan.js";
import type { ShardRun } from "./dataset-run.js";
import { partName } from "./names.js";
import type { StoredRunOver } from "./plan-run-over.js";
import type { Shard } from "./plan-shards.js";
import { partRecord } from "./records.js";
import { watched } from "./watchdog.js";

interface Work extends Omit<StoredRunOver, "run"> {
  run: ShardRun;
  /** Closed with the maker. */
  crew: Crew;
  /** The options of a run over one input. */
  of: (input: string) => ResolvedOptions;
  /** Seconds without a sign of life after which a part is given up. */
  stallTimeout: number;
}

interface MakeHooks {
  signal: AbortSignal;
  onProgress: RunHooks["onProgress"];
  /** A thread died; the shard is made once more. */
  onRetry: (error: Error) => void;
}

/** A shard that is computed. */
export interface Made {
  /** Fulfilled once it is durable, with null where the dataset has been published meanwhile. */
  committed: Promise<MadePart | null>;
}

/** Makes shards, one at a time, each on all threads; threads and the input last from one to the next. */
export class ShardMaker {
  #crew: Crew;
  readonly #input = new OpenInput();
  #isStalled = false;
  #cleared: Promise<void> | null = null;

  constructor(private readonly work: Work) {
    this.#crew = work.crew;
  }

  /**
   * Makes a shard; while it is committed the next one can be.
   * @throws SoftjacError as run; WorkerError where its threads died twice; StalledError
   */
  async make(shard: number, hooks: MakeHooks): Promise<Made> {
    // They would fill the disk where a process dies again and again.
    this.#cleared ??= this.work.store.removeStale();
    await this.#cleared;
    try {
      return await this.#makeOnce(shard, hooks);
    } catch (error) {
      if (!(error instanceof WorkerError)) throw error;
      hooks.onRetry(error);
      await this.#crew.close();
      this.#crew = new Crew();
      return this.#makeOnce(shard, hooks);
    }
  }

  /** @throws InputChangedError where the shard's input is not what it was when the run was planned */
  async checkPinned(shard: number): Promise<void> {
    await this.work.inputs.check(this.#spanOf(shard).input);
  }

  async close(): Promise<void> {
    this.#input.close();
    const closed = this.#crew.close();
    // Threads that hang may never end.
    if (!this.#isStalled) await closed;
  }

  async #makeOnce(shard: number, hooks: MakeHooks): Promise<Made> {
    await this.work.run.clearDamaged(shard);
    let onComputed: (() => void) | undefined;
    const computed = new Promise<void>((resolve) => {
      onComputed = resolve;
    });
    const committed = this.#makeAndCommit(shard, {
      ...hooks,
      onComputed: onComputed as () => void,
    });
    // told to who awaits the commit
    committed.catch(() => {});
    await Promise.race([computed, committed]);
    return { committed };
  }

  async #makeAndCommit(
    shard: number,
    { signal, onProgress, onComputed }: MakeHooks & { onComputed: () => void },
  ): Promise<MadePart | null> {
    const { run, store, inputs, of } = this.work;
    const { span, path, input } = this.#spanOf(shard);
    const resolved = { ...of(path), partitions: input.partitions ?? [] };
    const options = { ...resolved, part: span, source: input.name };
    const opened = await this.#input.open(path, () =>
      inputs.open(input, {
        ...openOptionsOf(resolved, signal),
        classes: input.classes,
      }),
    );
    const logits = await inputs.rowsOf(opened, span, signal);
    const temporary = store.temporaryName();
    try {
      const made = await this.#compute(shard, logits, options, {
        signal,
        onProgress,
        onComputed,
        temporary,
      });
      const record = partRecord(run.plan, shard, made);
      return (await run.commit(temporary, record)) ? made : null;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      if (logits !== opened) logits.close();
    }
  }

  #compute(
    shard: number,
    logits: LogitsFile,
    options: ResolvedOptions,
    {
      signal,
      onProgress,
      onComputed,
      temporary,
    }: Omit<MakeHooks, "onRetry"> & {
      onComputed: () => void;
      temporary: string;
    },
  ): Promise<MadePart> {
    const { run, stallTimeout } = this.work;
    const crew = this.#crew;
    const { checksums } = run.plan.of;
    const part = { path: run.folders.out, temporary, checksums, onComputed };
    const { rowStart, rowEnd } = this.#spanOf(shard).span;
    const rows = rowEnd - rowStart;
    let rowsDone = 0;
    return watched(
      stallTimeout,
      (alive) =>
        computePart(
          { crew, options, logits, ...part },
          {
            signal,
            onProgress(done, all, pace) {
              rowsDone = done;
              alive();
              onProgress?.(done, all, pace);
            },
          },
        ),
      () => {
        this.#isStalled = true;
        return new StalledError(
          `${this.describe(shard)}: no progress for ${stallTimeout} s (${rowsDone} of ${rows} rows done); completed shards are kept; run the same command again to continue`,
        );
      },
    );
  }

  /** A shard as messages call it. */
  describe(shard: number): string {
    const { span, input } = this.#spanOf(shard);
    const name = partName(shard, this.work.run.shards);
    const rows =
      span.rowEnd > span.rowStart
        ? `rows ${span.rowStart} to ${span.rowEnd - 1}`
        : "no rows";
    return `${name} (${rows} of ${input.name})`;
  }

  #spanOf(shard: number): { span: Shard; path: string; input: PinnedInput } {
    const { run, inputs } = this.work;
    const { of } = run.plan;
    const span = of.shards[shard] as Shard;
    const input = of.inputs[span.input] as PinnedInput;
    return { span, path: inputs.path(input.name), input };
  }
}

/** Keeps the input of the last shard open, because the next shard usually reads it too. */
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
