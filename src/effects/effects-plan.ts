import { InputUnsupportedError } from "../errors.js";
import * as code from "../kernels/portable/codes.js";
import {
  BY,
  type Moment,
  momentSums,
  ONE,
  SCORE_OUTER,
  type SumsSpace,
  type SumsSpec,
  THIRD,
} from "../kernels/sums.js";
import {
  INTERCEPT,
  type RowShape,
  type RowSums,
} from "../reduce/sum-inputs.js";
import { triangle } from "../results/reductions.js";
import type { SumsPass } from "../tasks/run-tasks.js";
import type { Totals } from "./covariance.js";
import {
  type Estimate,
  estimates,
  type Model,
  neededMeans,
} from "./estimates.js";
import { type MeanName, type Means, meansAt } from "./means.js";
import type { ResolvedEffectsOptions } from "./options.js";

/** Passes over the rows, and how their sums become effects. */
export interface EffectsPlan {
  passes: SumsPass[];
  /** Returns the sums over all rows that the covariance needs. */
  totals(sums: RowSums): Totals;
  /** Returns mean J and mean x xᵀ of all rows, for a covariance from a file; null for others. */
  factors(sums: RowSums): Required<Pick<Means, "j" | "xx">> | null;
  /** Returns the effects of a group; none if all its weights are 0. */
  effects(
    sums: RowSums,
    group: number,
    model: Model,
  ): (Estimate & { effect: string })[];
}

/** Vector and factor of each mean. */
const MEANS: Record<MeanName, [code: number, by: keyof typeof BY]> = {
  ...{ p: [code.SOFTMAX, "one"], px: [code.SOFTMAX, "x"] },
  ...{ j: [code.PACKED, "one"], jx: [code.PACKED, "x"] },
  ...{ jxx: [code.PACKED, "outer"], tx: [THIRD, "x"], txx: [THIRD, "outer"] },
  ...{ x: [ONE, "x"], xx: [ONE, "outer"] },
};

/** Vector and factor of each sum over all rows; those of scores need the label, the only auxiliary input. */
const TOTALS: Record<keyof Totals, [code: number, by: keyof typeof BY]> = {
  fisher: [code.PACKED, "outer"],
  xx: [ONE, "outer"],
  score: [code.GRADIENT, "x"],
  opg: [SCORE_OUTER, "outer"],
};

