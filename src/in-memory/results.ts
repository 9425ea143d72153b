import { UsageError } from "../errors.js";
import {
  type CheckedOption,
  checkNames,
  checkValue,
} from "../options/check-options.js";
import { shortValue } from "../printable.js";
import {
  type AuxiliaryName,
  EMIT_NAMES,
  type EMITS,
  type EmitName,
  type EntriesLayout,
  LAYOUTS,
  type Layout,
} from "../results/catalogue.js";
import { auxiliaryLengths, resultColumns } from "../results/columns.js";
import {
  type AuxiliaryOptions,
  auxiliaryColumns,
  checkEmit,
  inputOfResult,
  neededAuxiliary,
  resultsUsing,
} from "../results/emit-options.js";
import { computeInMemory, type FloatArray, nameOf } from "./compute-rows.js";

/** Shape of the logits, and options of all functions on arrays. */
export interface InMemoryOptions {
  /** Number of rows of logits. */
  rows: number;
  /** Number of classes, the logits of each row. */
  classes: number;
  /** Temperature T of softmax(o/T), 1e-100 to 1e100; default: 1. */
  temperature?: number | undefined;
  /** Action for rows with NaN, +inf, only -inf or an invalid label or vector: throw BadRowError (default), or return NaN. */
  onBadRow?: "error" | "nan" | undefined;
}

const MAX = Number.MAX_SAFE_INTEGER;

/** Options of all functions on arrays, as rows of the options table. */
export const IN_MEMORY_OPTIONS = [
  { name: "rows", kind: "integer", isRequired: true },
  { name: "classes", kind: "integer", range: [1, MAX], isRequired: true },
  { name: "temperature", kind: "number", range: [1e-100, 1e100] },
  { name: "onBadRow", kind: "string", choices: ["error", "nan"] },
] as const satisfies (CheckedOption & { name: keyof InMemoryOptions })[];

const ARRAY_LAYOUTS = LAYOUTS.filter((name) => name !== "dense");
const RESULTS_OPTIONS: readonly CheckedOption[] = [
  ...IN_MEMORY_OPTIONS,
  { name: "emit", kind: "list", choices: EMIT_NAMES, isRequired: true },
  { name: "layout", kind: "string", choices: ARRAY_LAYOUTS },
];
/** Further options of `softmaxResults`: numbers or arrays. */
const INPUTS = ["class", "label", "cotangent", "tangent", "covariance"];

/** Row-major arrays that some results need in addition to the logits. */
export interface ResultInputs {
  /** Class k of the result `column`, 0-based: one for all rows, or `[rows]`. */
  class?: number | ArrayLike<number>;
  /** True classes for `cross_entropy` and `gradient`, 0-based, `[rows]`. */
  label?: ArrayLike<number>;
  /** Vectors for `vjp` and `log_vjp`, `[rows, classes]`. */
  cotangent?: ArrayLike<number>;
  /** Vectors for `jvp` and `log_jvp`, `[rows, classes]`. */
  tangent?: ArrayLike<number>;
  /** Covariances for `covariance` and `variance`, `[rows, n]`: n = Q (diagonals), Q(Q+1)/2 (row-major upper triangles) or Q·Q. */
  covariance?: ArrayLike<number>;
}

/** Options of `softmaxResults`. */
export interface ResultsOptions<
  Emit extends readonly EmitName[] = readonly EmitName[],
  L extends ResultsLayout = ResultsLayout,
> extends InMemoryOptions,
    ResultInputs {
  /** Names of the results to compute. */
  emit: Emit;
  /** Layout of `jacobian` and `log_jacobian`; default: bsr. */
  layout?: L;
}

type ResultsLayout = Exclude<Layout, "dense">;

/** Arrays that `softmaxResults` returns, by name; all optional if the items of `emit` are unknown at compile time. */
export type Results<
  T extends FloatArray,
  Emit extends readonly EmitName[],
  L extends ResultsLayout = "bsr",
