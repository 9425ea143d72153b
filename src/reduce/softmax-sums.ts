import { createHash } from "node:crypto";
import { UsageError } from "../errors.js";
import { asNumbers } from "../in-memory/as-numbers.js";
import { SumsSpace } from "../kernels/sums.js";
import { momentSums } from "../kernels/sums-layout.js";
import {
  type CheckedOption,
  checkNames,
  checkValue,
} from "../options/check-options.js";
import { shortValue } from "../printable.js";
import { auxiliaryLengths } from "../results/columns.js";
import { neededAuxiliary } from "../results/emit-options.js";
import {
  checkReductions,
  inputOfReduction,
  REDUCTION_NAMES,
  type ReductionName,
  type SumColumn,
  sumColumns,
  sumIndices,
} from "../results/reductions.js";
import { sumsModule } from "../tasks/kernel-memory.js";
import { tooManySums } from "./memory-limit.js";

/** Options of SoftmaxSums. Only `classes` is required. */
export interface SoftmaxSumsOptions {
  /** Number of classes Q. */
  classes: number;
  /** Number of features K of a row; default: 0. */
  features?: number | undefined;
  /** Names of the results; default: softmax and jacobian. */
  emit?: readonly ReductionName[] | undefined;
  /** Coefficients `[features, classes]`, row-major: the logits are features × coefficients, computed in two doubles each. */
  coefficients?: Float64Array | undefined;
  /** Temperature T of softmax(o/T); default: 1. */
  temperature?: number | undefined;
  /** Class of the result `column`, 0-based. */
  class?: number | undefined;
}

/** Rows for SoftmaxSums.add, in C order. */
export interface SoftmaxSumsRows {
  /** Number of rows; default: that of the logits, or of the features. */
  rows?: number | undefined;
  /** `[rows, classes]`; with coefficients none. */
  logits?: Float64Array | Float32Array | undefined;
  /** `[rows, features]`. */
  features?: Float64Array | undefined;
  /** `[rows]`: true classes, 0-based. */
  labels?: ArrayLike<number> | undefined;
  /** `[rows]`: frequency weights ≥ 0; default: 1. */
  weights?: Float64Array | undefined;
  /** `[rows, classes]` for vjp and log_vjp, and for jvp and log_jvp. */
  cotangents?: Float64Array | undefined;
  tangents?: Float64Array | undefined;
  /** `[rows, Q, Q]` for covariance, variance and std_error. */
  covariances?: Float64Array | undefined;
}

const WHOLE = { kind: "integer", range: [0, Number.MAX_SAFE_INTEGER] } as const;
const OPTIONS = [
  { ...WHOLE, name: "classes", range: [1, WHOLE.range[1]], isRequired: true },
  { ...WHOLE, name: "features" },
  { name: "emit", kind: "list", choices: REDUCTION_NAMES },
  { name: "temperature", kind: "number", range: [1e-100, 1e100] },
  { ...WHOLE, name: "class" },
] as const satisfies (CheckedOption & { name: keyof SoftmaxSumsOptions })[];

const ROWS = [
  ...(["rows", "logits", "features", "labels", "weights"] as const),
  ...(["cotangents", "tangents", "covariances"] as const),
] satisfies (keyof SoftmaxSumsRows)[];

/** Values of results: numbers, or arrays in C order. */
export type SumValues = { rows: number; weight: number } & {
  [name: string]: number | Float64Array | null;
};

/**
 * Sums of results of softmax over any number of rows, in memory that does not depend on them: means of p, J and other results,
 * log-likelihood, score, Fisher information. Sums are exact but for the rounding of the terms of up to 64 rows, so the order in
 * which blocks of 1,024 rows are added or merged changes no bit.
 *
 * @example
 * const sums = new SoftmaxSums({ classes: 5, features: 10, emit: ["jacobian", "fisher", "score"] });
 * sums.add({ logits, features, labels });
 * const { rows, jacobian, fisher, score } = sums.results();
 */
export class SoftmaxSums {
  readonly #options: SoftmaxSumsOptions;
  readonly #inputs: ReturnType<typeof inputsOf>;
  readonly #columns: readonly SumColumn[];
  readonly #space: SumsSpace;
  readonly #emit: readonly ReductionName[];

