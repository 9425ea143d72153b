import * as code from "../numeric/portable/codes.js";

/** Option that names a further input column that a result needs. */
export type InputName =
  | "cotangent"
  | "tangent"
  | "covariance"
  | "label"
  | "classColumn";

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

/** The most classes: beyond, Q·Q is no exact number. */
export const MAX_CLASSES = 94_906_265;

/** Layout that stores single entries; their number is known only after computing. */
export type EntriesLayout = "csr" | "coo";

export function isEntriesLayout(layout: Layout): layout is EntriesLayout {
  return layout === "csr" || layout === "coo";
}

/** What can be emitted; p = softmax(o/T), w = 1 - p_a of the winner a, all sums over all classes. */
export interface EmitSpec {
  code: number;
  /** Values: one, one per class, or a block of classes x classes. */
  shape: "scalar" | "vector" | "block";
  input?: InputName;
  /** The column's type where it is not that of the results. */
  type?: "int32";
  help: string;
}

export const EMITS = {
  softmax: { code: code.SOFTMAX, shape: "vector", help: "p" },
  log_softmax: { code: code.LOG_SOFTMAX, shape: "vector", help: "log p" },
  logsumexp: {
    code: code.LOGSUMEXP,
    shape: "scalar",
    help: "log of the sum of exp(o/T)",
  },
  jacobian: {
    code: code.JACOBIAN,
    shape: "block",
    help: "(diag(p) - p pᵀ)/T, in the chosen layout",
  },
  log_jacobian: {
    code: code.LOG_JACOBIAN,
    shape: "block",
    help: "(δ_ij - p_i)/T, the Jacobian of log-softmax",
  },
  column: {
    code: code.COLUMN,
    shape: "vector",
    input: "classColumn",
    help: "column k of the block (--class or --class-column)",
  },
  diagonal: {
    code: code.DIAGONAL,
    shape: "vector",
    help: "diagonal of the block",
  },
  trace: { code: code.TRACE, shape: "scalar", help: "trace of the block" },
  vjp: {
    code: code.PRODUCT,
    shape: "vector",
    input: "cotangent",
    help: "p (g - <p,g>)/T for g from --cotangent",
  },
  jvp: {
    code: code.PRODUCT,
    shape: "vector",
    input: "tangent",
    help: "p (v - <p,v>)/T for v from --tangent",
  },
  log_vjp: {
    code: code.LOG_VJP,
    shape: "vector",
    input: "cotangent",
    help: "(g - p sum g)/T for g from --cotangent",
  },
  log_jvp: {
    code: code.LOG_JVP,
    shape: "vector",
    input: "tangent",
    help: "(v - <p,v>)/T for v from --tangent",
  },
  factor: {
    code: code.FACTOR,
    shape: "block",
    help: "V = (diag(sqrt p) - p sqrt(p)ᵀ)/sqrt T, J = V Vᵀ",
  },
  covariance: {
    code: code.COVARIANCE,
    shape: "block",
    input: "covariance",
    help: "J Σ J for Σ from --covariance",
  },
  variance: {
    code: code.VARIANCE,
    shape: "vector",
    input: "covariance",
    help: "diagonal of J Σ J",
  },
  cross_entropy: {
    code: code.CROSS_ENTROPY,
    shape: "scalar",
    input: "label",
    help: "-log p_y for y from --label",
  },
  gradient: {
    code: code.GRADIENT,
    shape: "vector",
    input: "label",
    help: "(p - e_y)/T for y from --label",
  },
  entropy: {
    code: code.ENTROPY,
    shape: "scalar",
    help: "-sum of p log p, in nats",
  },
  gini: { code: code.GINI, shape: "scalar", help: "1 - sum of p²" },
  argmax: {
    code: code.ARGMAX_CLASS,
    shape: "scalar",
    type: "int32",
    help: "index of the largest logit (the first one, if tied)",
  },
  confidence: {
    code: code.CONFIDENCE,
    shape: "scalar",
    help: "largest p",
  },
  uncertainty: {
    code: code.DOUBT,
    shape: "scalar",
    help: "1 - max p, computed without cancellation",
  },
  tail: {
    code: code.TAIL_SUM,
    shape: "scalar",
    help: "sum of exp((o_k - max)/T) over all classes but argmax",
  },
} as const satisfies Record<string, EmitSpec>;

/** Name of a result. */
export type EmitName = keyof typeof EMITS;
export const EMIT_NAMES = Object.keys(EMITS) as EmitName[];

/** Results whose names have changed: old option values and old files have the first. */
const RENAMED: { [old: string]: EmitName } = { doubt: "uncertainty" };

/** Returns the name that a result has now. */
export function currentName<Name extends string>(name: Name): Name | EmitName {
  return Object.hasOwn(RENAMED, name) ? (RENAMED[name] as EmitName) : name;
}

/** Results of the layouts csr and coo: the largest dropped |entry| of each row, and the sum of all dropped |entries|. */
export const DROPPED = ["dropped_max", "dropped_sum"] as const;
export type DroppedName = (typeof DROPPED)[number];

export function isDropped(name: string): name is DroppedName {
  return (DROPPED as readonly string[]).includes(name);
}