> = number extends Emit["length"]
  ? { [Name in EmitName]?: ArrayOf<Name, T, L> }
  : L extends unknown
    ? { [Name in ArrayName<Emit[number], L>]: ArrayOf<Name, T, L> }
    : never;

/** Arrays of a result: the layout `factored` stores a block as softmax, argmax and tail, `csr` and `coo` have no array. */
type ArrayName<
  Name extends EmitName,
  L extends ResultsLayout,
> = Name extends BlockName
  ? L extends "factored"
    ? "softmax" | "argmax" | "tail"
    : L extends EntriesLayout
      ? never
      : Name
  : Name;

type BlockName = "jacobian" | "log_jacobian";

type ArrayOf<Name extends EmitName, T extends FloatArray, L> =
  | ((typeof EMITS)[Name] extends { type: "int32" }
      ? Int32Array
      : T extends Float32Array
        ? Float32Array
        : Float64Array)
  // The tail of a factored block is always float64.
  | ("tail factored" extends `${Name} ${L & string}` ? Float64Array : never);

/**
 * Computes any results of each row in one pass. docs/results.md has their formulas and error bounds.
 *
 * @param logits `[rows, classes]`, row-major; -inf masks a class. Not changed.
 * @returns one row-major array per result, by name, of the type of the logits (argmax: Int32Array)
 * @throws UsageError for invalid names, sizes or inputs; BadRowError
 */
export function softmaxResults<
  T extends FloatArray,
  const Emit extends readonly EmitName[],
  L extends ResultsLayout = "bsr",
>(logits: T, options: ResultsOptions<Emit, L>): Results<T, Emit, L> {
  checkArguments(logits, options, RESULTS_OPTIONS, INPUTS);
  const { rows, classes, emit, temperature = 1, onBadRow = "error" } = options;
  const layout = options.layout ?? "bsr";
  const classIndex =
    typeof options.class === "number" ? options.class : undefined;
  checkValue({ name: "class", kind: "integer" }, classIndex);
  const { label, cotangent, tangent, covariance } = options;
  const data: { [option in AuxiliaryName]?: ArrayLike<number> | undefined } = {
    ...{ label, cotangent, tangent, covariance },
    classColumn: typeof options.class === "object" ? options.class : undefined,
  };
  const names: AuxiliaryOptions = { class: classIndex };
  for (const option of Object.keys(data) as AuxiliaryName[]) {
    const array: unknown = data[option];
    if (array === undefined) continue;
    if (!isArrayLike(array))
      throw new UsageError(
        `${nameOf(option)}: expected an array of numbers, found ${shortValue(array)}`,
      );
    names[option] = option;
  }
  for (const option of neededAuxiliary(emit, names, inputOfResult))
    if (names[option] === undefined) {
      const own = nameOf(option);
      throw new UsageError(
        `${own}: ${resultsUsing(option, emit, inputOfResult)} needs ${own === "class" ? "a class, or an array of one for each row" : "an array with the numbers of each row"}`,
      );
    }
  checkEmit(emit, layout, names);
  const inputs = auxiliaryColumns(emit, names).map(({ option }) => {
    const array = data[option] as ArrayLike<number>;
    const values = valuesPerRow(option, array, rows, classes);
    return { option, values, data: array };
  });
  const dtype = logits instanceof Float32Array ? "float32" : "float64";
  const shape = { rows, classes, inputs };
  const chosen = { emit, layout, dtype, class: classIndex } as const;
  const columns = resultColumns({ ...chosen, ...shape });
  const given = { logits, ...shape, temperature, onBadRow };
  const arrays = computeInMemory(given, columns);
  return Object.fromEntries(
    columns.map(({ name }, n) => [name, arrays[n]]),
  ) as Results<T, Emit, L>;
}

