import { setTimeout as sleep } from "node:timers/promises";
import { AbortedError, StalledError } from "../errors.js";
import type { DatasetHooks, StopReason } from "./events.js";

export interface StopLimits {
  /** Seconds to finish the current shard after a stop. */
  readonly grace: number;
  /** Seconds after which the work has ended. */
  readonly timeLimit: number | undefined;
  /** Seconds without progress after which the work is abandoned. */
  readonly stallTimeout: number;
}

/** How a loop learns that it is to stop, and reports progress. */
export interface WorkHooks {
  signal?: AbortSignal | undefined;
  alive?: (() => void) | undefined;
}

/** Minimum seconds for work that listens to the signal to end by itself, however short the grace is. */
const MIN_GRACE = 2;

/** Share of the grace for the current shard; the rest is for abandoning it, which takes as long as the chunks in flight. */
const SHARD_SHARE = 0.8;

/** Stops work on a dataset in steps: first no shard is started, then the current shard is abandoned, then the call ends. */
export class GracefulStop {
  readonly #stopping = new AbortController();
  readonly #abort = new AbortController();
  readonly #end = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  reason: StopReason | null = null;

  /** No more shards are started. */
  readonly stopSignal: AbortSignal = this.#stopping.signal;
  /** The current shard is abandoned. */
  readonly abortSignal: AbortSignal = this.#abort.signal;

  constructor(
    private readonly limits: Partial<StopLimits>,
    private readonly hooks: Pick<DatasetHooks, "signal" | "onEvent">,
  ) {
    const { grace = 0, timeLimit } = limits;
    const { signal } = hooks;
    if (signal?.aborted) this.#onSignal();
    signal?.addEventListener("abort", this.#onSignal);
    if (timeLimit !== undefined)
      this.#after(timeLimit - grace, () => this.#stop("time limit"));
  }

  /**
   * Does all the work. If the system or a store never answers, the work is abandoned.
   * @throws AbortedError if it has not ended within the grace
   */
  race<T>(work: () => Promise<T>): Promise<T> {
    return orAborted(this.#end.signal, work());
  }

  /** Does a part of the work that calls `alive` when it makes progress. @throws StalledError */
  withWatchdog<T>(work: (alive: () => void) => Promise<T>): Promise<T> {
    const { stallTimeout = 600 } = this.limits;
    return withWatchdog(
      stallTimeout,
      work,
      () =>
        new StalledError(
          `no progress for ${stallTimeout} s (--stall-timeout), because a file system or a store does not answer; completed shards are kept; run the same command again to continue`,
        ),
    );
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.hooks.signal?.removeEventListener("abort", this.#onSignal);
  }

  readonly #onSignal = () => this.#stop("signal");

  #stop(reason: StopReason): void {
    if (this.reason) return;
    this.reason = reason;
    const { grace = 0 } = this.limits;
    this.#stopping.abort();
    this.#after(grace * SHARD_SHARE, () => this.#abort.abort());
    this.#after(Math.max(grace, MIN_GRACE), () => this.#end.abort());
    this.hooks.onEvent?.({ event: "stopping", reason, graceSeconds: grace });
  }

  #after(seconds: number, call: () => void): void {
    if (seconds <= 0) call();
    else this.#timers.push(setTimeout(call, seconds * 1000));
  }
}

/** Waits for work until a signal is aborted; the work then continues, but nobody waits for it. @throws AbortedError */
export function orAborted<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
): Promise<T> {
  return unless(work, (abandon) => {
    const abort = () => abandon(new AbortedError({ cause: signal?.reason }));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    return () => signal?.removeEventListener("abort", abort);
  });
}

/**
 * Waits for work that calls `alive` at least once every so many seconds, or else abandons it.
 * @throws what `stalled` returns
 */
export function withWatchdog<T>(
  seconds: number,
  work: (alive: () => void) => Promise<T>,
  stalled: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const done = work(() => timer?.refresh());
  return unless(done, (abandon) => {
    timer = setTimeout(() => abandon(stalled()), seconds * 1000);
    return () => clearTimeout(timer);
  });
}

/** Waits for work until `watch` abandons it; errors of abandoned work reach nobody. `watch` returns how to end it. */
async function unless<T>(
  work: Promise<T>,
  watch: (abandon: (error: Error) => void) => () => void,
): Promise<T> {
  let end = () => {};
  const abandoned = new Promise<never>((_, reject) => {
    end = watch(reject);
  });
  try {
    return await Promise.race([abandoned, work]);
  } finally {
    end();
  }
}

/** Waits so many seconds, or until a signal is aborted. */
export async function delay(
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => {});
}

/** Waits for work to end, but at most so many seconds. Its errors are ignored. */
export async function withTimeout(
  seconds: number,
  work: Promise<unknown>,
): Promise<void> {
  const late = () => new AbortedError();
  await withWatchdog(seconds, () => work, late).catch(() => {});
}
