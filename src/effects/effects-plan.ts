import { InputUnsupportedError } from "../errors.js";
import * as code from "../kernels/portable/codes.js";
import { SumsSpace } from "../kernels/sums.js";
import {
  BY,
  type Moment,
  momentSums,
  type SumsSpec,
} from "../kernels/sums-layout.js";
import { INTERCEPT, type RowShape } from "../reduce/row-shape.js";
import type { RowSums } from "../reduce/sum-inputs.js";
import { triangle } from "../results/reductions.js";
import { sumsModule } from "../tasks/kernel-memory.js";
import type { SumsPass } from "../tasks/run-tasks.js";
import type { Totals } from "./covariance.js";
import {
  type Estimate,
  estimates,
  type Model,
  neededMeans,
} from "./estimates.js";
import { type MeanName, type Means, tripleCount } from "./means.js";
import type { ResolvedEffectsOptions } from "./options.js";

/** Passes over the rows, and how their sums become effects. */
export type EffectsPlan = ReturnType<typeof planEffects>;

type SumName = MeanName | keyof Totals;

/** Vector and factor of each mean, and of each sum over all rows; scores need the label, the only auxiliary input. */
const SUMS: Record<SumName, [code: number, by: keyof typeof BY]> = {
  ...{ p: [code.SOFTMAX, "one"], px: [code.SOFTMAX, "x"] },
  ...{ j: [code.PACKED, "one"], jx: [code.PACKED, "x"] },
  ...{
    jxx: [code.PACKED, "outer"],
    tx: [code.THIRD, "x"],
    txx: [code.THIRD, "outer"],
  },
  ...{ x: [code.ONE, "x"], xx: [code.ONE, "outer"] },
  ...{ fisher: [code.PACKED, "outer"], gram: [code.ONE, "outer"] },
  ...{ score: [code.GRADIENT, "x"], opg: [code.SCORE_OUTER, "outer"] },
};

interface NamedPass extends SumsPass {
  names: readonly SumName[];
}

