import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tableFromIPC } from "@uwdata/flechette";
import { readParquet } from "parquet-wasm";
import type { Means } from "../../src/effects/means.js";
import { sharedFolder } from "../support/machine.js";

// Data of ../shared/data/effects, and means over rows by their definitions in plain double precision.

export const folder = sharedFolder("effects");

/** One column per class and effect, as statsmodels computed them. */
export interface Expected {
  terms: string[];
  bse: number[][];
  bse_robust_HC0: number[][];
  effects: Record<string, ExpectedEffect> & {
    "dydx by": Record<string, Record<string, ExpectedEffect>>;
    contrast?: Record<string, ExpectedEffect>;
  };
}

export interface ExpectedEffect {
  /** [class, term without the constant], or [class] for probabilities and contrasts. */
  estimate: number[][] | number[];
  std_error: number[][] | number[];
}

export interface Data {
  features: number;
  classes: number;
  /** B with the zeros of class 0, row-major. */
  b: Float64Array;
  v: Float64Array;
  /** Features of each row, with the constant. */
  rows: Float64Array[];
  column(name: string): unknown[];
  expected: Expected;
}

export function readData(name: "anes96" | "fair"): Data {
  const path = (ending: string) => join(folder as string, `${name}.${ending}`);
  const parquet = readParquet(readFileSync(path("parquet")));
  const table = tableFromIPC(parquet.intoIPCStream());
  const column = (at: string) => [...(table.getChild(at) as Iterable<unknown>)];
  const b = readNpy(path("B.npy"));
  const [features, others] = b.shape as [number, number];
  const withBase = new Float64Array(features * (others + 1));
  for (let k = 0; k < features; k++)
    withBase.set(
      b.values.subarray(k * others, (k + 1) * others),
      k * (others + 1) + 1,
    );
  return {
    ...{ features, classes: others + 1, b: withBase, column },
    v: readNpy(path("V.npy")).values,
    rows: column("x").map((x) => Float64Array.from(x as Iterable<number>)),
    expected: JSON.parse(readFileSync(path("expected.json"), "utf8")),
  };
}

/** Reads a two-dimensional float64 array, row-major. */
function readNpy(path: string) {
  const bytes = readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, start);
  const shape = /\((\d+), (\d+)\)/.exec(header)?.slice(1).map(Number);
  const [rows, columns] = shape as [number, number];
  if (!header.includes("<f8")) throw new Error(header);
  const stored = new Float64Array(bytes.buffer.slice(bytes.byteOffset + start));
  const fortran = header.includes("'fortran_order': True");
  const values = Float64Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    return stored[fortran ? column * rows + row : at] as number;
  });
  return { shape: [rows, columns], values };
}

/** Returns softmax of x B. */
export function probabilities(
  x: Float64Array,
  { b, classes }: Pick<Data, "b" | "classes">,
): number[] {
  const logits = Array.from({ length: classes }, (_, c) =>
    x.reduce((o, value, k) => o + value * (b[k * classes + c] as number), 0),
  );
  const most = Math.max(...logits);
  const powers = logits.map((o) => Math.exp(o - most));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** Returns all weighted means of rows; J and T as derivatives of p by their definitions with Kronecker deltas. */
export function meansOf(
  data: Pick<Data, "b" | "classes">,
  rows: readonly Float64Array[],
  weights: readonly number[] = rows.map(() => 1),
): Required<Means> {
  const sums: Partial<Record<keyof Means, Float64Array>> = {};
  const lost: typeof sums = {};
  const addTo = (name: keyof Means, w: number, a: number[], b: number[]) => {
    sums[name] ??= new Float64Array(a.length * b.length);
    lost[name] ??= new Float64Array(a.length * b.length);
    const [sum, rest] = [sums[name], lost[name]];
    for (let at = 0; at < sum.length; at++) {
      const [i, k] = [Math.floor(at / b.length), at % b.length];
      const term = w * (a[i] as number) * (b[k] as number);
      const before = sum[at] as number;
      const after = before + term;
      sum[at] = after;
      // Neumaier's compensated sum.
      const error =
        Math.abs(before) > Math.abs(term)
          ? before - after + term
          : term - after + before;
      rest[at] = (rest[at] as number) + error;
    }
  };
  rows.forEach((row, n) => {
    const w = weights[n] as number;
    const x = [...row];
    const p = probabilities(row, data);
    const { j, t } = derivatives(p);
    const xx = x.flatMap((value, k) =>
      x.slice(k).map((other) => value * other),
    );
    addTo("p", w, p, [1]);
    addTo("x", w, x, [1]);
    addTo("px", w, p, x);
    addTo("xx", w, xx, [1]);
    addTo("j", w, j, [1]);
    addTo("jx", w, j, x);
    addTo("jxx", w, j, xx);
    addTo("tx", w, t, x);
    addTo("txx", w, t, xx);
  });
  const total = weights.reduce((sum, w) => sum + w, 0);
  return Object.fromEntries(
    Object.entries(sums).map(([name, values]) => [
      name,
      values.map(
        (value, at) =>
          (value + (lost[name as keyof Means]?.[at] ?? NaN)) / total,
      ),
    ]),
  ) as unknown as Required<Means>;
}

/** Returns J_jl = p_j(δ_jl - p_l) for j <= l and T_jlc = ∂J_jl/∂η_c for j <= l <= c. */
function derivatives(p: readonly number[]) {
  const delta = (a: number, b: number) => (a === b ? 1 : 0);
  const J = (a: number, b: number) =>
    (p[a] as number) * (delta(a, b) - (p[b] as number));
  const j: number[] = [];
  const t: number[] = [];
  for (let a = 0; a < p.length; a++)
    for (let b = a; b < p.length; b++) {
      j.push(J(a, b));
      for (let c = b; c < p.length; c++)
        t.push(
          J(a, c) * (delta(a, b) - (p[b] as number)) -
            (p[a] as number) * J(b, c),
        );
    }
  return { j, t };
}
