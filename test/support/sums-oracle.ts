import { readFileSync } from "node:fs";
import {
  CORRECT,
  DIAGONAL,
  ONE,
  PACKED,
  SCORE_OUTER,
  THIRD,
} from "../../src/kernels/portable/codes.js";
import { type SumsRows, SumsSpace } from "../../src/kernels/sums.js";
import {
  BLOCK_ROWS,
  BY,
  type Moment,
  type SumsSpec,
} from "../../src/kernels/sums-layout.js";
import { distFile } from "./dist.js";
import { bothKernels, type Memory, stored } from "./kernels.js";

/** Returns sums in the production kernel. */
export function sumsSpace(
  spec: Partial<SumsSpec> & { classes: number },
  maxRows?: number,
) {
  const module = new WebAssembly.Module(readFileSync(distFile("sums.wasm")));
  const defaults = { features: 0, coefficients: null, temperature: 1 };
  return new SumsSpace(
    module,
    { ...defaults, inputs: [], moments: [], ...spec },
    maxRows,
  );
}

/** Returns a moment; `values` by default that of p. */
export function moment(
  code: number,
  values: number,
  by: keyof typeof BY = "one",
  input = -1,
): Moment {
  return { code, values, by: BY[by], param: -1, input };
}

/** Returns indices of the upper triangle of `n` rows. */
export function pairs(n: number): [number, number][] {
  return Array.from({ length: n }, (_, j) =>
    Array.from({ length: n - j }, (_, l): [number, number] => [j, j + l]),
  ).flat();
}

const UNIT = 1074n;
const bits = new DataView(new ArrayBuffer(8));

/** Returns x·2^1074, exactly. */
function scaled(x: number): bigint {
  bits.setFloat64(0, x);
  const all = bits.getBigUint64(0);
  const exponent = (all >> 52n) & 2047n;
  const fraction = all & ((1n << 52n) - 1n);
  const size =
    exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return x < 0 ? -size : size;
}

/** Returns the double nearest to n·2^-1074. */
function nearest(n: bigint): number {
  const size = n < 0n ? -n : n;
  const length = size.toString(2).length;
  if (length <= 53) return Number(n) * 2 ** -1074;
  const drop = BigInt(length - 60 > 0 ? length - 60 : 0);
  const top = size >> drop;
  const sticky = top << drop === size ? 0n : 1n;
  const exponent = Number(drop - UNIT);
  const half = Math.floor(exponent / 2);
  const value = Number(top | sticky) * 2 ** half * 2 ** (exponent - half);
  return n < 0n ? -value : value;
}