  /** @throws UsageError for invalid options; ConfigurationError without WebAssembly SIMD */
  constructor(options: SoftmaxSumsOptions) {
    checkNames(options, [...OPTIONS.map(({ name }) => name), "coefficients"]);
    for (const option of OPTIONS) checkValue(option, options[option.name]);
    const { classes, features = 0, temperature = 1 } = options;
    if (options.coefficients) checkFloats("coefficients", options.coefficients);
    const coefficients = options.coefficients?.slice();
    // A copy: the caller may change the options and their arrays later.
    this.#options = { ...options, coefficients };
    this.#emit = [...(options.emit ?? ["softmax", "jacobian"])];
    if (this.#emit.includes("column") && options.class === undefined)
      throw new UsageError("class: column needs a class", "class");
    checkReductions(this.#emit, {
      features: features > 0,
      label: true,
      weight: false,
      coefficients: coefficients !== undefined,
      temperature,
    });
    if (coefficients && coefficients.length !== features * classes)
      throw new UsageError(
        `coefficients: expected ${features} × ${classes} values, found ${coefficients.length}`,
        "coefficients",
      );
    if (coefficients?.some((value) => !Number.isFinite(value)))
      throw new UsageError(
        "coefficients: expected finite numbers",
        "coefficients",
      );
    this.#inputs = inputsOf(this.#emit, classes);
    this.#columns = sumColumns(
      this.#emit,
      { classes, features },
      this.#inputs,
      options.class,
    );
    const spec = {
      ...{ classes, features, temperature },
      coefficients: coefficients ?? null,
      inputs: this.#inputs.map(({ values }) => values),
      moments: this.#columns.map(({ moment }) => moment),
    };
    try {
      this.#space = new SumsSpace(sumsModule("SoftmaxSums"), spec);
      this.#space.ensureGroups(1);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new UsageError(
        `classes, features: ${tooManySums({ classes, features })}`,
        "classes",
      );
    }
  }

  /**
   * Adds rows. Blocks of 1,024 rows are counted from the first one of each call.
   * @throws UsageError for arrays of another length; a row that is not good (NaN, +inf, only -inf, a feature that is not finite,
   * a weight < 0, an invalid label) is named, and other rows of the call may have been added
   */
  add(given: SoftmaxSumsRows): void {
    checkNames(given, ROWS);
    const { classes, features = 0, coefficients } = this.#options;
    const { logits, weights, labels, cotangents, tangents, covariances } =
      given;
    if (logits && !(logits instanceof Float32Array))
      checkFloats("logits", logits);
    if (given.features) checkFloats("features", given.features);
    if (weights) checkFloats("weights", weights);
    const rows = given.rows ?? this.#rowsOf(given);
    const check = (
      name: string,
      array: ArrayLike<number> | undefined,
      values: number,
      isNeeded: boolean,
    ) => {
      if (
        (array ? array.length : isNeeded ? -1 : rows * values) !==
        rows * values
      )
        throw new UsageError(
          `${name}: expected ${rows} × ${values} values, found ${array?.length ?? "none"}`,
          name,
        );
    };
    checkValue({ ...WHOLE, name: "rows" }, rows);
    if (coefficients && logits)
      throw new UsageError("logits: coefficients compute them", "logits");
    check("logits", logits, classes, !coefficients);
    check("features", given.features, features, features > 0);
    check("weights", weights, 1, false);
    if (weights && this.#emit.includes("opg"))
      throw new UsageError("weights: opg does not support them", "weights");
    const arrays = {
      label: labels,
      cotangent: cotangents,
      tangent: tangents,
      covariance: covariances,
      classColumn: undefined,
    };
    const inputs = this.#inputs.map(({ option, values }) => {
      const array = arrays[option];
      check(option === "label" ? "labels" : `${option}s`, array, values, true);
      return asNumbers(array as ArrayLike<number>);
    });
    const { bad, overflow } = this.#space.add({
      rows,
      logits,
      features: given.features,
      weights,
      inputs,
    });
    if (overflow !== null)
      throw new UsageError(
        `rows ${overflow} to ${Math.min(rows, overflow + 1024) - 1}: a term of a sum is infinite`,
      );
    if (bad.length > 0)
      throw new UsageError(
        `row ${bad[0]}: expected finite logits (or -inf for masked classes), finite inputs, a weight ≥ 0 and a label from 0 to ${classes - 1}`,
      );
  }

  /** Returns the number of rows of the logits, or of the features. @throws UsageError if their length is not one of whole rows */
  #rowsOf({ logits, features }: SoftmaxSumsRows): number {
    const [name, array, values] = this.#options.coefficients
      ? (["features", features, this.#options.features ?? 0] as const)
      : (["logits", logits, this.#options.classes] as const);
    const rows = (array?.length ?? Number.NaN) / values;
    if (Number.isInteger(rows)) return rows;
    throw new UsageError(
      `${name}: expected rows of ${values} values, found ${array ? `${array.length} values` : "none"}`,
      name,
    );
  }

  /**
   * Adds the rows of other sums of the same options, or the bytes of their state.
   * @throws UsageError for other options, and for damaged bytes
   */
  merge(other: SoftmaxSums | Uint8Array): void {
    const bytes = other instanceof SoftmaxSums ? other.toBytes() : other;
    if (!(bytes instanceof Uint8Array))
      throw new UsageError(
        `merge: expected SoftmaxSums or the bytes of their state, found ${shortValue(bytes)}`,
        null,
      );
    const content = bytes.subarray(0, Math.max(0, bytes.length - HASH_BYTES));
    if (!sha256(content).equals(bytes.subarray(content.length)))
      throw new UsageError(
        "merge: the bytes of these sums do not match their SHA-256, so they are damaged",
        null,
      );
    const head = this.#head();
    if (
      content.length !== head.length + this.#space.groupBytes ||
      head.some((byte, k) => content[k] !== byte)
    )
      throw new UsageError("merge: these sums have other options", null);
    this.#space.mergeAll([0], content.subarray(head.length));
  }

  /** Returns the state and its SHA-256 as bytes, which do not depend on the order of additions. */
  toBytes(): Uint8Array {
    const content = [this.#head(), this.#space.take(0, 1)];
    const bytes = Buffer.concat([...content, sha256(...content)]);
    return new Uint8Array(bytes);
  }

  /** Returns what determines the meaning of the sums, as JSON. */
  #head(): Uint8Array {
    const { classes, features = 0, temperature = 1, ...rest } = this.#options;
    const { coefficients } = rest;
    const options = {
      ...{ classes, features, temperature, class: rest.class },
      ...{ emit: this.#emit, coefficients: coefficients && [...coefficients] },
    };
    return new TextEncoder().encode(`${JSON.stringify(options)}\n`);
  }

  /**
   * Returns the number of rows, the sum of the weights, and the value of each result: a number, or an array in C order. Means
   * are null without rows.
   */
  results(): SumValues {
    const { rows, sums } = this.#space.rounded(0);
    const weight = sums[0] as number;
    const { classes, features = 0 } = this.#options;
    const values: SumValues = { rows, weight };
    const found = columnValues(this.#columns, { classes, features })(sums);
    for (const [n, { name }] of this.#columns.entries())
      values[name] = found[n] as SumValue;
    return values;
  }
}

/** Bytes of a SHA-256. */
const HASH_BYTES = 32;

function sha256(...contents: Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const content of contents) hash.update(content);
  return hash.digest();
}

type SumValue = SumValues[string];

/**
 * Returns a function that returns the values of columns from the sums of a group, of which the first is the sum of the weights.
 * @param layout layout of symmetric matrices
 */
export function columnValues(
  columns: readonly SumColumn[],
  sizes: { classes: number; features: number },
  layout: "bsr" | "packed" = "bsr",
): (sums: Float64Array) => SumValue[] {
  let start = 1;
  const readers = columns.map((column) => {
    const { statistic, sign, shape, symmetric, moment } = column;
    const first = start;
    start += momentSums(moment, sizes.features);
    const indices = sumIndices(column, sizes, layout);
    return (sums: Float64Array): SumValue => {
      const divisor = statistic === "mean" ? (sums[0] as number) : 1;
      if (divisor === 0) return null;
      const values = new Float64Array(indices.length);
      // -0 is not shown.
      for (let n = 0; n < indices.length; n++)
        values[n] =
          ((sums[first + (indices[n] as number)] as number) / divisor) * sign +
          0;
      return symmetric || shape.length > 0 ? values : (values[0] as number);
    };
  });
  return (sums) => readers.map((read) => read(sums));
}

/** Returns the auxiliary inputs of results and their numbers of values per row; covariances are whole matrices. */
function inputsOf(emit: readonly ReductionName[], classes: number) {
  return neededAuxiliary(emit, { class: 0 }, inputOfReduction).map(
    (option) => ({
      option,
      values: Math.max(...auxiliaryLengths(option, classes)),
    }),
  );
}

function checkFloats(name: string, value: unknown): void {
  if (!(value instanceof Float64Array))
    throw new UsageError(
      `${name}: expected ${name === "logits" ? "a Float64Array or Float32Array" : "a Float64Array"}, found ${shortValue(value)}`,
      name,
    );
}
