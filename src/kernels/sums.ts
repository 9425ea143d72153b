import { needsLog, ONE } from "./portable/codes.js";
import { ENTRY_BYTES } from "./portable/program.js";
import { workAreaBytes } from "./portable/work.js";

/** Rows of a block: the rows that are summed together before the exact accumulators. */
export const BLOCK_ROWS = 1024;
/** Bytes of an exact accumulator. */
export const ACCUMULATOR_BYTES = 56;

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

/** Rows to add, each in an array that starts with the first row. */
export interface SumsRows {
  rows: number;
  /** [rows, classes]; absent with coefficients. */
  logits?: Float64Array | Float32Array | undefined;
  /** [rows, features], without the constant of an intercept. */
  features?: Float64Array | undefined;
  /** [rows]. */
  weights?: Float64Array | undefined;
  /** One array [rows, values] for each auxiliary input. */
  inputs?: readonly Float64Array[] | undefined;
  /** [rows]: indices of groups, counted from 0; absent: all rows are in group 0. */
  groups?: Int32Array | undefined;
}

/** Exports of src/kernels/simd/sums.ts. */
interface SumsKernel {
  prepare(plan: number, temperature: number): void;
  addRows(plan: number, list: number, groups: number, count: number): number;
  mergeGroup(to: number, from: number, sums: number): void;
  roundGroup(group: number, sums: number, out: number): void;
}

const PAGE_BYTES = 65536;
const PLAN_BYTES = 256;
/** Factors x_i·x_j that are multiplied at a time, unless a row of them is longer. */
const MAX_FACTORS = 64;

/** Sums over the rows of groups, in a memory of its own that grows with the number of groups. */
export class SumsSpace {
  /** Number of sums of a group; the first one is the sum of the weights. */
  readonly sums: number;
  /** Bytes of a group: its number of good rows (i64), then its accumulators. */
  readonly groupBytes: number;
  readonly #spec: SumsSpec;
  readonly #kernel: SumsKernel;
  readonly #memory: WebAssembly.Memory;
  readonly #at: ReturnType<typeof layOut>["at"];
  #groups = 0;
  #capacity = 0;
  #heads = new Int32Array(0);

