/**
 * That a job is this worker's, renewed while it is worked on. By timers, which go by the clock that is never set: a lease
 * that is renewed by the time of day is lost when that is set back.
 */
export class Lease {
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isRenewing = false;

  /**
   * @param seconds how long it lasts
   * @param renew false: it is another worker's by now. What it throws says nothing about the lease
   */
  constructor(
    seconds: number,
    private readonly renew: () => Promise<boolean>,
  ) {
    this.#timer = setInterval(() => this.#renew(), (seconds * 1000) / 3);
  }

  /** Aborted when the lease is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  async #renew(): Promise<void> {
    // A queue that does not answer is asked once: it may yet.
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    try {
      if (!(await this.renew())) this.#lose();
    } catch {
      // Without the queue nobody else is given the job, and what is made counts by its record.
    } finally {
      this.#isRenewing = false;
    }
  }

  #lose(): void {
    this.end();
    this.#lost.abort();
  }
}
