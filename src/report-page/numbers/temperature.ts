import type { PSample } from "../gather/p-sample.js";
import { Reliability } from "../gather/reliability.js";
import type { TemperatureNumbers } from "../output-report.js";
import { brentMinimum } from "./brent-minimum.js";

/** Where the best T is looked for. */
const RANGE = [1e-2, 1e2] as const;
/** Of log T: more digits than any sample gives. */
const TOLERANCE = 1e-7;
const CURVE_POINTS = 33;

/**
 * What another temperature would make of rows with labels. softmax(o/T) is softmax(log p/T), exactly, for every p that is
 * not 0; one that is 0 stays 0. As a function of 1/T the NLL is convex, so that it has one minimum along log T as well.
 */
export function temperatureNumbers(sample: PSample): TemperatureNumbers | null {
  const rows = possibleRows(sample);
  // Of one class p is 1, whatever T is.
  if (rows.length === 0 || sample.classes === 1) return null;
  const at = (temperature: number) => ({
    temperature,
    ...scores(sample, rows, temperature),
  });
  const [low, high] = RANGE.map(Math.log) as [number, number];
  const logBest = brentMinimum(
    (x) => at(Math.exp(x)).nll,
    low,
    high,
    TOLERANCE,
  );
  const isNear = (end: number) => Math.abs(logBest - end) < 1e-3;
  const best = Math.exp(logBest);
  return {
    rows: rows.length,
    isSample: sample.isSample,
    curve: curveAround(best).map(at),
    current: { ...at(1), temperature: 1 },
    best: { ...at(best), atEnd: isNear(low) || isNear(high) },
  };
}

/** Rows whose label is a class, and one that has some p. */
function possibleRows({ labels, logRatios, classes }: PSample): number[] {
  return Array.from(labels, (_, row) => row).filter((row) => {
    const label = labels[row] as number;
    return (
      label >= 0 &&
      logRatios[row * classes + label] !== Number.NEGATIVE_INFINITY
    );
  });
}

/** Evenly along log T, 1 and the best among what lies inside. */
function curveAround(best: number): number[] {
  const low = Math.log(Math.min(1 / 4, best / 2));
  const high = Math.log(Math.max(4, best * 2));
  return Array.from({ length: CURVE_POINTS }, (_, k) =>
    Math.exp(low + ((high - low) * k) / (CURVE_POINTS - 1)),
  );
}

function scores(
  { logRatios, classes, winners, labels }: PSample,
  rows: readonly number[],
  temperature: number,
): { nll: number; ece: number } {
  const reliability = new Reliability();
  let nll = 0;
  for (const row of rows) {
    const start = row * classes;
    const winner = winners[row] as number;
    const label = labels[row] as number;
    // Without the winner's 1: it is what a sure row's NLL is made of.
    let tail = 0;
    for (let k = 0; k < classes; k++)
      if (k !== winner)
        tail += Math.exp((logRatios[start + k] as number) / temperature);
    nll +=
      Math.log1p(tail) - (logRatios[start + label] as number) / temperature;
    reliability.add(1 / (1 + tail), winner === label);
  }
  return { nll: nll / rows.length, ece: reliability.ece ?? 0 };
}
