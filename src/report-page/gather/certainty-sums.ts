import type { Example } from "../../output-rows/example.js";
import { Histogram } from "./histogram.js";

/** Down to the smallest subnormal, 10^-323.3. */
export const LEAST_DECADE = -324;
/** Each decade of the doubt in so many bins. */
export const BINS_PER_DECADE = 8;
const BINS = 40;

/**
 * Doubt at or under which p of the winner is 1 in float32, or in float64: half the distance from 1 to the next number below.
 * There p (1 - p) is 0, and the true one is not.
 */
export const LOST = { float32: 2 ** -25, float64: 2 ** -54 } as const;

/** How sure rows are. */
export class CertaintySums {
  readonly confidence = new Histogram(0, 1, BINS);
  readonly entropy: Histogram;
  /** log10 of the doubt where it is not 0. */
  readonly doubt = new Histogram(
    LEAST_DECADE,
    0,
    -LEAST_DECADE * BINS_PER_DECADE,
  );
  doubtRows = 0;
  doubtSum = 0;
  /** One class has all: no block to lose. */
  zeroDoubt = 0;
  lostFloat32 = 0;
  lostFloat64 = 0;

  constructor(classes: number) {
    this.entropy = new Histogram(0, Math.log(Math.max(2, classes)), BINS);
  }

  add({ confidence, doubt, entropy }: Example): void {
    this.confidence.add(confidence);
    this.entropy.add(entropy);
    if (Number.isNaN(doubt)) return;
    this.doubtRows++;
    this.doubtSum += doubt;
    if (doubt <= 0) {
      this.zeroDoubt++;
      return;
    }
    this.doubt.add(Math.log10(doubt));
    if (doubt <= LOST.float32) this.lostFloat32++;
    if (doubt <= LOST.float64) this.lostFloat64++;
  }
}
