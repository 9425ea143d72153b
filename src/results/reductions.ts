import { UsageError } from "../errors.js";
import * as code from "../kernels/portable/codes.js";
import { BY, type Moment, momentSums } from "../kernels/sums-layout.js";
import { type AuxiliaryName, EMIT_NAMES, EMITS } from "./catalogue.js";
import { resultColumns } from "./columns.js";
import { checkNames } from "./emit-options.js";

/** Numbers of classes Q and features K. */
interface Sizes {
  Q: number;
  K: number;
}

/** Layout of symmetric matrices: whole, or their upper triangles. */
export type SymmetricLayout = "bsr" | "packed";

/** A column of the output: a moment, and how its sums become values. */
export interface SumColumn {
  name: string;
  statistic: "mean" | "sum";
  moment: Moment;
  /** Sign of the values: the kernels compute gradients of the loss. */
  sign: 1 | -1;
  /** Which of its axes are upper triangles of symmetric matrices; null: none. */
  symmetric: "classes" | "features" | "both" | null;
  /** Shape of the values without symmetry; empty for a number. */
  shape: number[];
}

/** Fields of a column and of its moment; default: the sum of one value over the rows. */
type ColumnRow = Partial<
  Omit<SumColumn, "moment"> &
    Pick<Moment, "code" | "values" | "param"> & { by: keyof typeof BY }
>;

interface Reduction {
  help: string;
  needs: readonly ("features" | "label")[];
  columns: (sizes: Sizes) => ColumnRow[];
}

/** Returns the number of entries of the upper triangle of an n x n matrix. */
export function triangle(n: number): number {
  return (n * (n + 1)) / 2;
}

/** Sums of J or of s sᵀ, packed, times a factor. */
const packed = (by: keyof typeof BY, Q: number, c: number = code.PACKED) =>
  ({ code: c, values: triangle(Q), by }) as const;

/** Results of `reduce` beyond the means of results of `run`; y is the label, x the features, s = e_y - p. */
const OWN = {
  accuracy: {
    help: "mean of [argmax = y]",
    needs: ["label"],
    columns: () => [{ statistic: "mean", code: code.CORRECT }],
  },
  features: {
    help: "mean of x",
    needs: ["features"],
    columns: ({ K }) => [
      { statistic: "mean", code: code.ONE, by: "x", shape: [K] },
    ],
  },
  loglik: {
    help: "sum of log p_y",
    needs: ["label"],
    columns: () => [{ code: code.CROSS_ENTROPY, sign: -1 }],
  },
  score: {
    help: "sum of s xᵀ, the gradient of loglik: classes x features",
    needs: ["features", "label"],
    columns: ({ Q, K }) => [
      { code: code.GRADIENT, values: Q, by: "x", sign: -1, shape: [Q, K] },
    ],
  },
  fisher: {
    help: "sum of J ⊗ x xᵀ, the Fisher information, class-major",
    needs: ["features"],
    columns: ({ Q }) => [{ ...packed("outer", Q), symmetric: "both" }],
  },
  fisher_diagonal: {
    help: "diagonal of fisher: classes x features",
    needs: ["features"],
    columns: ({ Q, K }) => [
      { code: code.DIAGONAL, values: Q, by: "square", shape: [Q, K] },
    ],
  },
  opg: {
    help: "sum of s sᵀ ⊗ x xᵀ, class-major",
    needs: ["features", "label"],
    columns: ({ Q }) => [
      { ...packed("outer", Q, code.SCORE_OUTER), symmetric: "both" },
    ],
  },
  kfac: {
    help: "kfac_output, the sum of J, and kfac_input, the mean of x xᵀ",
    needs: ["features"],
    columns: ({ Q }) => [
      { name: "kfac_output", ...packed("one", Q), symmetric: "classes" },
      {
        name: "kfac_input",
        ...{ statistic: "mean", code: code.ONE, by: "outer" },
        symmetric: "features",
      },
    ],
  },
} as const satisfies Record<string, Reduction>;

type OwnName = keyof typeof OWN;
/** Results of `run` of which `reduce` computes means. */
type MeanName = Exclude<keyof typeof EMITS, "argmax">;
/** Name of a result of `reduce`. */
export type ReductionName = OwnName | MeanName;

/** Names of all results of `reduce`; the mean of class numbers means nothing. */
export const REDUCTION_NAMES = [
  ...EMIT_NAMES.filter((name) => name !== "argmax"),
  ...Object.keys(OWN),
] as ReductionName[];

/** Results that only `reduce` has, with their help. */
export const OWN_REDUCTIONS: Readonly<Record<string, Reduction>> = OWN;

function isOwn(name: ReductionName): name is OwnName {
  return Object.hasOwn(OWN, name);
}

function needsOf(name: ReductionName): Reduction["needs"] {
  return isOwn(name) ? OWN[name].needs : [];
}

/** Results about coefficients, which are those of T = 1. */
const OF_COEFFICIENTS = ["score", "fisher", "fisher_diagonal", "opg", "kfac"];

/** Inputs of a call beside the logits. */
export interface Given {
  features: boolean;
  label: boolean;
  weight: boolean;
  coefficients: boolean;
  temperature: number;
}