/** The sums of group `group` by the order of additions that the kernel promises, in plain doubles and integers. */
export function sumsByOrder(
  spec: SumsSpec,
  { rows, logits, features, weights, inputs, groups }: SumsRows,
  group = 0,
): { rows: number; sums: number[] } {
  const { classes, features: K, moments } = spec;
  const row = (r: number) =>
    Array.from(
      (logits as Float64Array).subarray(r * classes, (r + 1) * classes),
    );
  const [kernel] = bothKernels(64 << 20) as [Memory];
  const all = [
    { code: ONE, values: 1, by: BY.one, param: -1, input: -1 },
    ...moments,
  ];
  const sums: bigint[][] = all.map(({ values, by }) =>
    new Array(values * factorCount(by, K)).fill(0n),
  );
  let good = 0;
  /** Returns the vector a of a row, times its weight. */
  const vectorOf = (
    { w, r }: { w: number; r: number },
    { code, values, by, input, param }: Moment,
  ): number[] => {
    const y = input < 0 ? 0 : (inputs?.[input]?.[r] as number);
    const own = (c: number, n: number, given?: number[]) =>
      Array.from(
        stored(
          kernel,
          [row(r)],
          [{ code: c, values: n, param, ...(given ? { input: [given] } : {}) }],
          { temperature: spec.temperature },
        ).results[0] as Float64Array,
      );
    if (code === ONE) return [w];
    const p = own(1, classes);
    const a = row(r).indexOf(Math.max(...row(r)));
    const tail = own(27, 1)[0] as number;
    const q = p.map((x, k) => (k === a ? tail : 1 - x));
    const at = (v: number[], k: number) => v[k] as number;
    const share = (j: number) => at(p, j) / spec.temperature;
    const J = (j: number, l: number) =>
      share(j) * (j === l ? at(q, j) : -at(p, l));
    if (code === DIAGONAL) return p.map((_, j) => J(j, j) * w);
    if (code === PACKED)
      return pairs(classes).map(([j, l]) =>
        by === BY.one && j !== l ? share(j) * w * -at(p, l) : J(j, l) * w,
      );
    if (code === CORRECT) return [a === y ? w : 0];
    if (code === SCORE_OUTER) {
      const s = p.map((x, k) => (k !== y ? x : k === a ? -tail : x - 1));
      return pairs(classes).map(([j, l]) => at(s, j) * at(s, l) * w);
    }
    if (code === THIRD)
      return pairs(classes).flatMap(([j, l]) =>
        Array.from({ length: classes - l }, (_, n) => {
          const c = l + n;
          if (j === l && l === c)
            return at(p, j) * at(q, j) * (at(q, j) - at(p, j)) * w;
          if (j === l)
            return -(at(p, j) * at(p, c) * (at(q, j) - at(p, j))) * w;
          if (l === c)
            return -(at(p, j) * at(p, l) * (at(q, l) - at(p, l))) * w;
          return 2 * (at(p, j) * at(p, l)) * at(p, c) * w;
        }),
      );
    const given =
      input < 0
        ? undefined
        : Array.from(
            ((inputs ?? [])[input] as Float64Array).subarray(
              r * (spec.inputs[input] as number),
              (r + 1) * (spec.inputs[input] as number),
            ),
          );
    return own(code, values, given).map((value) => value * w);
  };
  for (let start = 0; start < rows; start += BLOCK_ROWS) {
    const taken: { w: number; r: number }[] = [];
    for (let r = start; r < Math.min(rows, start + BLOCK_ROWS); r++) {
      if (groups && groups[r] !== group) continue;
      const w = weights?.[r] ?? 1;
      const x = features?.subarray(r * K, (r + 1) * K) ?? [];
      const isBad =
        !(w >= 0 && w < Infinity) ||
        Array.from(x).some((value) => !Number.isFinite(value)) ||
        row(r).some((o) => Number.isNaN(o) || o === Infinity) ||
        row(r).every((o) => o === -Infinity);
      if (isBad) continue;
      good++;
      if (w > 0) taken.push({ w, r });
    }
    for (let from = 0; from < taken.length; from += 64) {
      const part = taken.slice(from, from + 64);
      all.forEach((moment, n) => {
        const terms = part.map(({ w, r }) => {
          const x = Array.from(features?.subarray(r * K, (r + 1) * K) ?? []);
          const factors = [
            [1],
            x,
            x.map((value) => value * value),
            pairs(K).map(([i, k]) => (x[i] as number) * (x[k] as number)),
          ][moment.by] as number[];
          return vectorOf({ w, r }, moment).flatMap((value) =>
            factors.map((factor) => value * factor),
          );
        });
        (sums[n] as bigint[]).forEach((_, k) => {
          let total = 0;
          for (let run = 0; run < terms.length; run += 8)
            total += terms
              .slice(run, run + 8)
              .reduce((sum, term) => sum + (term[k] as number), 0);
          (sums[n] as bigint[])[k] =
            ((sums[n] as bigint[])[k] as bigint) + scaled(total);
        });
      });
    }
  }
  return { rows: good, sums: sums.flat().map(nearest) };
}

function factorCount(by: number, features: number): number {
  return [1, features, features, (features * (features + 1)) / 2][by] as number;
}
