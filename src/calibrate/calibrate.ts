import { InputUnsupportedError } from "../errors.js";
import { type CallReport, withCallReport } from "../io/report-clock.js";
import { BRIER, CALIBRATION, RELIABILITY } from "../kernels/portable/codes.js";
import type { SumsSpace } from "../kernels/sums.js";
import { BY, type Moment } from "../kernels/sums-layout.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import type { OptionsOf } from "../options/options-table.js";
import { writeWhole } from "../output/commit.js";
import { checkOutput, JSON_FILE } from "../output/written-files.js";
import { sumRequest } from "../reduce/options.js";
import {
  KeptInputs,
  type SumRequest,
  sumInputs,
} from "../reduce/sum-inputs.js";

/** Options of `calibrate`. `inputs` and `label` are required. */
export interface CalibrateOptions extends OptionsOf<"calibrate"> {}

/** Measures of calibration: before, at T = 1, and after, at the fitted temperature. */
interface BeforeAfter {
  before: number;
  after: number;
}

/** Report of `calibrate`: its return value, or `report` of its error. */
export interface CalibrateReport extends CallReport {
  inputs: readonly string[];
  output: string | null;
  /** Number of good rows, and the sum of their weights. */
  rows: number;
  weight: number;
  badRows: number;
  classes: number;
  /** Temperature that maximizes the likelihood of the labels, and its standard error T²/√(Σ w Var_p(o)). */
  temperature: number;
  std_error: number;
  /** Number of passes over the rows. */
  passes: number;
  /** Mean negative log-likelihood in nats. */
  nll: BeforeAfter;
  /** Expected calibration error with 15 bins (b/15, (b + 1)/15] of the confidence. */
  ece: BeforeAfter;
  /** Mean of Σ (p_k - [k = y])². */
  brier: BeforeAfter;
}

const BINS = 15;
/** Relative step of 1/T at which the fit ends; the remaining error is of the order of its square. */
const TOLERANCE = 1e-8;
const MAX_PASSES = 100;

/**
 * Fits the temperature T of softmax(o/T) to labels by maximum likelihood, with its standard error, in one pass over the rows
 * per Newton step. The negative log-likelihood is convex in 1/T.
 * @throws SoftjacError; InputUnsupportedError if no temperature above 0 maximizes the likelihood
 */
export async function calibrate(
  options: CalibrateOptions,
  hooks: RunHooks = {},
): Promise<CalibrateReport> {
  checkHooks(hooks);
  const resolved = resolve("calibrate", options);
  const { inputs, output, force, sync } = resolved;
  const none = { before: Number.NaN, after: Number.NaN };
  const fields = {
    ...{ inputs, output: output ?? null, rows: 0, weight: 0, badRows: 0 },
    ...{ classes: 0, temperature: 1, passes: 0, std_error: Number.NaN },
    ...{ nll: none, ece: none, brier: none },
  };
  const rowsOf = ({ rows, passes }: CalibrateReport) => rows * passes;
  const kept = new KeptInputs(hooks);
  return withCallReport<CalibrateReport>(fields, rowsOf, async (report) => {
    if (output !== undefined)
      checkOutput({ path: output, force, format: JSON_FILE, inputs });
    const request = await sumRequest(
      ...(["calibrate", resolved, ["cross_entropy"], output ?? ""] as const),
    );
    const evaluate = async (temperature: number): Promise<Measures> => {
      report.passes++;
      const plan: SumRequest["plan"] = ({ classes, inputs }) => {
        report.classes = classes;
        const spec = {
          ...{ classes, features: 0, coefficients: null, temperature },
          inputs: inputs.map(({ values }) => values),
          moments: MOMENTS,
        };
        return [{ spec, isGrouped: true }];
      };
      const sums = await sumInputs({ ...request, plan }, hooks, kept);
      report.badRows = sums.badRows;
      return measuresOf(sums.spaces[0] as SumsSpace, temperature);
    };
    const before = await evaluate(1);
    const { rows, weight } = before;
    Object.assign(report, { rows, weight });
    rejectUnbounded(before, inputs[0] as string);
    const after = await maximize(before, evaluate);
    const { temperature } = after;
    Object.assign(report, {
      temperature,
      std_error: temperature ** 2 / Math.sqrt(weight * after.curvature),
      nll: { before: before.nll, after: after.nll },
      ece: { before: before.ece, after: after.ece },
      brier: { before: before.brier, after: after.brier },
    });
    if (output !== undefined) await write(output, report, { force, sync });
  }).finally(() => kept.close());
}

