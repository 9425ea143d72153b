import { InputUnsupportedError } from "../errors.js";
import { numberOf } from "../format-number.js";
import { withCallReport } from "../io/report-clock.js";
import type { SumsSpace } from "../kernels/sums.js";
import { readCovariance } from "../model/covariance-file.js";
import { checkHooks, copyOptions } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import { ARROW, checkOutput } from "../output/written-files.js";
import {
  keyColumn,
  numberColumn,
  type TableColumn,
  textColumn,
  writeTable,
} from "../reduce/arrow-table.js";
import { type KeyValue, shownKey } from "../reduce/group-table.js";
import {
  FILES,
  rejectTakenNames,
  type SumSource,
  sumRequest,
} from "../reduce/options.js";
import { writePartial } from "../reduce/partials.js";
import { NO_SUMS, reportSums } from "../reduce/sums-report.js";
import { VERSION } from "../version.js";
import { covarianceOf, isFeatureMajor } from "./covariance.js";
import { type EffectsPlan, planEffects } from "./effects-plan.js";
import type { EffectRow, EffectsReport } from "./effects-report.js";
import { createModel, inferenceAt } from "./estimates.js";
import { type EffectsOptions, resolveEffectsOptions } from "./options.js";

/** Decrement above which the coefficients are reported not to fit the rows: 0.1 standard errors. */
const MAX_DECREMENT = 0.01;

/**
 * Averages effects of features on the probabilities of a multinomial logit model over the rows of files, by group, with
 * delta-method standard errors: average marginal effects, predictions, elasticities and contrasts. Memory does not depend on the
 * number of rows, nor do the bytes of the results on threads, chunks or the order of inputs.
 *
 * Formulas: estimate and D = ∂ estimate/∂B are linear in weighted means of {1, p, J, ∇J} ⊗ {1, x, xxᵀ}; cov = D V Dᵀ.
 * @throws SoftjacError; its `report` describes the call up to the error
 */
export function effects(
  options: EffectsOptions,
  hooks: RunHooks = {},
): Promise<EffectsReport> {
  return effectsFrom(FILES, options, hooks);
}

/** Averages effects of sums of a source. @throws as effects */
export async function effectsFrom(
  source: SumSource,
  options: EffectsOptions,
  hooks: RunHooks,
): Promise<EffectsReport> {
  checkHooks(hooks);
  const resolved = resolveEffectsOptions(options);
  const given = copyOptions(options);
  const { inputs, output, force, sync, covariance, level } = resolved;
  const warn = (message: string) =>
    hooks.onEvent?.({ event: "warning", message });
  const fields = {
    ...{ inputs, output: output ?? null, ...NO_SUMS, covariance, level },
    ...{ newtonDecrement: null, effects: [] },
  };
  const rowsOf = ({ rows }: EffectsReport) => rows;
  return withCallReport<EffectsReport>(fields, rowsOf, async (report) => {
    if (output !== undefined) {
      checkOutput({ path: output, force, format: ARROW, inputs });
      rejectTakenNames(resolved.by, COLUMNS);
    }
    const emit = resolved.label === undefined ? [] : (["score"] as const);
    const request = await sumRequest(
      "effects",
      resolved,
      emit,
      output ?? "",
      source,
    );
    const file =
      resolved.covarianceFile === undefined
        ? null
        : await readCovariance(resolved.covarianceFile, source.readMatrix);
    const coefficients = request.coefficients as NonNullable<
      typeof request.coefficients
    >;
    const b = coefficients.values;
    let plan: EffectsPlan | null = null;
    const sums = await source.sum(
      {
        ...request,
        async plan(shape) {
          file?.check(shape.features, shape.classes);
          await file?.checkDefinite(hooks.signal);
          plan = planEffects(resolved, shape, b);
          return plan.passes;
        },
      },
      hooks,
    );
    const { shape, groups, keys, rows, badRows } = sums;
    const { terms, classes, features } = shape;
    reportSums(report, sums);
    if (resolved.partial) {
      const matrices = new Map([["coefficients", coefficients.matrix]]);
      if (file) matrices.set("covarianceFile", file.matrix);
      const commit = { output: output as string, force, sync };
      const call = ["effects", given, matrices, sums, commit] as const;
      report.outputBytes = await writePartial(...call);
      return;
    }
    const planned = plan as unknown as EffectsPlan;
    const weight = (sums.spaces[0] as SumsSpace).total().sums[0] as number;
    if (weight === 0)
      throw new InputUnsupportedError(
        inputs[0] as string,
        "rows",
        badRows === rows
          ? `expected at least one good row, found none in ${rows}`
          : `expected a weight above 0, found only 0 in ${numberOf(rows - badRows, "good row")}`,
      );
    const base = coefficients.base ?? 0;
    const parameters = { ...shape, base };
    const factors = file && planned.factors(sums);
    if (factors && isFeatureMajor(file.matrix, factors, parameters))
      warn(
        `${resolved.covarianceFile}: it seems to be ordered by feature, then class, since it fits the Fisher information of these rows much better that way; save it class-major, the coefficients of one class after those of another, or the standard errors are wrong`,
      );
    const found = covarianceOf(planned.totals(sums), parameters, weight);
    if (found.singular !== undefined && !file)
      throw new InputUnsupportedError(
        inputs[0] as string,
        "Fisher information",
        `it is singular: ${found.singular} is determined by the terms before it (a collinear feature, or classes that are separated)`,
      );
    report.newtonDecrement = found.decrement;
    if (found.decrement !== null && found.decrement > MAX_DECREMENT)
      warn(
        `the coefficients do not maximize the likelihood of these rows (they are ${Math.sqrt(found.decrement).toPrecision(2)} standard errors from the maximum); ${file ? "unless the fit was penalized or had other rows, check the order of the columns, the intercept and the weights" : `--covariance ${covariance} assumes that they do: use the columns, rows and weights of the fit, or --covariance-file`}`,
      );
    const v = file?.matrix.values ?? found.v;
    const model = createModel(
      [features, classes],
      b,
      coefficients.base ?? undefined,
      v,
    );
    const infer = inferenceAt(level);
    const origin = resolved.covarianceFile ?? (inputs[0] as string);
    const effectsOf = planned.effectsOf(sums, model);
    const values: KeyValue[][] = [];
    report.effects = groups.sorted(keys).flatMap(({ group, keys: own }) => {
      const named = keys.map((key, k) => [
        key.name,
        shownKey(key, own[k] ?? null),
      ]);
      const columns = Object.fromEntries(named);
      return effectsOf(group).map(
        ({ effect, estimate, stdError, term, ...row }): EffectRow => {
          values.push(own);
          const named = {
            effect,
            class: shape.classNames?.[row.class] ?? row.class,
            term: term === null ? null : (terms[term] as string),
          };
          rejectInfinite(named, { estimate, stdError }, origin);
          return {
            ...{ group: columns, ...named, estimate, std_error: stdError },
            ...infer(estimate, stdError),
          };
        },
      );
    });
    if (output !== undefined)
      report.outputBytes = await write(
        output,
        keys.map((key, k) => {
          const column = values.map((own) => own[k] ?? null);
          return keyColumn(key, column);
        }),
        report,
        shape.classNames,
        { force, sync },
      );
  });
}

