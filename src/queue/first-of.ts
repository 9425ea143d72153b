/**
 * Does work under a signal that is aborted with the first of several. AbortSignal.any would keep something of every call
 * for as long as one of the signals lives: a worker's lives for a million parts.
 */
export async function underFirstOf<T>(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const signal of signals) {
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
  }
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", abort);
  }
}
