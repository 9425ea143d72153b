import type { Example } from "../reading/example.js";
import { Reservoir } from "./reservoir.js";

/** Numbers that are held for what needs rows more than once: 16 MiB. */
const MOST_VALUES = 1 << 21;
const MOST_ROWS = 100_000;

/** One row of the sample. */
export interface SampledRow {
  /** `[Q]`: log of p_k over the winner's: 0 for the winner, -inf where p is 0. */
  logRatios: Float64Array;
  winner: number;
  label: number;
}

/** A random choice of rows with p, as many as memory allows: all rows of small outputs. */
export class PSample {
  readonly #reservoir: Reservoir<SampledRow>;

  constructor(classes: number, draw: () => number) {
    const fit = Math.max(1, Math.floor(MOST_VALUES / classes));
    this.#reservoir = new Reservoir(Math.min(MOST_ROWS, fit), draw);
  }

  get rows(): readonly SampledRow[] {
    return this.#reservoir.items;
  }

  /** Whether there were more rows than it holds. */
  get isSample(): boolean {
    return this.#reservoir.seen > this.#reservoir.items.length;
  }

  add({ p, winner, doubt, label }: Example): void {
    if (!p) return;
    this.#reservoir.offer((before) => {
      const logRatios = before?.logRatios ?? new Float64Array(p.length);
      const own =
        doubt < 0.5 ? Math.log1p(-doubt) : Math.log(p[winner] as number);
      for (let k = 0; k < p.length; k++)
        logRatios[k] = k === winner ? 0 : Math.log(p[k] as number) - own;
      return { logRatios, winner, label };
    });
  }
}