/** @throws InputUnsupportedError for an estimate or a standard error beyond float64 */
function rejectInfinite(
  { effect, class: name, term }: Pick<EffectRow, "effect" | "class" | "term">,
  { estimate, stdError }: { estimate: number; stdError: number | null },
  path: string,
): void {
  const isGood = Number.isFinite(estimate);
  if (isGood && Number.isFinite(stdError ?? 0)) return;
  throw new InputUnsupportedError(
    path,
    `${effect}${term === null ? "" : ` of ${term}`}, class ${name}`,
    isGood
      ? "its variance exceeds float64; scale the features, their coefficients and the covariance, or the weights"
      : "it exceeds float64; scale the features and their coefficients",
  );
}

const NUMBERS = [
  ...(["estimate", "std_error", "statistic", "p_value"] as const),
  ...(["conf_low", "conf_high"] as const),
];

const COLUMNS = ["effect", "class", "term", ...NUMBERS];

/** Writes effects as an Arrow file, one row per effect; returns its size in bytes. @throws as writeTable */
function write(
  path: string,
  keys: readonly TableColumn[],
  { effects, covariance, level, newtonDecrement }: EffectsReport,
  classNames: readonly string[] | null,
  options: { force: boolean; sync: boolean },
): Promise<number> {
  const of = <T>(value: (row: EffectRow) => T) => effects.map(value);
  const classes = of((row) => row.class);
  return writeTable(
    path,
    [
      ...keys,
      textColumn(
        "effect",
        of(({ effect }) => effect),
      ),
      classNames
        ? textColumn("class", classes.map(String))
        : numberColumn("class", "int32", classes.map(Number)),
      textColumn(
        "term",
        of(({ term }) => term),
      ),
      ...NUMBERS.map((name) =>
        numberColumn(
          name,
          "float64",
          of((row) => row[name]),
        ),
      ),
    ],
    {
      "softjac.version": VERSION,
      "softjac.command": "effects",
      "softjac.covariance": covariance,
      "softjac.level": String(level),
      ...(classNames && { "softjac.class_names": JSON.stringify(classNames) }),
      ...(newtonDecrement !== null && {
        "softjac.newton_decrement": String(newtonDecrement),
      }),
    },
    options,
  );
}
