/** How many values fall into bins of one width, fixed before the first is seen. */
export class Histogram {
  readonly low: number;
  readonly width: number;
  readonly counts: Float64Array;
  /** All values, and their sum; NaN is none. */
  rows = 0;
  sum = 0;
  least = Infinity;
  largest = -Infinity;

  /** Bins `[low + k width, low + (k + 1) width)`; the last has its upper end too, and what lies beyond is in the ends. */
  constructor(low: number, high: number, bins: number) {
    this.low = low;
    this.width = (high - low) / bins;
    this.counts = new Float64Array(bins);
  }

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.rows++;
    this.sum += value;
    if (value < this.least) this.least = value;
    if (value > this.largest) this.largest = value;
    const last = this.counts.length - 1;
    const bin = Math.floor((value - this.low) / this.width);
    const at = Math.min(last, Math.max(0, bin));
    this.counts[at] = (this.counts[at] as number) + 1;
  }

  get mean(): number | null {
    return this.rows > 0 ? this.sum / this.rows : null;
  }
}
