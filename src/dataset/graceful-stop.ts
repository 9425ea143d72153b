import { StalledError } from "../errors.js";
import { orAborted, withWatchdog } from "../io/waiting.js";
import type { DatasetHooks } from "./events.js";

export interface StopLimits {
  /** Seconds to finish or abandon the current shard after a stop. */
  readonly grace: number;
  /** Seconds without progress after which the call fails. */
  readonly stallTimeout: number;
}

/** Stop signal and progress callback of a loop. */
export interface WorkHooks {
  signal?: AbortSignal | undefined;
  alive?: (() => void) | undefined;
}

/** Minimum seconds before the call ends, so that work can react to `stopSignal` however short the grace is. */
const MIN_GRACE = 2;

/** Share of the grace for the current shard; the rest is for draining its chunks in flight. */
const SHARD_SHARE = 0.8;

/** Stops work on a dataset in three steps: no new shards, then the current shard is abandoned, then the call ends. */
export class GracefulStop {
  readonly #stopping = new AbortController();
  readonly #abort = new AbortController();
  readonly #end = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];

  /** Aborted when no more shards may start. */
  readonly stopSignal: AbortSignal = this.#stopping.signal;
  /** Aborted when the current shard must be abandoned. */
  readonly abortSignal: AbortSignal = this.#abort.signal;

  constructor(
    private readonly limits: Partial<StopLimits>,
    private readonly hooks: Pick<DatasetHooks, "signal" | "onEvent">,
  ) {
    const { signal } = hooks;
    if (signal?.aborted) this.#stop();
    signal?.addEventListener("abort", this.#stop);
  }

  /** Runs all the work of the call. Work that has not ended within the grace is abandoned, for example if a store hangs. */
  race<T>(work: () => Promise<T>): Promise<T> {
    return orAborted(this.#end.signal, work());
  }

  /** Runs work that calls `alive` when it makes progress. @throws StalledError */
  withWatchdog<T>(work: (alive: () => void) => Promise<T>): Promise<T> {
    const { stallTimeout = 600 } = this.limits;
    const message = `no progress for ${stallTimeout} s (--stall-timeout), because a file system or a store does not answer; completed shards are kept; run the same command again to continue`;
    return withWatchdog(stallTimeout, work, () => new StalledError(message));
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.hooks.signal?.removeEventListener("abort", this.#stop);
  }

  readonly #stop = () => {
    const { grace = 0 } = this.limits;
    this.#stopping.abort();
    this.#after(grace * SHARD_SHARE, () => this.#abort.abort());
    this.#after(Math.max(grace, MIN_GRACE), () => this.#end.abort());
    const event = { event: "stopping", reason: "signal" } as const;
    this.hooks.onEvent?.({ ...event, graceSeconds: grace });
  };

  #after(seconds: number, call: () => void): void {
    if (seconds <= 0) call();
    else this.#timers.push(setTimeout(call, seconds * 1000));
  }
}