  /** @throws RangeError if the memory cannot be allocated */
  constructor(module: WebAssembly.Module, spec: SumsSpec) {
    this.#spec = spec;
    const moments = [WEIGHT, ...spec.moments];
    const layout = layOut(spec, moments);
    this.sums = layout.sums;
    this.groupBytes = 8 + ACCUMULATOR_BYTES * layout.sums;
    this.#at = layout.at;
    this.#memory = new WebAssembly.Memory({
      initial: Math.ceil(layout.at.accumulators / PAGE_BYTES),
      maximum: 65536,
    });
    const { buffer } = this.#memory;
    for (const name of ["plan", "vectors", "moments"] as const)
      new Int32Array(buffer, layout.at[name], layout[name].length).set(
        layout[name],
      );
    if (spec.coefficients)
      new Float64Array(
        buffer,
        layout.at.coefficients,
        3 * spec.coefficients.length,
      ).set(splitCoefficients(spec.coefficients, spec.classes));
    this.#kernel = new WebAssembly.Instance(module, {
      env: { memory: this.#memory, abort: () => {} },
    }).exports as unknown as SumsKernel;
    this.#kernel.prepare(layout.at.plan, spec.temperature);
  }

  /** Number of groups. */
  get groups(): number {
    return this.#groups;
  }

  /** Makes groups 0 to `count` - 1 exist. @throws RangeError if memory is exhausted */
  ensureGroups(count: number): void {
    if (count <= this.#groups) return;
    if (count > this.#capacity) {
      const capacity = Math.max(count, Math.ceil(1.5 * this.#capacity));
      this.#grow(this.#at.accumulators + capacity * this.groupBytes);
      this.#capacity = capacity;
      this.#heads = new Int32Array(capacity).fill(-1);
    }
    this.#groups = count;
  }

  /** Removes all groups. */
  clear(): void {
    this.#bytesOf(0, this.#groups).fill(0);
    this.#groups = 0;
  }

  /**
   * Adds rows; blocks of BLOCK_ROWS are counted from the first of them. Returns the bad rows, which are in no sum: those with a
   * logit that is NaN or +inf, without a finite logit, with a feature or another input that is not finite, a weight < 0 or an
   * invalid label. Stops at a block in which a sum of terms overflows, and returns its first row as `overflow`.
   */
  add(input: SumsRows): { bad: number[]; overflow: number | null } {
    const bad: number[] = [];
    for (let start = 0; start < input.rows; start += BLOCK_ROWS) {
      const rows = Math.min(BLOCK_ROWS, input.rows - start);
      const finite = this.#addBlock(input, start, rows, bad);
      if (!finite) return { bad, overflow: start };
    }
    return { bad, overflow: null };
  }

  #addBlock(
    input: SumsRows,
    start: number,
    rows: number,
    bad: number[],
  ): boolean {
    const { classes, features, intercept, inputs } = this.#spec;
    const given = features - (intercept ? 1 : 0);
    const at = this.#at;
    const end = start + rows;
    const groups = input.groups?.subarray(start, end);
    this.ensureGroups(
      groups ? 1 + groups.reduce((max, group) => Math.max(max, group), 0) : 1,
    );
    const { buffer } = this.#memory;
    const copy = (
      from: Float64Array | Float32Array | undefined,
      address: number,
      values: number,
    ) => {
      if (!from) return;
      const part = from.subarray(start * values, end * values);
      if (part instanceof Float64Array)
        new Float64Array(buffer, address, part.length).set(part);
      else new Float32Array(buffer, address, part.length).set(part);
    };
    copy(input.logits, at.logits, classes);
    if (input.features)
      storeFeatures(
        new Float64Array(buffer, at.x, rows * features),
        input.features.subarray(start * given, end * given),
        this.#spec,
      );
    copy(input.weights, at.weights, 1);
    for (const [n, values] of inputs.entries())
      copy(input.inputs?.[n], at.inputs[n] as number, values);
    const list = new Int32Array(buffer, at.list, rows);
    const listGroups = new Int32Array(buffer, at.listGroups, rows);
    if (groups) sortByGroup(groups, this.#heads, list, listGroups);
    else for (let r = 0; r < rows; r++) list[r] = r;
    const plan = new Int32Array(buffer, at.plan, PLAN_BYTES / 4);
    plan[PLAN.float32] = input.logits instanceof Float32Array ? 1 : 0;
    plan[PLAN.weights] = input.weights ? at.weights : 0;
    plan[PLAN.badCount] = 0;
    const finite = this.#kernel.addRows(
      at.plan,
      at.list,
      groups ? at.listGroups : 0,
      rows,
    );
    const badRows = new Int32Array(buffer, at.badRows, plan[PLAN.badCount]);
    for (const row of badRows.sort()) bad.push(start + row);
    return finite !== 0;
  }

  /** Returns a copy of the state of groups: for each its number of good rows (int64), then its accumulators. */
  take(first: number, count: number): Uint8Array {
    return this.#bytesOf(first, count).slice();
  }

  /** Returns a copy of the state of all groups in shared memory, so that messages do not copy it again. */
  takeShared(): Uint8Array {
    const bytes = this.#groups * this.groupBytes;
    const shared = new Uint8Array(new SharedArrayBuffer(bytes));
    shared.set(this.#bytesOf(0, this.#groups));
    return shared;
  }

  /** Adds states, one after another, to the groups of these numbers. @throws RangeError if memory is exhausted */
  mergeAll(groups: readonly number[], states: Uint8Array): void {
    this.ensureGroups(1 + groups.reduce((max, n) => Math.max(max, n), -1));
    const { accumulators } = this.#at;
    const { groupBytes } = this;
    // The states are placed behind the groups. Memory there is zero again afterwards.
    const from = accumulators + this.#capacity * groupBytes;
    this.#grow(from + states.byteLength);
    const staged = new Uint8Array(this.#memory.buffer, from, states.length);
    staged.set(states);
    for (const [n, group] of groups.entries())
      this.#kernel.mergeGroup(
        accumulators + group * groupBytes,
        from + n * groupBytes,
        this.sums,
      );
    staged.fill(0);
  }

  #grow(end: number): void {
    const pages = Math.ceil(end / PAGE_BYTES);
    const missing = pages - this.#memory.buffer.byteLength / PAGE_BYTES;
    if (missing > 0) this.#memory.grow(missing);
  }

  /** Returns the number of good rows of a group and its sums, each rounded once. */
  rounded(group: number): { rows: number; sums: Float64Array } {
    const { accumulators, rounded } = this.#at;
    const at = accumulators + group * this.groupBytes;
    this.#kernel.roundGroup(at, this.sums, rounded);
    const { buffer } = this.#memory;
    return {
      rows: Number(new BigInt64Array(buffer, at, 1)[0]),
      sums: new Float64Array(buffer, rounded, this.sums).slice(),
    };
  }

  /** Returns the number of good rows of all groups together and their sums, each rounded once. */
  total(): { rows: number; sums: Float64Array } {
    const last = this.#groups;
    if (last === 1) return this.rounded(0);
    this.ensureGroups(last + 1);
    const { accumulators } = this.#at;
    const to = accumulators + last * this.groupBytes;
    for (let group = 0; group < last; group++) {
      const from = accumulators + group * this.groupBytes;
      this.#kernel.mergeGroup(to, from, this.sums);
    }
    const total = this.rounded(last);
    this.#bytesOf(last, 1).fill(0);
    this.#groups = last;
    return total;
  }

  #bytesOf(first: number, count: number): Uint8Array {
    const { accumulators } = this.#at;
    return new Uint8Array(
      this.#memory.buffer,
      accumulators + first * this.groupBytes,
      count * this.groupBytes,
    );
  }
}

