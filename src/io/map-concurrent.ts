/**
 * Maps items with at most `atOnce` calls in flight, one in each lane; results keep the order. A rejection stops new calls. After
 * those in flight have ended, the one of the first item is thrown.
 */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, k: number, lane: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  /** By the index of the item. */
  const failures: { error: unknown }[] = [];
  let next = 0;
  const runLane = async (_: unknown, lane: number) => {
    while (next < items.length && failures.length === 0) {
      const k = next++;
      try {
        results[k] = await work(items[k] as T, k, lane);
      } catch (error) {
        failures[k] = { error };
      }
    }
  };
  const lanes = { length: Math.min(atOnce, items.length) };
  await Promise.all(Array.from(lanes, runLane));
  const [failure] = Object.values(failures);
  if (failure) throw failure.error;
  return results;
}
