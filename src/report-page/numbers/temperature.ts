import type { SampledRow } from "../gather/p-sample.js";
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
export function temperatureNumbers(
  rows: readonly SampledRow[],
  isSample: boolean,
): TemperatureNumbers | null {
  const labelled = rows.filter(
    ({ label, logRatios }) =>
      label >= 0 && logRatios[label] !== Number.NEGATIVE_INFINITY,
  );
  if (labelled.length === 0) return null;
  const at = (temperature: number) => ({
    temperature,
    ...scores(labelled, temperature),
  });
  const [low, high] = RANGE.map(Math.log) as [number, number];
  const logBest = brentMinimum(
    (x) => nllOf(labelled, Math.exp(x)),
    low,
    high,
    TOLERANCE,
  );
  const isNear = (end: number) => Math.abs(logBest - end) < 1e-3;
  const best = Math.exp(logBest);
  return {
    rows: labelled.length,
    isSample,
    curve: curveAround(best).map(at),
    now: { ...at(1), temperature: 1 },
    best: { ...at(best), atEnd: isNear(low) || isNear(high) },
  };
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
  rows: readonly SampledRow[],
  temperature: number,
): { nll: number; ece: number } {
  const reliability = new Reliability();
  for (const { logRatios, winner, label } of rows)
    reliability.add(1 / sumOf(logRatios, temperature), winner === label);
  return { nll: nllOf(rows, temperature), ece: reliability.ece ?? 0 };
}

function nllOf(rows: readonly SampledRow[], temperature: number): number {
  let nll = 0;
  for (const { logRatios, winner, label } of rows) {
    const own = (logRatios[label] as number) / temperature;
    nll += Math.log1p(tailOf(logRatios, winner, temperature)) - own;
  }
  return nll / rows.length;
}

/** Sum of p_k/p_a to the power of 1/T. */
function sumOf(logRatios: Float64Array, temperature: number): number {
  let sum = 0;
  for (let k = 0; k < logRatios.length; k++)
    sum += Math.exp((logRatios[k] as number) / temperature);
  return sum;
}

/** The same without the winner's 1: what a sure row's NLL is made of. */
function tailOf(
  logRatios: Float64Array,
  winner: number,
  temperature: number,
): number {
  let sum = 0;
  for (let k = 0; k < logRatios.length; k++)
    if (k !== winner) sum += Math.exp((logRatios[k] as number) / temperature);
  return sum;
}
