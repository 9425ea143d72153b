import { setTimeout as sleep } from "node:timers/promises";

/** Waits so many seconds, or until it is stopped. */
export async function pause(
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => {});
}

/** Waits for work to end, so many seconds at most; it goes on then, and nobody hears of it. */
export async function within(
  seconds: number,
  work: Promise<unknown>,
): Promise<void> {
  const done = new AbortController();
  const ended = work.then(
    () => {},
    () => {},
  );
  await Promise.race([ended, pause(seconds, done.signal)]);
  done.abort();
}