/** @throws InputUnsupportedError for a term or contrast that is no feature */
export function planEffects(
  options: ResolvedEffectsOptions,
  shape: RowShape,
  coefficients: Float64Array,
): EffectsPlan {
  const { of, covariance, by = [] } = options;
  const hasErrors = covariance !== "none";
  const atMean = options.at === "mean";
  const terms = options.terms?.map((name) => termOf(name, "terms"));
  const all = shape.terms.map((_, k) => k);
  const slopes =
    terms ??
    all.filter((k) => options.constants || shape.terms[k] !== INTERCEPT);
  const contrasts = options.contrast.map(({ feature, ...contrast }) => ({
    ...contrast,
    k: termOf(feature, "contrast"),
  }));

  function termOf(name: string, option: string): number {
    const index = shape.terms.indexOf(name);
    if (index >= 0) return index;
    throw new InputUnsupportedError(
      options.inputs[0] as string,
      `--${option} ${name}`,
      `there is no such feature; the features are ${shape.terms.join(", ")}${option === "contrast" && name.includes("=") ? "; a contrast is feature or feature=from:to" : ""}`,
    );
  }
  const pass = (
    moments: Moment[],
    isGrouped: boolean,
    replaced: SumsSpec["replaced"] = null,
  ): SumsPass => ({
    spec: {
      ...{ classes: shape.classes, features: shape.features, coefficients },
      ...{ temperature: 1, intercept: options.intercept, replaced, moments },
      inputs: shape.inputs.map(({ values }) => values),
    },
    isGrouped,
  });
  const momentsOf = (names: readonly MeanName[]) =>
    names.map((name) => moment(MEANS[name], shape.classes));

  const needed = of.flatMap((kind) => neededMeans(kind, hasErrors));
  const isFile = covariance === "file";
  const factors = isFile ? (["j", "xx"] as const) : [];
  const names = [
    ...new Set([...(atMean ? ["x" as const] : needed), ...factors]),
  ];
  const contrastNames = neededMeans("contrast", hasErrors);
  const totals = neededTotals(options);
  const totalMoments = totals.map((name) =>
    moment(TOTALS[name], shape.classes),
  );
  const means = momentsOf(names);
  // Without groups one pass computes both. The first pass, which finds bad rows, has the label.
  const isOne = by.length === 0 || totals.length === 0;
  const passes = isOne
    ? [pass([...totalMoments, ...means], true)]
    : [pass(totalMoments, false), pass(means, true)];
  const groupPass = passes.length - 1;
  const firstContrast = passes.length;
  if (!atMean)
    for (const { from, to, k: feature } of contrasts)
      for (const value of [from, to])
        passes.push(pass(momentsOf(contrastNames), true, { feature, value }));

  const skipped = isOne ? countSums(totalMoments, shape.features) : 0;
  return {
    passes,
    totals({ spaces }) {
      const { sums } = (spaces[0] as SumsSpace).rounded(0);
      return Object.fromEntries(
        divided(totals, totalMoments, sums, 1, shape.features),
      );
    },
    factors({ spaces }) {
      if (!isFile) return null;
      const { sums } = (spaces[groupPass] as SumsSpace).total();
      const mean = sums.map((sum) => sum / (sums[0] as number));
      const start = 1 + skipped;
      const moments = momentsOf(names);
      const all = divided(names, moments, mean, start, shape.features);
      return Object.fromEntries(all) as Required<Pick<Means, "j" | "xx">>;
    },
    effects({ spaces }, group, model) {
      const meansOf = (n: number, names: readonly MeanName[], from: number) => {
        const { sums } = (spaces[n] as SumsSpace).rounded(group);
        const weight = sums[0] as number;
        if (weight === 0) return null;
        const mean = sums.map((sum) => sum / weight);
        const moments = momentsOf(names);
        return Object.fromEntries(
          divided(names, moments, mean, from, shape.features),
        ) as Means;
      };
      const own = meansOf(groupPass, names, 1 + skipped);
      if (!own) return [];
      const atX = (
        kind: Parameters<typeof neededMeans>[0],
        k = -1,
        value = 0,
      ) =>
        meansAt(
          (own.x as Float64Array).map((x, n) => (n === k ? value : x)),
          coefficients,
          neededMeans(kind, hasErrors),
        );
      return [
        ...of.flatMap((kind) => {
          const isCoefficient = kind === "coefficients";
          const found = estimates(
            ...([kind, model, atMean ? atX(kind) : own] as const),
            isCoefficient ? (terms ?? all) : slopes,
          );
          const effect = isCoefficient ? "coefficient" : kind;
          return found.map((estimate) => ({ ...estimate, effect }));
        }),
        ...contrasts.flatMap(({ from, to, k }, n) => {
          const [before, after] = [from, to].map((value, side) =>
            atMean
              ? atX("contrast", k, value)
              : meansOf(firstContrast + 2 * n + side, contrastNames, 1),
          ) as [Means, Means];
          const effect = `contrast ${from}:${to}`;
          return estimates("contrast", model, after, [k], before).map(
            (estimate) => ({ ...estimate, effect }),
          );
        }),
      ];
    },
  };
}

function neededTotals({
  covariance,
  label,
}: ResolvedEffectsOptions): (keyof Totals)[] {
  // With a covariance from a file, the Fisher information serves the Newton decrement only.
  if (covariance === "none" || (covariance === "file" && label === undefined))
    return [];
  return [
    "fisher",
    "xx",
    ...(label === undefined ? [] : (["score"] as const)),
    ...(covariance === "robust" ? (["opg"] as const) : []),
  ];
}

function moment(
  [vector, by]: readonly [code: number, by: keyof typeof BY],
  Q: number,
): Moment {
  const isScore = vector === code.GRADIENT || vector === SCORE_OUTER;
  const values = {
    ...{ [ONE]: 1, [code.SOFTMAX]: Q, [code.GRADIENT]: Q },
    ...{ [code.PACKED]: triangle(Q), [SCORE_OUTER]: triangle(Q) },
    [THIRD]: (Q * (Q + 1) * (Q + 2)) / 6,
  }[vector] as number;
  return {
    code: vector,
    values,
    by: BY[by],
    param: -1,
    input: isScore ? 0 : -1,
  };
}

function countSums(moments: readonly Moment[], features: number): number {
  return moments.reduce((sum, one) => sum + momentSums(one, features), 0);
}

/** Divides sums among the moments, from index `start` on. */
function divided<Name extends string>(
  names: readonly Name[],
  moments: readonly Moment[],
  sums: Float64Array,
  start: number,
  features: number,
): [Name, Float64Array][] {
  let end = start;
  return names.map((name, n) => {
    const from = end;
    end += momentSums(moments[n] as Moment, features);
    return [name, sums.subarray(from, end)];
  });
}