/** Checks that the results can be computed. @throws UsageError with the option that is missing or not supported */
export function checkReductions(
  emit: readonly ReductionName[],
  given: Given,
): void {
  checkNames(emit);
  const isWarm = given.temperature !== 1;
  for (const name of emit) {
    for (const option of needsOf(name))
      if (!given[option])
        throw new UsageError(`emit: ${name} needs ${option}`, option);
    if (name === "opg" && given.weight)
      throw new UsageError(
        "emit: opg does not support weight, since frequency weights need w and sampling weights w²",
        "weight",
      );
    if (isWarm && OF_COEFFICIENTS.includes(name))
      throw new UsageError(`temperature: ${name} needs 1`);
  }
  if (isWarm && given.coefficients)
    throw new UsageError("temperature: coefficients need 1");
}

/** Returns the auxiliary input of a result, if it needs one. */
export function inputOfReduction(name: ReductionName): AuxiliaryName | null {
  if (!isOwn(name)) return EMITS[name].input;
  return needsOf(name).includes("label") ? "label" : null;
}

/**
 * Returns the columns of results.
 * @param inputs auxiliary inputs, in the order of the kernel
 * @throws UsageError for a class out of range
 */
export function sumColumns(
  emit: readonly ReductionName[],
  { classes: Q, features: K }: { classes: number; features: number },
  inputs: readonly { option: AuxiliaryName; values: number }[],
  column?: number,
): SumColumn[] {
  return emit.flatMap((name) => {
    const own = isOwn(name);
    const rows: ColumnRow[] = own
      ? OWN[name].columns({ Q, K })
      : [meanOf(name, Q, inputs, column)];
    const option = inputOfReduction(name);
    const input = inputs.findIndex((one) => one.option === option);
    return rows.map(
      ({
        code: own = code.ONE,
        values = 1,
        by = "one",
        param = -1,
        ...row
      }) => ({
        ...({ name, statistic: "sum", sign: 1, symmetric: null } as const),
        ...{ shape: [], ...row },
        moment: { code: own, values, by: BY[by], param, input },
      }),
    );
  });
}

function meanOf(
  name: MeanName,
  classes: number,
  inputs: readonly { option: AuxiliaryName; values: number }[],
  column: number | undefined,
): ColumnRow {
  const isJacobian = name === "jacobian";
  const [result] = resultColumns({
    ...{ emit: [name], layout: isJacobian ? "packed" : "bsr" },
    ...{ dtype: "float64", class: column, rows: 1, classes, inputs },
  });
  if (!result) throw new Error(`no column for ${name}`);
  const { code, values, param } = result;
  const shape = { scalar: [], vector: [classes], block: [classes, classes] }[
    EMITS[name].shape
  ];
  const symmetric = isJacobian ? "classes" : null;
  return { statistic: "mean", code, values, param, shape, symmetric };
}

/** Returns the shape of a column's value in a layout. */
export function shapeOf(
  { symmetric, shape }: SumColumn,
  { classes, features }: { classes: number; features: number },
  layout: SymmetricLayout,
): number[] {
  if (!symmetric) return shape;
  const n = { classes, features, both: classes * features }[symmetric];
  return layout === "packed" ? [triangle(n)] : [n, n];
}

/** Returns the index of the sum, as the kernel stores them, of each value of a column in a layout. */
export function sumIndices(
  { symmetric, moment }: SumColumn,
  sizes: { classes: number; features: number },
  layout: SymmetricLayout,
): Int32Array {
  if (symmetric) return symmetricIndices(symmetric, sizes, layout);
  const count = momentSums(moment, sizes.features);
  return Int32Array.from({ length: count }, (_, n) => n);
}

function symmetricIndices(
  symmetric: NonNullable<SumColumn["symmetric"]>,
  { classes, features }: { classes: number; features: number },
  layout: SymmetricLayout,
): Int32Array {
  const Q = symmetric === "features" ? 1 : classes;
  const K = symmetric === "classes" ? 1 : features;
  const n = Q * K;
  const out = new Int32Array(layout === "packed" ? triangle(n) : n * n);
  let next = 0;
  for (let row = 0; row < n; row++)
    for (let column = layout === "packed" ? row : 0; column < n; column++) {
      const [c, k] = [Math.floor(row / K), row % K];
      const [d, l] = [Math.floor(column / K), column % K];
      out[next++] = pairIndex(c, d, Q) * triangle(K) + pairIndex(k, l, K);
    }
  return out;
}

/** Expands packed sums to a whole symmetric matrix. */
export function expanded(
  symmetric: NonNullable<SumColumn["symmetric"]>,
  sums: Float64Array,
  sizes: { classes: number; features: number },
): Float64Array {
  return Float64Array.from(
    symmetricIndices(symmetric, sizes, "bsr"),
    (n) => sums[n] as number,
  );
}

/** Returns the index of entry (j, l), in either order, of the upper triangle of an n x n matrix, row by row. */
export function pairIndex(j: number, l: number, n: number): number {
  const low = j < l ? j : l;
  return low * n - (low * (low + 1)) / 2 + (j < l ? l : j);
}