/**
 * Computes the softmax of each row, p_j = exp(o_j/T) / sum_k exp(o_k/T), summed over all classes.
 *
 * @param logits `[rows, classes]`, row-major; -inf masks a class (p = 0). Not changed.
 * @returns `[rows, classes]`, of the same type; within one ulp in float64, rounded once from that in float32
 * @throws UsageError for invalid sizes; BadRowError
 */
export function softmax<T extends FloatArray>(
  logits: T,
  options: InMemoryOptions,
): T {
  return oneResult(logits, options, "softmax");
}

/**
 * Computes the Jacobian block of each row, J[i,j] = ∂softmax(o/T)_j / ∂o_i = p_i (δ_ij - p_j)/T, without cancellation on the
 * diagonal. Index i is the input, j the output (denominator layout); blocks are symmetric. Blocks between different rows are
 * zero and not returned. docs/derivation.md derives the formula.
 *
 * @param logits `[rows, classes]`, row-major; -inf masks a class (its row and column are 0). Not changed.
 * @returns `[rows, classes, classes]`, of the same type; within one ulp in float64, rounded once from that in float32
 * @throws UsageError for invalid sizes; BadRowError
 */
export function softmaxJacobian<T extends FloatArray>(
  logits: T,
  options: InMemoryOptions,
): T {
  return oneResult(logits, options, "jacobian");
}

/**
 * Computes column j of each block, the derivative of one class: ∂softmax(o/T)_j / ∂o_i = p_j (δ_ij - p_i)/T for all i.
 *
 * @param logits `[rows, classes]`, row-major. Not changed.
 * @param j the class, 0 to classes - 1
 * @returns `[rows, classes]`, of the same type; the same bits as in the block
 * @throws UsageError for invalid sizes or an invalid class; BadRowError
 */
export function softmaxJacobianColumn<T extends FloatArray>(
  logits: T,
  j: number,
  options: InMemoryOptions,
): T {
  return oneResult(logits, options, "column", { class: j });
}

function oneResult<T extends FloatArray>(
  logits: T,
  options: InMemoryOptions,
  name: EmitName,
  inputs: ResultInputs = {},
): T {
  checkArguments(logits, options, IN_MEMORY_OPTIONS);
  const emit: readonly EmitName[] = [name];
  return softmaxResults(logits, { ...options, emit, ...inputs })[name] as T;
}

/**
 * Checks the arguments that all functions on arrays share.
 * @param specs options of the function
 * @param others names of further options, which the function checks
 */
export function checkArguments(
  logits: FloatArray,
  options: InMemoryOptions,
  specs: readonly CheckedOption[],
  others: readonly string[] = [],
): void {
  const names = specs.map(({ name }) => name);
  checkNames(options, [...names, ...others]);
  for (const spec of specs)
    checkValue(spec, options[spec.name as keyof InMemoryOptions]);
  if (!(logits instanceof Float64Array || logits instanceof Float32Array))
    throw new UsageError("logits: expected a Float64Array or a Float32Array");
  const { rows, classes } = options;
  if (logits.length !== rows * classes)
    throw new UsageError(
      `logits: expected ${rows} x ${classes} = ${rows * classes} values, found ${logits.length}`,
    );
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isArrayLike(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    isWhole((value as ArrayLike<unknown>).length)
  );
}

/** Formats "10, 55 or 100", for example. */
const LIST = new Intl.ListFormat("en-GB", { type: "disjunction" });

function valuesPerRow(
  option: AuxiliaryName,
  { length }: ArrayLike<number>,
  rows: number,
  classes: number,
): number {
  const allowed = auxiliaryLengths(option, classes);
  const values = allowed.find((n) => n * rows === length);
  if (values !== undefined) return values;
  const [all, each] = [allowed.map((n) => n * rows), allowed].map((numbers) =>
    LIST.format(numbers.map(String)),
  );
  throw new UsageError(
    `${nameOf(option)}: expected ${all} values (${each} for each of ${rows} rows), found ${length}`,
    option,
  );
}
