/** What `work` makes of every item, in their order, so many at once. The first that fails ends it, once what is under way has ended. */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, k: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  let failed = false;
  const one = async () => {
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
  const lanes = Array.from({ length: Math.min(atOnce, items.length) }, one);
  const ends = await Promise.allSettled(lanes);
  const end = ends.find(({ status }) => status === "rejected");
  if (end) throw (end as PromiseRejectedResult).reason;
  return results;
}
