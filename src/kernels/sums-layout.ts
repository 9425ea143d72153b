import {
  CALIBRATION,
  COLUMN,
  DIAGONAL,
  NEGATED,
  needsLog,
  ONE,
  PACKED,
  SOFTMAX,
} from "./portable/codes.js";
import { ENTRY_BYTES } from "./portable/program.js";
import { workAreaBytes } from "./portable/work.js";

/** Rows of a block: the rows that are summed together before the exact accumulators. */
export const BLOCK_ROWS = 1024;
/** Bytes of two exact accumulators. */
const PAIR_BYTES = 112;
/** Bytes of a group before its accumulators. */
const GROUP_HEADER = 16;

/** Returns the bytes of a group of some sums: its number of good rows (i64) and padding, then its accumulators in pairs. */
export function groupBytes(sums: number): number {
  return GROUP_HEADER + PAIR_BYTES * Math.ceil(sums / 2);
}

/** Rows of a run, whose terms are added in order. */
const RUN = 8;
/** How the kernel computes J alone: -p/T times p, without the diagonal. */
const BY_P = 4;

/** Second factor of a moment: 1, the features x, their squares, or the upper triangle of x xᵀ. */
export const BY = { one: 0, x: 1, square: 2, outer: 3 } as const;

/** Sum over rows of w·a·b, with the vector a = result `code` of the row and the factor b. */
export interface Moment {
  code: number;
  /** Number of values of a. */
  values: number;
  by: (typeof BY)[keyof typeof BY];
  /** Parameter of the result; -1: none. */
  param: number;
  /** Index of the auxiliary input; -1: none. */
  input: number;
}

/** Returns the number of sums of a moment. */
export function momentSums({ values, by }: Moment, features: number): number {
  const factors = [1, features, features, (features * (features + 1)) / 2];
  return values * (factors[by] as number);
}

export interface SumsSpec {
  classes: number;
  /** Features per row, with the constant of an intercept; 0: none. */
  features: number;
  /** Whether the first feature is a constant 1, which the rows to add lack; default: false. */
  intercept?: boolean;
  /** Feature that has this value in all rows; default: none. */
  replaced?: { feature: number; value: number } | null;
  /** Coefficients [features, classes], row-major, whose products with the features are the logits; null: logits are given. */
  coefficients: Float64Array | null;
  temperature: number;
  /** Numbers of values per row of the auxiliary inputs. */
  inputs: readonly number[];
  moments: readonly Moment[];
}

/** Bytes of the plan. */
export const PLAN_BYTES = 256;
/** Factors x_i·x_j that are multiplied at a time, unless a row of them is longer. */
const MAX_FACTORS = 64;

/**
 * Returns coefficients [features, classes] as [classes, features], then their high and their low halves (Veltkamp's split), so
 * that products of halves are exact.
 */
export function splitCoefficients(
  coefficients: Float64Array,
  classes: number,
): Float64Array {
  const { length } = coefficients;
  const features = length / classes;
  const split = new Float64Array(3 * length);
  for (let n = 0; n < length; n++) {
    const k = n % features;
    const b = coefficients[k * classes + (n - k) / features] as number;
    const c = b * 134217729;
    const high = c - (c - b);
    split[n] = b;
    split[length + n] = high;
    split[2 * length + n] = b - high;
  }
  return split;
}

/** Whether a vector is computed from the exponentials of a row, not only from p. */
function needsExps(code: number): boolean {
  return (
    code === CALIBRATION ||
    (code < ONE && ![SOFTMAX, PACKED, DIAGONAL].includes(code))
  );
}

/** Indices of the fields of the plan that each call sets. */
export const PLAN = { float32: 3, weights: 7, badCount: 27 } as const;

