import type { Decimal } from "decimal.js";
import type { RowSizes } from "../../src/reference/error-scales.js";
import { Exact, exact, sumsOfOthers } from "./exact.js";

/** Intermediate values of one row by their definitions, in 80 digits. */
export interface Truth {
  p: Decimal[];
  /** 1 - p_k. */
  q: Decimal[];
  /** (o_k - m)/T; null for a masked class. */
  d: (Decimal | null)[];
  /** m/T. */
  peak: Decimal;
  /** log1p(tail). */
  log: Decimal;
  tail: Decimal;
  /** Predicted class. */
  a: number;
  /** Temperature. */
  t: Decimal;
}

const ZERO = new Exact(0);
export const sum = (values: Decimal[]): Decimal =>
  values.reduce((s, x) => s.plus(x), ZERO);

const known = new Map<string, Truth>();

/** Returns a cached row: many tests use the same rows, and each takes milliseconds. */
export function truthOf(logits: number[], temperature: number): Truth {
  const key = `${temperature}: ${logits}`;
  const truth = known.get(key) ?? workedOut(logits, temperature);
  known.set(key, truth);
  return truth;
}

function workedOut(logits: number[], temperature: number): Truth {
  const t = exact(temperature);
  const m = Math.max(...logits);
  const a = logits.indexOf(m);
  const d = logits.map((o) =>
    o === -Infinity ? null : exact(o).minus(exact(m)).div(t),
  );
  const e = d.map((x) => (x === null ? ZERO : x.exp()));
  const tail = sum(e.filter((_, k) => k !== a));
  const S = tail.plus(1);
  const p = e.map((x) => x.div(S));
  const q = sumsOfOthers(e).map((others) => others.div(S));
  let log: Decimal | undefined;
  return {
    ...{ p, q, d, peak: exact(m).div(t), tail, a, t },
    // Many tests need none, and each takes milliseconds.
    get log() {
      log ??= log1p(tail);
      return log;
    },
  };
}

/** Returns ln(1 + t) with 78 digits, if t is small by the series of 2 artanh(t/(2 + t)). */
function log1p(t: Decimal): Decimal {
  if (t.gt(0.01)) return t.plus(1).ln();
  const z = t.div(t.plus(2));
  const square = z.times(z);
  let half = ZERO;
  let power = z;
  for (let n = 1; power.gt(half.times("1e-85")); n += 2) {
    half = half.plus(power.div(n));
    power = power.times(square);
  }
  return half.times(2);
}

/** Returns log p_k; null for -inf. */
export function logOf({ d, log }: Truth, k: number): Decimal | null {
  const x = d[k];
  return x ? x.minus(log) : null;
}

export function jacobianOf({ p, q, t }: Truth, i: number, j: number): Decimal {
  const pi = p[i] as Decimal;
  return byTemperature(
    i === j ? pi.times(q[i] as Decimal) : pi.times(p[j] as Decimal).neg(),
    t,
  );
}

/** Returns softmax and Jacobian of a row at temperature 1. */
export function exactRow(logits: readonly number[]) {
  const row = truthOf([...logits], 1);
  const jacobian = (i: number, j: number) => jacobianOf(row, i, j);
  return { p: row.p, jacobian };
}

/** Returns x/T without dividing by 1, because quotients of 80 digits are slow. */
export function byTemperature(x: Decimal, t: Decimal): Decimal {
  return t.eq(1) ? x : x.div(t);
}

/** Returns the row as numbers for the error scales. */
export function sizesOf({ a, p, q, d, t, peak, log }: Truth): RowSizes {
  return {
    winner: a,
    p: p.map((x) => x.toNumber()),
    q: q.map((x) => x.toNumber()),
    d: d.map((x) => x?.toNumber() ?? -Infinity),
    temperature: t.toNumber(),
    peak: peak.toNumber(),
    log: log.toNumber(),
  };
}
