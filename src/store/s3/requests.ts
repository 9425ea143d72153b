import { setTimeout as delay } from "node:timers/promises";
import { ServiceUnavailableError } from "../../errors.js";
import { DEFAULT_REQUEST_TIMEOUT } from "../s3-options.js";
import { failureOf, NoAnswer, refusal } from "./failures.js";

/** How often a request is made before it is given up: with the pauses between, about 10 s of a store that says no. */
const TRIES = 8;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/** A connection that carries less is as good as none. */
const SLOWEST_BYTES_PER_MS = 256;

export interface Attempt {
  /** Aborted where nothing has come for too long. */
  signal: AbortSignal;
  /** Says that bytes have come. */
  alive: () => void;
}

/** Makes requests of a store, again where that may help, none for ever. */
export class Requests {
  readonly #timeoutMs: number;

  constructor(requestTimeout = DEFAULT_REQUEST_TIMEOUT) {
    this.#timeoutMs = 1000 * requestTimeout;
  }

  /**
   * @param name what the request is about
   * @param bytes that it sends
   * @param stop gives it up
   * @throws what `stop` was aborted with; ServiceUnavailableError where it failed as often as it is made; else an error of ours, with why as its cause
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
      stop?.throwIfAborted();
      try {
        return await this.#once(attempt, bytes, stop);
      } catch (error) {
        stop?.throwIfAborted();
        const failure = failureOf(error);
        if (!failure) throw error;
        if (!failure.passes) throw refusal(name, failure, error);
        if (tries === TRIES)
          throw new ServiceUnavailableError(
            name,
            `expected an answer of the store, found ${failure.text} (${TRIES} times)`,
            { cause: error },
          );
        await delay(pauseAfter(tries), undefined, stop && { signal: stop });
      }
    }
  }

  async #once<T>(
    attempt: (of: Attempt) => Promise<T>,
    bytes: number,
    stop: AbortSignal | undefined,
  ): Promise<T> {
    const controller = new AbortController();
    const limit = this.#timeoutMs + bytes / SLOWEST_BYTES_PER_MS;
    let timer: NodeJS.Timeout | undefined;
    // The attempt may not listen to the signal; it is left to itself then.
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new NoAnswer(`no byte within ${limit / 1000} s`);
        controller.abort(error);
        reject(error);
      }, limit);
    });
    const { signal } = controller;
    const stopped = () => controller.abort(stop?.reason);
    stop?.addEventListener("abort", stopped);
    const answer = attempt({ signal, alive: () => timer?.refresh() });
    answer.catch(() => {});
    try {
      return await Promise.race([answer, tooLong]);
    } finally {
      clearTimeout(timer);
      stop?.removeEventListener("abort", stopped);
    }
  }
}

/** Twice as long each time, and by chance less: those who failed together do not come back together. */
function pauseAfter(tries: number): number {
  const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1));
  return most * (0.5 + Math.random() / 2);
}
