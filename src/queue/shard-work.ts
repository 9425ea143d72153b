import type { MadePart } from "../dataset/compute-part.js";
import type { PinnedInput } from "../dataset/dataset-plan.js";
import { errorOfInput, isBadInput } from "../dataset/left-out.js";
import { optionsOfParts } from "../dataset/options.js";
import type { StoredRunOver } from "../dataset/plan-run-over.js";
import type { Shard } from "../dataset/plan-shards.js";
import { ShardMaker } from "../dataset/shard-maker.js";
import { StalledError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { Crew } from "../pool/crew.js";
import { underFirstOf } from "./first-of.js";
import { within } from "./pause.js";

/** How a worker makes a shard. */
export interface ShardLimits {
  /** Options of the worker alone: threads, kernel, limits of inputs. */
  own: Partial<RunOptions>;
  stallTimeout: number;
  shardTimeout: number;
  keepGoing: boolean;
}

export interface ShardHooks {
  signal: AbortSignal;
  onProgress(rowsDone: number): void;
  /** A thread died; the shard is made once more. */
  onRetry(error: Error): void;
}

export type ShardResult =
  | { is: "made"; made: MadePart }
  /** By another process, or before. */
  | { is: "up to date" }
  /** `keepGoing`: its input is bad and gets no results. */
  | { is: "skipped"; input: string; error: string };

/** Makes the shards of a worker's jobs, one at a time; threads and the input last from one to the next of a run. */
export class ShardWork {
  #last: { run: StoredRunOver["run"]; maker: ShardMaker } | null = null;

  constructor(private readonly limits: ShardLimits) {}

  /**
   * Makes a shard, and records it, unless that is done.
   * @throws SoftjacError as run; AbortedError; StalledError where it took too long
   */
  async make(
    found: StoredRunOver,
    shard: number,
    hooks: ShardHooks,
  ): Promise<ShardResult> {
    const { run } = found;
    if ((await run.isPublished()) || (await run.isDone(shard)))
      return { is: "up to date" };
    const maker = await this.#makerOf(found);
    try {
      const made = await this.#within(maker, shard, hooks);
      return made ? { is: "made", made } : { is: "up to date" };
    } catch (error) {
      await this.close(error instanceof StalledError ? 1 : CLOSE_SECONDS);
      // With the run's folders goes the place for what this process was making. Where the store cannot say, the first error counts.
      if (await run.isPublished().catch(() => false))
        return { is: "up to date" };
      if (!this.limits.keepGoing || !isBadInput(error)) throw error;
      await maker.checkPinned(shard);
      const { input } = run.plan.of.shards[shard] as Shard;
      const { name } = run.plan.of.inputs[input] as PinnedInput;
      const path = found.inputs.path(name);
      const text = errorOfInput(error, path, name);
      await run.leaveOut(input, text);
      return { is: "skipped", input: name, error: text };
    }
  }

  /** Ends the threads; those that hang are left to themselves. */
  async close(seconds = CLOSE_SECONDS): Promise<void> {
    const last = this.#last;
    this.#last = null;
    if (last) await within(seconds, last.maker.close());
  }

  async #makerOf(found: StoredRunOver): Promise<ShardMaker> {
    const { run } = found;
    if (this.#last?.run === run) return this.#last.maker;
    await this.close();
    const { own, stallTimeout } = this.limits;
    const of = optionsOfParts(run.plan.of.options, own, run.folders.out);
    const maker = new ShardMaker({
      ...found,
      crew: new Crew(),
      of,
      stallTimeout,
    });
    this.#last = { run, maker };
    return maker;
  }

  async #within(
    maker: ShardMaker,
    shard: number,
    { signal, onProgress, onRetry }: ShardHooks,
  ): Promise<MadePart | null> {
    const { shardTimeout } = this.limits;
    const over = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          new StalledError(
            `${maker.describe(shard)}: not done within ${shardTimeout} s (--shard-timeout)`,
          ),
        );
        over.abort();
      }, shardTimeout * 1000);
    });
    const made = underFirstOf([signal, over.signal], async (signal) => {
      const hooks = { signal, onProgress, onRetry };
      return (await maker.make(shard, hooks)).committed;
    });
    // Of work that was left, nobody hears.
    made.catch(() => {});
    try {
      return await Promise.race([made, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** For threads to end, which they do between two chunks. */
const CLOSE_SECONDS = 10;
