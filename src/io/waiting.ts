import { setTimeout as sleep } from "node:timers/promises";
import { AbortedError } from "../errors.js";

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
export async function delay(seconds: number, signal?: AbortSignal) {
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
