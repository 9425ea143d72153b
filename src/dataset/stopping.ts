import type { DatasetHooks, StopReason } from "./events.js";

export interface StopLimits {
  /** Seconds for the part under way once the work is to stop. */
  readonly grace: number;
  /** Seconds after which the work has ended. */
  readonly timeLimit: number | undefined;
}

/** Of the grace: the rest is for giving up, which takes what chunks in flight take. */
const SHARE_FOR_THE_PART = 0.8;

/** How work on a dataset ends before its end: first nothing more is begun, then what is under way is given up. */
export class Stopping {
  readonly #soon = new AbortController();
  readonly #now = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #reason: StopReason | null = null;

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
    this.hooks.onEvent?.({ event: "stopping", reason, graceSeconds: grace });
  }

  #after(seconds: number, call: () => void): void {
    if (seconds <= 0) call();
    else this.#timers.push(setTimeout(call, seconds * 1000));
  }
}
