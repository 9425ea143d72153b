import type { NumberSources } from "../../output-rows/reading-plan.js";
import type { CertaintySums } from "../gather/certainty-sums.js";
import type { Histogram } from "../gather/histogram.js";
import type { Bins, ConfidenceNumbers } from "../output-report.js";

export function certaintyNumbers(
  sums: CertaintySums,
  { confidence, uncertainty, entropy }: NumberSources,
  withoutP: number,
): ConfidenceNumbers {
  const reasons: string[] = [];
  if (!confidence)
    reasons.push(
      "Confidence needs softmax, confidence, uncertainty, tail or full blocks in the output.",
    );
  if (!uncertainty)
    reasons.push(
      "Uncertainty needs softmax, uncertainty or tail in the output: 1 − confidence has lost its digits.",
    );
  if (!entropy) reasons.push("Entropy needs entropy or softmax in the output.");
  if (withoutP > 0 && (uncertainty === "p" || entropy === "p"))
    reasons.push(
      `${withoutP.toLocaleString("en-US")} rows are skipped, because their blocks do not determine p (only two classes with nonzero p, or numbers that are too small).`,
    );
  if (
    sums.confidence.rows + sums.uncertaintyRows === 0 &&
    (confidence || uncertainty)
  )
    reasons.push("There are no rows with a confidence.");
  return {
    rows: Math.max(sums.confidence.rows, sums.uncertaintyRows),
    confidence: withMean(sums.confidence),
    uncertainty: uncertaintyOf(sums),
    entropy: withMean(sums.entropy),
    reasons,
  };
}

function withMean(histogram: Histogram): (Bins & { mean: number }) | null {
  const { mean } = histogram;
  return mean === null ? null : { ...binsOf(histogram), mean };
}

function binsOf({ low, width, counts }: Histogram): Bins {
  return { low, width, counts: Array.from(counts) };
}

/** Returns the bins between the least and the largest uncertainty. */
function uncertaintyOf(sums: CertaintySums): ConfidenceNumbers["uncertainty"] {
  const { uncertainty, uncertaintyRows, uncertaintySum, zeroUncertainty } =
    sums;
  if (uncertaintyRows === 0) return null;
  const { low, width, counts, rows, least, largest } = uncertainty;
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  return {
    low: first < 0 ? 0 : low + first * width,
    width,
    counts: first < 0 ? [] : Array.from(counts.subarray(first, last + 1)),
    rows: uncertaintyRows,
    mean: uncertaintySum / uncertaintyRows,
    min: rows > 0 ? 10 ** least : null,
    max: rows > 0 ? 10 ** largest : null,
    zero: zeroUncertainty,
    lostFloat32: sums.lostFloat32,
    lostFloat64: sums.lostFloat64,
  };
}