/** Means over the rows at a temperature; slope and curvature are those of nll with respect to 1/T. */
interface Measures {
  temperature: number;
  rows: number;
  weight: number;
  nll: number;
  slope: number;
  curvature: number;
  /** Mean of mean_k o_k - o_y: the slope at 1/T = 0. */
  slopeAtZero: number;
  /** Mean of [another class has a larger logit than the label]. */
  wrong: number;
  ece: number;
  brier: number;
}

const moment = (code: number, values: number, param = -1): Moment => ({
  ...{ code, values, by: BY.one, param, input: 0 },
});
const MOMENTS = [
  moment(CALIBRATION, 5),
  moment(BRIER, 1),
  moment(RELIABILITY, 3 * BINS, BINS),
];

function measuresOf(space: SumsSpace, temperature: number): Measures {
  const { rows, sums } = space.rounded(0);
  const weight = sums[0] as number;
  const mean = (n: number) => (sums[1 + n] as number) / weight;
  let ece = 0;
  for (let bin = 0; bin < BINS; bin++)
    // W_b/W |acc_b - conf_b| = |Σ w correct - Σ w confidence|/W
    ece += Math.abs(mean(6 + 3 * bin + 2) - mean(6 + 3 * bin + 1));
  return {
    ...{ temperature, rows, weight, nll: mean(0), slope: mean(1) },
    ...{ curvature: mean(2), slopeAtZero: mean(3), wrong: mean(4) },
    ...{ brier: mean(5), ece },
  };
}

/** @throws InputUnsupportedError if the likelihood has no maximum at a finite T > 0 */
function rejectUnbounded(
  { weight, slopeAtZero, wrong }: Measures,
  path: string,
): void {
  const fail = (text: string) =>
    new InputUnsupportedError(path, "logits", text);
  if (weight === 0)
    throw fail("expected at least one good row of positive weight, found none");
  if (slopeAtZero >= 0)
    throw fail(
      "no positive temperature fits: the logit of the label is on average not above the mean logit of its row; check that the column holds logits and that labels use the same class order",
    );
  if (wrong === 0)
    throw fail(
      "no finite temperature fits: every row is predicted correctly, so the likelihood grows as T approaches 0; calibrate on rows that the model was not trained on",
    );
}

/** Newton's method on 1/T within the bracket of the known signs of the slope. */
async function maximize(
  first: Measures,
  evaluate: (temperature: number) => Promise<Measures>,
): Promise<Measures> {
  let [low, high] = [0, Number.POSITIVE_INFINITY];
  let beta = 1;
  let measures = first;
  for (let pass = 1; pass < MAX_PASSES; pass++) {
    const { slope, curvature } = measures;
    if (slope < 0) low = beta;
    else high = beta;
    const newton = beta - slope / curvature;
    if (newton === beta) return measures;
    const isLast = Math.abs(newton - beta) <= TOLERANCE * beta;
    // Newton's step is infinite if p is 0 or 1 in every row; then the logits of the labels give the scale of 1/T.
    const guesses = [
      newton,
      -1 / first.slopeAtZero,
      Number.isFinite(high) ? (low + high) / 2 : 2 * beta,
    ];
    const isInside = (guess: number) => guess > low && guess < high;
    const next = isLast ? newton : guesses.find(isInside);
    if (next === undefined) return measures;
    beta = next;
    measures = await evaluate(1 / beta);
    if (isLast) return measures;
  }
  return measures;
}

async function write(
  path: string,
  report: CalibrateReport,
  options: { force: boolean; sync: boolean },
): Promise<void> {
  const { temperature, std_error, rows, weight, nll, ece, brier } = report;
  const text = JSON.stringify(
    { temperature, std_error, rows, weight, nll, ece, brier },
    null,
    2,
  );
  const bytes = new TextEncoder().encode(`${text}\n`);
  await writeWhole(path, bytes, options);
}