/** Stores rows of features with the constant in front, and with the replaced feature. */
function storeFeatures(
  out: Float64Array,
  given: Float64Array,
  { features, intercept, replaced }: SumsSpec,
): void {
  if (!intercept) out.set(given);
  else
    for (let from = 0, to = 0; to < out.length; ) {
      out[to++] = 1;
      for (let k = 1; k < features; k++) out[to++] = given[from++] as number;
    }
  if (!replaced) return;
  for (let at = replaced.feature; at < out.length; at += features)
    out[at] = replaced.value;
}

/** Sum of the weights, the first moment of every plan. */
const WEIGHT: Moment = {
  code: ONE,
  values: 1,
  by: BY.one,
  param: -1,
  input: -1,
};

/**
 * Stores the numbers of a block's rows by group, in row order within a group, and their groups.
 * @param heads one -1 for each group
 */
function sortByGroup(
  groups: Int32Array,
  heads: Int32Array,
  list: Int32Array,
  listGroups: Int32Array,
): void {
  const next = new Int32Array(groups.length);
  for (let r = groups.length - 1; r >= 0; r--) {
    const group = groups[r] as number;
    next[r] = heads[group] as number;
    heads[group] = r;
  }
  let n = 0;
  for (const group of groups) {
    for (let r = heads[group] as number; r >= 0; r = next[r] as number) {
      list[n] = r;
      listGroups[n++] = group;
    }
    heads[group] = -1;
  }
}

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

/** Indices of the fields of the plan that each call sets. */
const PLAN = { float32: 3, weights: 7, badCount: 25 } as const;

/** Assigns addresses and builds the plan of src/kernels/simd/sums.ts. */
function layOut(spec: SumsSpec, moments: readonly Moment[]) {
  const { classes, features, inputs, coefficients } = spec;
  let end = 64;
  const region = (bytes: number): number => {
    const start = end;
    end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  };
  const plan = region(PLAN_BYTES);
  const rows = BLOCK_ROWS * 8;
  const weights = region(rows);
  const inputsAt = inputs.map((values) => region(rows * values));

  // A vector that is multiplied by features is stored for 64 rows; one that is only summed is not.
  const vectors: number[] = [];
  const offsets = new Map<string, number>();
  const used = { tile: 0, stream: 0 };
  const momentEntries: number[] = [];
  let sums = 0;
  for (const moment of moments) {
    const { code, values, by, param, input } = moment;
    const place = by === BY.one ? "stream" : "tile";
    const key = [place, code, param, input].join();
    let offset = offsets.get(key);
    if (offset === undefined) {
      offset = used[place];
      offsets.set(key, offset);
      used[place] += values;
      vectors.push(
        ...[code, offset, values],
        ...(input < 0
          ? [0, 0]
          : [inputsAt[input] as number, 8 * (inputs[input] as number)]),
        ...[param, place === "stream" ? 1 : 0, 0],
      );
    }
    momentEntries.push(offset, values, by, sums);
    sums += momentSums(moment, features);
  }
  // Both factors are read some values at a time, up to 3 beyond their end.
  const tileStride = used.tile > 0 ? used.tile + 4 : 0;
  const featureStride = used.tile > 0 ? features + (features & 1) : 0;
  const streamed = used.stream + (used.stream & 1);
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
    list: region(4 * BLOCK_ROWS),
    listGroups: region(4 * BLOCK_ROWS),
    badRows: region(4 * BLOCK_ROWS),
    rounded: region(8 * (sums + 8)),
    accumulators: 0,
  };
  const logitPairs = region(isCalculated ? 32 * classes + 48 * features : 0);
  const work = region(workAreaBytes(classes));
  const tile = region(8 * 64 * tileStride);
  const tileX = region(8 * 64 * featureStride);
  const stream = region(8 * 3 * streamed);
  const factors = region(needsFactors ? 8 * 64 * factorStride + 16 : 0);
  // Four values are stored at a time.
  const productStride = (needsFactors ? factorStride : featureStride) + 2;
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
      ...[at.vectors, vectors.length / (ENTRY_BYTES / 4)],
      ...[tile, tileStride, tileX, featureStride, stream, streamed, factors],
      ...[at.moments, moments.length, products],
      ...[at.accumulators, 8 + ACCUMULATOR_BYTES * sums, at.badRows, 0],
      ...[factorStride, productStride],
    ],
  };
}
