import type { Example } from "../../output-rows/example.js";
import { Histogram } from "./histogram.js";

/** Down to the smallest subnormal, 10^-323.3. */
export const LEAST_DECADE = -324;
/** Each decade of the uncertainty in so many bins. */
export const BINS_PER_DECADE = 8;
const BINS = 40;

/**
 * Uncertainty at or under which p of the winner is 1 in float32, or in float64: half the distance from 1 to the next number below.
 * There p (1 - p) is 0, and the true one is not.
 */
export const LOST = { float32: 2 ** -25, float64: 2 ** -54 } as const;

/** How sure rows are. */
export class CertaintySums {
  readonly confidence = new Histogram(0, 1, BINS);
  readonly entropy: Histogram;
  /** log10 of the uncertainty where it is not 0. */
  readonly uncertainty = new Histogram(
    LEAST_DECADE,
    0,
    -LEAST_DECADE * BINS_PER_DECADE,
  );
  uncertaintyRows = 0;
  uncertaintySum = 0;
  /** One class has all: no block to lose. */
  zeroUncertainty = 0;
  lostFloat32 = 0;
  lostFloat64 = 0;

  constructor(classes: number) {
    this.entropy = new Histogram(0, Math.log(Math.max(2, classes)), BINS);
  }

  add({ confidence, uncertainty, entropy }: Example): void {
    this.confidence.add(confidence);
    this.entropy.add(entropy);
    if (Number.isNaN(uncertainty)) return;
    this.uncertaintyRows++;
    this.uncertaintySum += uncertainty;
    if (uncertainty <= 0) {
      this.zeroUncertainty++;
      return;
    }
    this.uncertainty.add(Math.log10(uncertainty));
    if (uncertainty <= LOST.float32) this.lostFloat32++;
    if (uncertainty <= LOST.float64) this.lostFloat64++;
  }
}
