import { AbortedError, StalledError } from "../errors.js";
import type { DatasetHooks, StopReason } from "./events.js";
import { watched } from "./watchdog.js";

export interface StopLimits {
  /** Seconds for the part under way once the work is to stop. */
  readonly grace: number;
  /** Seconds after which the work has ended. */
  readonly timeLimit: number | undefined;
  /** Seconds without a sign of life after which the work is given up. */
  readonly stallTimeout?: number;
}

/** How a loop hears that it is to stop, and shows that it goes on. */
export interface Watched {
  signal?: AbortSignal | undefined;
  alive?: (() => void) | undefined;
}

/** Seconds that work which listens to the signal has to end by itself, however short the grace is. */
const LEAST_GRACE = 2;

const STALL_TIMEOUT = 600;

/** Of the grace: the rest is for giving up, which takes what chunks in flight take. */
const SHARE_FOR_THE_PART = 0.8;

/** How work on a dataset ends before its end: first nothing more is begun, then what is under way is given up. */
export class Stopping {
  readonly #soon = new AbortController();
  readonly #now = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #reason: StopReason | null = null;
  #giveUp: (error: Error) => void = () => {};

  constructor(
    private readonly limits: StopLimits,
    private readonly hooks: Pick<DatasetHooks, "signal" | "onEvent">,
  ) {
    const { grace, timeLimit } = limits;
    const { signal } = hooks;
    if (signal?.aborted) this.#onSignal();
    signal?.addEventListener("abort", this.#onSignal);
    if (timeLimit !== undefined)
      this.#after(timeLimit - grace, () => this.#stop("time limit"));
  }

  /** No more parts. */
  get soon(): AbortSignal {
    return this.#soon.signal;
  }

  /** The part under way is given up. */
  get now(): AbortSignal {
    return this.#now.signal;
  }

  get reason(): StopReason | null {
    return this.#reason;
  }

  /**
   * Does all the work. Where the system or a store never answers, the work is left to itself.
   * @throws AbortedError where it has not ended within the grace
   */
  race<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      work().then(resolve, reject);
    });
  }

  /** Does a part of the work that calls `alive` as it goes on. @throws StalledError where it does so no more */
  watched<T>(work: (alive: () => void) => Promise<T>): Promise<T> {
    const { stallTimeout = STALL_TIMEOUT } = this.limits;
    return watched(
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
    if (this.#reason) return;
    this.#reason = reason;
    const { grace } = this.limits;
    this.#soon.abort();
    this.#after(grace * SHARE_FOR_THE_PART, () => this.#now.abort());
    this.#after(Math.max(grace, LEAST_GRACE), () =>
      this.#giveUp(new AbortedError()),
    );
    this.hooks.onEvent?.({ event: "stopping", reason, graceSeconds: grace });
  }

  #after(seconds: number, call: () => void): void {
    if (seconds <= 0) call();
    else this.#timers.push(setTimeout(call, seconds * 1000));
  }
}