/** Assigns addresses and builds the plan of src/kernels/simd/sums.ts, for up to `maxRows` rows at a time. */
export function layOut(
  spec: SumsSpec,
  moments: readonly Moment[],
  maxRows: number,
) {
  const { classes, features, inputs, coefficients } = spec;
  let end = 64;
  const region = (bytes: number): number => {
    const start = end;
    end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  };
  const plan = region(PLAN_BYTES);
  const rows = maxRows * 8;
  const weights = region(rows);
  const inputsAt = inputs.map((values) => region(rows * values));

  // A vector that is multiplied is stored for 64 rows (tile), one that is only summed for a run (stream).
  const vectors: number[] = [];
  const offsets = new Map<string, number>();
  const used = { tile: 0, stream: 0 };
  const momentEntries: number[] = [];
  let sums = 0;
  const offsetOf = (
    place: "tile" | "stream",
    { code, values, param, input }: Omit<Moment, "by">,
  ): number => {
    const key = [place, code, param, input].join();
    const known = offsets.get(key);
    if (known !== undefined) return known;
    const offset = used[place];
    offsets.set(key, offset);
    used[place] += values;
    vectors.push(
      ...[code, offset, values],
      ...(input < 0
        ? [0, 0]
        : [inputsAt[input] as number, 8 * (inputs[input] as number)]),
      ...[param, place === "stream" ? 1 : 0, 0],
    );
    return offset;
  };
  const isByP = ({ code, by }: Moment) => code === PACKED && by === BY.one;
  for (const moment of moments) {
    const { values, by } = moment;
    if (isByP(moment)) {
      // Products of all pairs of classes for 64 rows are faster than J of one row after another.
      const vector = { ...moment, values: classes };
      const factor = offsetOf("tile", { ...vector, code: NEGATED });
      const diagonal = offsetOf("stream", { ...vector, code: DIAGONAL });
      momentEntries.push(factor, classes, BY_P, sums, diagonal);
    } else {
      const offset = offsetOf(by === BY.one ? "stream" : "tile", moment);
      momentEntries.push(offset, values, by, sums, 0);
    }
    sums += momentSums(moment, features);
  }
  const tilePStride = moments.some(isByP) ? classes + (classes & 1) : 0;
  // Both factors are read some values at a time, up to 3 beyond their end.
  const tileStride = used.tile > 0 ? used.tile + 4 : 0;
  const featureStride = used.tile > 0 ? features + (features & 1) : 0;
  // A vector may be stored with one value more.
  const streamed = used.stream + 2 - (used.stream & 1);
  // Room for one row of the triangle x xᵀ, or for several short ones.
  const pairs = (features * (features + 1)) / 2;
  const longest = Math.max(featureStride, Math.min(pairs, MAX_FACTORS));
  const factorStride = longest + (longest & 1);
  const needsFactors = moments.some(({ by }) => by > BY.x);
  const isCalculated = coefficients !== null;
  const at = {
    plan,
    vectors: region(4 * vectors.length),
    moments: region(4 * momentEntries.length),
    coefficients: region(isCalculated ? 24 * classes * features : 0),
    logits: region(isCalculated ? 0 : rows * classes),
    x: region(rows * features),
    weights,
    inputs: inputsAt,
    list: region(4 * maxRows),
    listGroups: region(4 * maxRows),
    badRows: region(4 * maxRows),
    rounded: region(8 * (sums + 8)),
    accumulators: 0,
  };
  const logitPairs = region(isCalculated ? 32 * classes + 48 * features : 0);
  const work = region(workAreaBytes(classes));
  const tile = region(8 * 64 * tileStride);
  const tileX = region(8 * 64 * featureStride);
  const tileP = region(8 * 64 * tilePStride);
  const stream = region(8 * (RUN + 1) * streamed);
  const factors = region(needsFactors ? 8 * 64 * factorStride + 16 : 0);
  // Four values are stored at a time.
  const productStride =
    Math.max(needsFactors ? factorStride : featureStride, tilePStride) + 2;
  const products = region(8 * tileStride * productStride);
  at.accumulators = region(0);
  return {
    at,
    sums,
    vectors,
    moments: momentEntries,
    // In the order of Plan in src/kernels/simd/sums.ts.
    plan: [
      ...[classes, features, at.logits, 0],
      ...[features > 0 ? at.x : 0, isCalculated ? at.coefficients : 0],
      ...[logitPairs, 0, work],
      Number(moments.some(({ code }) => needsLog(code))),
      // Sums compute the other results of pairs from the rounded p.
      Number(moments.some(({ code }) => code === COLUMN)),
      Number(moments.some(({ code }) => needsExps(code))),
      ...[at.vectors, vectors.length / (ENTRY_BYTES / 4)],
      ...[tile, tileStride, tileX, featureStride, stream, streamed, factors],
      ...[at.moments, moments.length, products],
      ...[at.accumulators, groupBytes(sums), at.badRows, 0],
      ...[factorStride, productStride],
      ...[tilePStride > 0 ? tileP : 0, tilePStride],
    ],
  };
}
