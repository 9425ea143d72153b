/** Bytes that are in memory on their way to the store or from it, and the most that ever were. */
export const inFlight = {
  bytes: 0,
  peak: 0,
  /** Does work for which so many bytes are kept. */
  async hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.bytes += bytes;
    this.peak = Math.max(this.peak, this.bytes);
    try {
      return await work();
    } finally {
      this.bytes -= bytes;
    }
  },
};
