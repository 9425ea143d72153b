import { setTimeout as delay } from "node:timers/promises";
import { AbortedError, ServiceUnavailableError } from "../../errors.js";
import { DEFAULT_REQUEST_TIMEOUT } from "../s3-options.js";
import { failureOf, NoAnswer, refusal } from "./failures.js";

/** How often a request is made before it is given up: with the pauses between, about 10 s of a store that says no. */
const TRIES = 8;
const LONGEST_PAUSE_MS = 10_000;

/** How long requests may take, and pauses between them. */
interface Pace {
  firstPauseMs: number;
  /** A connection that carries less is as good as none. */
  slowestBytesPerMs: number;
}

const PACE: Pace = { firstPauseMs: 100, slowestBytesPerMs: 256 };

export interface Attempt {
  /** Aborted where nothing has come for too long. */
  signal: AbortSignal;
  /** Says that bytes have come. */
  alive: () => void;
}

/** Makes requests of a store, again where that may help, none for ever. */
export class Requests {
  readonly #timeoutMs: number;

  constructor(
    requestTimeout = DEFAULT_REQUEST_TIMEOUT,
    private readonly pace = PACE,
  ) {
    this.#timeoutMs = 1000 * requestTimeout;
  }

  /**
   * @param name what the request is about
   * @param bytes that it sends
   * @param stop ends the request, and the pauses between tries
   * @throws AbortedError once `stop` is aborted; ServiceUnavailableError where every try failed; else an error of ours, with why as its cause
   */
  async make<T>(
    name: string,
    attempt: (of: Attempt) => Promise<T>,
    {
      bytes = 0,
      stop,
    }: { bytes?: number; stop?: AbortSignal | undefined } = {},
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      if (stop?.aborted) throw new AbortedError({ cause: stop.reason });
      try {
        return await this.#once(attempt, bytes, stop);
      } catch (error) {
        if (stop?.aborted) throw new AbortedError({ cause: stop.reason });
        const failure = failureOf(error);
        if (!failure) throw error;
        if (!failure.passes) throw refusal(name, failure, error);
        if (tries === TRIES)
          throw new ServiceUnavailableError(
            name,
            `the request failed ${TRIES} times: ${failure.text}`,
            { cause: error },
          );
        // Where it is stopped, the next round says so.
        await delay(pauseAfter(tries, this.pace), undefined, {
          signal: stop,
        }).catch(() => {});
      }
    }
  }

  async #once<T>(
    attempt: (of: Attempt) => Promise<T>,
    bytes: number,
    stop: AbortSignal | undefined,
  ): Promise<T> {
    const controller = new AbortController();
    const limit = this.#timeoutMs + bytes / this.pace.slowestBytesPerMs;
    const { signal } = controller;
    const timer = setTimeout(
      () => controller.abort(new NoAnswer(`no data within ${limit / 1000} s`)),
      limit,
    );
    const stopped = () => controller.abort(stop?.reason);
    stop?.addEventListener("abort", stopped);
    // The attempt may not listen to the signal; it is left to itself then.
    const givenUp = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    const answer = attempt({ signal, alive: () => timer.refresh() });
    answer.catch(() => {});
    try {
      return await Promise.race([answer, givenUp]);
    } finally {
      clearTimeout(timer);
      stop?.removeEventListener("abort", stopped);
    }
  }
}

/** Twice as long each time, and by chance less: those who failed together do not come back together. */
function pauseAfter(tries: number, { firstPauseMs }: Pace): number {
  const most = Math.min(LONGEST_PAUSE_MS, firstPauseMs * 2 ** (tries - 1));
  return most * (0.5 + Math.random() / 2);
}
