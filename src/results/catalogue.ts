import * as code from "../kernels/portable/codes.js";

/** Options that name a further input column that a result needs. */
export const AUXILIARY_NAMES = [
  "cotangent",
  "tangent",
  "covariance",
  "label",
  "classColumn",
] as const;
export type AuxiliaryName = (typeof AUXILIARY_NAMES)[number];

/** Uses of input columns beside the logits: those of results, and weights, features and groups of sums over rows. */
export type InputUse = AuxiliaryName | "weight" | "features" | "by";

export function isAuxiliaryName(name: string): name is AuxiliaryName {
  return (AUXILIARY_NAMES as readonly string[]).includes(name);
}

/** Returns the kind of an auxiliary input's values. */
export function valuesOf(
  option: InputUse,
): "class" | "numbers" | "weight" | "features" | "key" {
  if (option === "weight" || option === "features") return option;
  if (option === "by") return "key";
  return option === "label" || option === "classColumn" ? "class" : "numbers";
}

export const LAYOUTS = [
  "bsr",
  "packed",
  "csr",
  "coo",
  "factored",
  "dense",
] as const;
/** Name of a layout of Jacobian blocks. */
export type Layout = (typeof LAYOUTS)[number];

/** Maximum number of classes Q: above it, Q·Q exceeds the exact integers of float64. */
export const MAX_CLASSES = 94_906_265;

/** Maximum size of a dense tensor without `forceDense`: all but its diagonal blocks is zero. */
export const MAX_DENSE_BYTES = 2 ** 30;

/** Codecs of `--compress`: the name in the Arrow format, and the file with the compiled library. */
export const CODECS = {
  lz4: { method: "LZ4_FRAME", file: "lz4_wasm_nodejs_bg.wasm" },
  zstd: { method: "ZSTD", file: "wasm-zstd.wasm" },
} as const;
export type Codec = keyof typeof CODECS;
export const CODEC_NAMES = Object.keys(CODECS) as Codec[];

/** Layout that stores single entries; their number is known only after computing. */
export type EntriesLayout = "csr" | "coo";

export function isEntriesLayout(layout: Layout): layout is EntriesLayout {
  return layout === "csr" || layout === "coo";
}

/** Shape of the result of a row: one value, one per class, or a block of classes x classes. */
type Shape = "scalar" | "vector" | "block";

const resultsOf =
  <const S extends Shape>(shape: S) =>
  (code: number, help: string, input: AuxiliaryName | null = null) => ({
    ...{ shape, code, help, input },
  });
const scalar = resultsOf("scalar");
const vector = resultsOf("vector");
const block = resultsOf("block");

/** The results, with p = softmax(o/T); sums are over all classes. `type` is set for integers. */
export const EMITS = {
  softmax: vector(code.SOFTMAX, "p"),
  log_softmax: vector(code.LOG_SOFTMAX, "log p"),
  logsumexp: scalar(code.LOGSUMEXP, "log of the sum of exp(o/T)"),
  jacobian: block(code.JACOBIAN, "(diag(p) - p pᵀ)/T, in the chosen layout"),
  log_jacobian: block(
    code.LOG_JACOBIAN,
    "(δ_ij - p_i)/T, the Jacobian of log-softmax",
  ),
  column: vector(
    code.COLUMN,
    "column k of the block (--class or --class-column)",
    "classColumn",
  ),
  diagonal: vector(code.DIAGONAL, "diagonal of the block"),
  trace: scalar(code.TRACE, "trace of the block"),
  vjp: vector(
    code.PRODUCT,
    "p (g - <p,g>)/T for g from --cotangent",
    "cotangent",
  ),
  jvp: vector(code.PRODUCT, "p (v - <p,v>)/T for v from --tangent", "tangent"),
  log_vjp: vector(
    code.LOG_VJP,
    "(g - p sum g)/T for g from --cotangent",
    "cotangent",
  ),
  log_jvp: vector(
    code.LOG_JVP,
    "(v - <p,v>)/T for v from --tangent",
    "tangent",
  ),
  factor: block(
    code.FACTOR,
    "V = (diag(sqrt p) - p sqrt(p)ᵀ)/sqrt T, J = V Vᵀ",
  ),
  covariance: block(
    code.COVARIANCE,
    "J Σ J for Σ from --covariance",
    "covariance",
  ),
  variance: vector(code.VARIANCE, "diagonal of J Σ J", "covariance"),
  std_error: vector(
    code.STD_ERROR,
    "standard error of p: square root of the diagonal of J Σ J",
    "covariance",
  ),
  cross_entropy: scalar(
    code.CROSS_ENTROPY,
    "-log p_y for y from --label",
    "label",
  ),
  gradient: vector(code.GRADIENT, "(p - e_y)/T for y from --label", "label"),
  entropy: scalar(code.ENTROPY, "-sum of p log p, in nats"),
  gini: scalar(code.GINI, "1 - sum of p²"),
  argmax: {
    ...scalar(
      code.ARGMAX_CLASS,
      "index of the largest logit (the first one, if tied)",
    ),
    type: "int32",
  },
  confidence: scalar(code.CONFIDENCE, "largest p"),
  uncertainty: scalar(
    code.UNCERTAINTY,
    "1 - max p, computed without cancellation",
  ),
  tail: scalar(
    code.TAIL_SUM,
    "sum of exp((o_k - max)/T) over all classes but argmax",
  ),
} as const;

/** Name of a result. */
export type EmitName = keyof typeof EMITS;
export const EMIT_NAMES = Object.keys(EMITS) as EmitName[];

/** Results of the layouts csr and coo: the largest dropped |entry| of each row, and the sum of all dropped |entries|. */
export const DROPPED = ["dropped_max", "dropped_sum"] as const;
export type DroppedName = (typeof DROPPED)[number];

export function isDropped(name: string): name is DroppedName {
  return (DROPPED as readonly string[]).includes(name);
}

/** Whether the layout applies to a result. */
export function isJacobian(name: string): name is "jacobian" | "log_jacobian" {
  return name === "jacobian" || name === "log_jacobian";
}
