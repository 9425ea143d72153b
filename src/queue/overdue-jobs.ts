/**
 * Jobs that wait for another try for longer than they should: the time of day that they wait for is that of a worker whose
 * clock was ahead. Told by the clock that is never set.
 */
export class OverdueJobs {
  #since = new Map<string, number>();

  /** @param seconds how long a job waits at most */
  constructor(private readonly seconds: number) {}

  /** Of the jobs that wait now. */
  among(ids: Iterable<string>): string[] {
    const now = performance.now();
    const since = new Map<string, number>();
    for (const id of ids) since.set(id, this.#since.get(id) ?? now);
    this.#since = since;
    return [...since]
      .filter(([, start]) => now - start > this.seconds * 1000)
      .map(([id]) => id);
  }
}
