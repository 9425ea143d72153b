import { setTimeout as sleep } from "node:timers/promises";
import { AbortedError, StalledError } from "../errors.js";
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

/**
 * Waits for work, or rejects with `error()` when `signal` is aborted. The work itself is abandoned, and its later errors are
 * ignored.
 */
export async function orAborted<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
  error = (): Error => new AbortedError({ cause: signal?.reason }),
): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(error());
  });
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Rejects with `stalled()` when `work` has not called `alive` for `seconds`; the work itself is abandoned. */
export async function withWatchdog<T>(
  seconds: number,
  work: (alive: () => void) => Promise<T>,
  stalled: () => Error,
): Promise<T> {
  const abandon = new AbortController();
  const timer = setTimeout(() => abandon.abort(), seconds * 1000);
  try {
    const working = work(() => timer.refresh());
    return await orAborted(abandon.signal, working, stalled);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for some seconds, or until `signal` is aborted. */
export async function delay(seconds: number, signal: AbortSignal) {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => {});
}

/** Waits for work to settle, at most for some seconds; ignores its errors. */
export async function withTimeout(
  seconds: number,
  work: Promise<unknown>,
): Promise<void> {
  const late = () => new AbortedError();
  await withWatchdog(seconds, () => work, late).catch(() => {});
}
