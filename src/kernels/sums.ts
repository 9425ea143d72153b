import { ConfigurationError } from "../errors.js";
import { ONE } from "./portable/codes.js";
import {
  BLOCK_ROWS,
  BY,
  groupBytes,
  layOut,
  type Moment,
  PLAN,
  PLAN_BYTES,
  type SumsSpec,
  splitCoefficients,
} from "./sums-layout.js";

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
  /** [rows]: indices of groups that exist, counted from 0; absent: all rows are in group 0. */
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
/** Addresses have 32 bits. */
const MAX_PAGES = 65536;

/** Sums over the rows of groups, in a memory of its own that grows with the number of groups. */
export class SumsSpace {
  /** Number of sums of a group; the first one is the sum of the weights. */
  readonly sums: number;
  /** Bytes of a group: its number of good rows (i64) and padding, then its accumulators. */
  readonly groupBytes: number;
  readonly #spec: SumsSpec;
  readonly #kernel: SumsKernel;
  readonly #memory: WebAssembly.Memory;
  readonly #at: ReturnType<typeof layOut>["at"];
  readonly #maxRows: number;
  #groups = 0;
  #capacity = 0;
  /** Room for sortByGroup. */
  #starts = new Int32Array(0);

  /**
   * @param maxRows rows that the kernel adds in one call, a multiple of BLOCK_ROWS. If groups are many, more rows are faster:
   * the rows of a group are added one after another
   * @throws RangeError for more than 4 GiB; ConfigurationError if the memory cannot be allocated
   */
  constructor(
    module: WebAssembly.Module,
    spec: SumsSpec,
    maxRows = BLOCK_ROWS,
  ) {
    this.#spec = spec;
    this.#maxRows = maxRows;
    const moments = [WEIGHT, ...spec.moments];
    const layout = layOut(spec, moments, maxRows);
    this.sums = layout.sums;
    this.groupBytes = groupBytes(layout.sums);
    this.#at = layout.at;
    const initial = pagesOf(layout.at.accumulators);
    this.#memory = allocating(
      () => new WebAssembly.Memory({ initial, maximum: MAX_PAGES }),
    );
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

  get groups(): number {
    return this.#groups;
  }

  /** Makes groups 0 to `count` - 1 exist. @throws RangeError for more than 4 GiB; ConfigurationError if memory is exhausted */
  ensureGroups(count: number): void {
    if (count <= this.#groups) return;
    if (count > this.#capacity) {
      const capacity = Math.max(count, Math.ceil(1.5 * this.#capacity));
      this.#grow(this.#at.accumulators + capacity * this.groupBytes);
      this.#capacity = capacity;
      this.#starts = new Int32Array(capacity + 1);
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
   * invalid label. If a sum of terms overflows, returns the first row of its block as `overflow`.
   */
  add(input: SumsRows): { bad: number[]; overflow: number | null } {
    const bad: number[] = [];
    for (let start = 0; start < input.rows; start += this.#maxRows) {
      const rows = Math.min(this.#maxRows, input.rows - start);
      const overflow = this.#addBlocks(input, start, rows, bad);
      if (overflow >= 0) return { bad, overflow: start + overflow };
    }
    return { bad, overflow: null };
  }

  #addBlocks(
    input: SumsRows,
    start: number,
    rows: number,
    bad: number[],
  ): number {
    const { classes, features, intercept, inputs } = this.#spec;
    const given = features - (intercept ? 1 : 0);
    const at = this.#at;
    const end = start + rows;
    const groups = input.groups?.subarray(start, end);
    this.ensureGroups(1);
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
    if (groups)
      sortByGroup(
        groups,
        this.#starts.subarray(0, this.#groups + 1),
        new Int32Array(buffer, at.list, rows),
        new Int32Array(buffer, at.listGroups, rows),
      );
    const plan = new Int32Array(buffer, at.plan, PLAN_BYTES / 4);
    plan[PLAN.float32] = input.logits instanceof Float32Array ? 1 : 0;
    plan[PLAN.weights] = input.weights ? at.weights : 0;
    plan[PLAN.badCount] = 0;
    const overflow = this.#kernel.addRows(
      at.plan,
      at.list,
      groups ? at.listGroups : 0,
      rows,
    );
    const badRows = new Int32Array(buffer, at.badRows, plan[PLAN.badCount]);
    for (const row of badRows.sort()) bad.push(start + row);
    return overflow;
  }

  /**
   * Returns a copy of the state of groups, by default of all: for each its number of good rows (int64) and padding, then its
   * accumulators. The copy is in shared memory, so that messages do not copy it again.
   */
  take(first = 0, count = this.#groups): Uint8Array {
    const bytes = this.#bytesOf(first, count);
    const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
    copy.set(bytes);
    return copy;
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
    const missing = pagesOf(end) - this.#memory.buffer.byteLength / PAGE_BYTES;
    if (missing > 0) allocating(() => this.#memory.grow(missing));
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
 * Stores the numbers of rows by group, in row order within a group, and their groups: in the order of the accumulators, which
 * caches prefer.
 * @param starts room for one number more than there are groups
 */
function sortByGroup(
  groups: Int32Array,
  starts: Int32Array,
  list: Int32Array,
  listGroups: Int32Array,
): void {
  starts.fill(0);
  for (let r = 0; r < groups.length; r++)
    (starts[(groups[r] as number) + 1] as number)++;
  for (let group = 1; group < starts.length; group++)
    (starts[group] as number) += starts[group - 1] as number;
  for (let r = 0; r < groups.length; r++) {
    const group = groups[r] as number;
    const n = (starts[group] as number)++;
    list[n] = r;
    listGroups[n] = group;
  }
}

/** Returns the pages of some bytes of memory. @throws RangeError for more than 4 GiB */
function pagesOf(bytes: number): number {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  if (pages > MAX_PAGES) throw new RangeError(`${bytes} bytes of sums`);
  return pages;
}

/** Runs an allocation that is small enough for its addresses. @throws ConfigurationError */
function allocating<T>(allocate: () => T): T {
  try {
    return allocate();
  } catch (cause) {
    throw new ConfigurationError(
      "the system gives no memory for sums; WebAssembly reserves about 10 GB of address space for each thread: raise the limit (ulimit -v), or use fewer --threads",
      { cause },
    );
  }
}