/** @throws InputUnsupportedError for a term or contrast that is no feature */
export function planEffects(
  options: ResolvedEffectsOptions,
  shape: RowShape,
  coefficients: Float64Array,
) {
  const { of, covariance, by = [], intercept } = options;
  const { classes, features } = shape;
  const hasErrors = covariance !== "none";
  const atMean = options.at === "mean";
  const terms = options.terms?.map((name) => termOf(name, "terms"));
  const all = shape.terms.map((_, k) => k);
  const isConstant = (k: number) => shape.terms[k] === INTERCEPT;
  const constants = options.constants ? all.filter(isConstant) : [];
  const slopes = [
    ...new Set([...constants, ...(terms ?? all.filter((k) => !isConstant(k)))]),
  ];
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
    names: readonly SumName[],
    isGrouped = true,
    replaced: SumsSpec["replaced"] = null,
  ): NamedPass => ({
    names,
    spec: {
      ...{ classes, features, coefficients, temperature: 1 },
      ...{ intercept, replaced },
      inputs: shape.inputs.map(({ values }) => values),
      moments: names.map((name) => momentOf(name, classes)),
    },
    isGrouped,
  });

  const needed = [
    ...new Set(of.flatMap((kind) => neededMeans(kind, hasErrors))),
  ];
  const contrastPasses = contrasts.flatMap(({ from, to, k: feature }) =>
    [from, to].map((value) =>
      pass(neededMeans("contrast", hasErrors), true, { feature, value }),
    ),
  );
  /** Passes whose sums are the means of the effects. */
  const effectPasses = [pass(needed), ...contrastPasses];
  const isFile = covariance === "file";
  const means: SumName[] = [
    ...new Set<SumName>([
      ...(atMean ? (["x"] as const) : needed),
      ...(isFile ? (["j", "xx"] as const) : []),
    ]),
  ];
  const totals = neededTotals(options);
  // Without groups one pass computes both. The first pass, which finds bad rows, has the label.
  const isOne = by.length === 0 || totals.length === 0;
  const passes = [
    ...(isOne
      ? [pass([...totals, ...means])]
      : [pass(totals, false), pass(means)]),
    ...(atMean ? [] : contrastPasses),
  ];
  const first = isOne ? 0 : 1;

  return {
    passes,
    /** Returns the sums over all rows that the covariance needs. */
    totals({ spaces }: RowSums): Totals {
      const { sums } = (spaces[0] as SumsSpace).rounded(0);
      return bySum(passes[0] as NamedPass, sums);
    },
    /** Returns mean J and mean x xᵀ of all rows, for a covariance from a file; null for others. */
    factors({ spaces }: RowSums): Required<Pick<Means, "j" | "xx">> | null {
      if (!isFile) return null;
      const { sums } = (spaces[first] as SumsSpace).total();
      return bySum(
        passes[first] as NamedPass,
        meansOf(sums),
      ) as Required<Means>;
    },
    /** Returns the function that returns the effects of a group; none if all its weights are 0. */
    effectsOf({ spaces }: RowSums, model: Model) {
      const space = spaces[first] as SumsSpace;
      const sumsAt = atMean
        ? sumsAtMean(space)
        : (n: number, group: number) =>
            (spaces[first + n] as SumsSpace).rounded(group).sums;
      const at = (n: number, group: number): Means => {
        const named = atMean ? effectPasses[n] : passes[first + n];
        return bySum(named as NamedPass, meansOf(sumsAt(n, group)));
      };
      return (group: number): (Estimate & { effect: string })[] => {
        if (space.rounded(group).sums[0] === 0) return [];
        const means = at(0, group);
        return [
          ...of.flatMap((kind) => {
            const isCoefficient = kind === "coefficients";
            const effect = isCoefficient ? "coefficient" : kind;
            return estimates(
              ...([kind, model, means] as const),
              isCoefficient && !terms ? all : slopes,
            ).map((estimate) => ({ ...estimate, effect }));
          }),
          ...contrasts.flatMap(({ from, to, k }, n) => {
            const before = at(1 + 2 * n, group);
            const after = at(2 + 2 * n, group);
            const effect = `contrast ${from}:${to}`;
            return estimates("contrast", model, after, [k], before).map(
              (estimate) => ({ ...estimate, effect }),
            );
          }),
        ];
      };
    },
  };

  /** Returns the function that returns the sums of a pass over one row, the mean of the rows of a group. */
  function sumsAtMean(space: SumsSpace) {
    const module = sumsModule("softjac effects");
    const own = effectPasses.map(
      ({ spec }) => new SumsSpace(module, { ...spec, inputs: [] }),
    );
    return (n: number, group: number): Float64Array => {
      const { sums } = space.rounded(group);
      const { x = sums } = bySum(passes[first] as NamedPass, meansOf(sums));
      const at = own[n] as SumsSpace;
      at.clear();
      at.add({ rows: 1, features: x.subarray(intercept ? 1 : 0) });
      return at.rounded(0).sums;
    };
  }

  /** Returns sums by their names. */
  function bySum(
    { names, spec }: NamedPass,
    sums: Float64Array,
  ): { [name in SumName]?: Float64Array } {
    let end = 1;
    const entries = names.map((name, n) => {
      const start = end;
      end += momentSums(spec.moments[n] as Moment, features);
      return [name, sums.subarray(start, end)];
    });
    return Object.fromEntries(entries);
  }
}

/** Divides sums by the first one, the sum of the weights. */
function meansOf(sums: Float64Array): Float64Array {
  return sums.map((sum) => sum / (sums[0] as number));
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
    "gram",
    ...(label === undefined ? [] : (["score"] as const)),
    ...(covariance === "robust" ? (["opg"] as const) : []),
  ];
}

function momentOf(name: SumName, Q: number): Moment {
  const [vector, by] = SUMS[name];
  const values = {
    ...{ [code.ONE]: 1, [code.SOFTMAX]: Q, [code.GRADIENT]: Q },
    ...{ [code.PACKED]: triangle(Q), [code.SCORE_OUTER]: triangle(Q) },
    [code.THIRD]: tripleCount(Q),
  }[vector] as number;
  const isScore = vector === code.GRADIENT || vector === code.SCORE_OUTER;
  const input = isScore ? 0 : -1;
  return { code: vector, values, by: BY[by], param: -1, input };
}
