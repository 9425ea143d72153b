/**
 * Maps items with at most `atOnce` calls in flight; results keep the order. The first rejection stops new calls and is thrown
 * after those in flight have ended.
 */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, k: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  let failed = false;
  const runLane = async () => {
    while (next < items.length && !failed) {
      const k = next++;
      try {
        results[k] = await work(items[k] as T, k);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(atOnce, items.length) }, runLane);
  const outcomes = await Promise.allSettled(lanes);
  const failure = outcomes.find(({ status }) => status === "rejected");
  if (failure) throw (failure as PromiseRejectedResult).reason;
  return results;
}
