import type { OutputColumn } from "../reader/output-columns.js";
import { PROMISED_BOUNDS } from "../reference/error-scales.js";
import type { ReferenceName } from "../reference/result.js";
import { typeOfErrors } from "./column-check.js";
import type { CheckContext, Problems } from "./problems.js";
import { referenceOf } from "./true-row.js";
import type { LawReport } from "./value-report.js";

/** By the reference of a column: its lines, which each sum to 0 or 1, and the position of the k-th value of a line. */
const LINES: Partial<
  Record<
    ReferenceName,
    { name: string; place(line: number, k: number, Q: number): number }
  >
> = {
  softmax: { name: "", place: (_, k) => k },
  jacobian: { name: "row", place: (i, k, Q) => i * Q + k },
  log_jacobian: { name: "column", place: (j, k, Q) => k * Q + j },
  packed: {
    name: "row",
    place(i, k, Q) {
      const [row, column] = i < k ? [i, k] : [k, i];
      return row * Q - (row * (row + 1)) / 2 + column;
    },
  },
};

/**
 * Returns checks that the stored values of a column must pass whatever the true ones are; null if there are none. Values
 * that are each within b ε of true ones whose sum is 0 (or 1) have a sum within b ε of the sum of their sizes.
 */
export function lawsOf(
  { name, type, result }: OutputColumn,
  { run, problems }: CheckContext,
): {
  check(row: number, values: ArrayLike<number>): void;
  reports(): LawReport[];
} | null {
  const reference = result && referenceOf(result);
  const lines = reference && LINES[reference];
  if (!lines) return null;
  const { classes, temperature } = run;
  const promised = PROMISED_BOUNDS[reference];
  const { epsilon, smallest, bound } = typeOfErrors(type, promised);
  // Sums of terms under a step, of which each may be off by as much.
  const floor =
    bound * classes * Math.max(smallest, 2 ** -1074 / Math.min(1, temperature));
  const within = bound * (1 + 1e-6);
  const isSoftmax = reference === "softmax";
  const text = isSoftmax
    ? "softmax sums to 1"
    : `${lines.name}s of ${name} sum to 0`;
  const sums = new LawCheck(text, within, problems);
  const symmetry = new LawCheck("jacobian is symmetric", 0, problems);
  const checks = reference === "jacobian" ? [sums, symmetry] : [sums];
  return {
    check(row, values) {
      for (let line = 0; line < (isSoftmax ? 1 : classes); line++) {
        const place = (k: number) => lines.place(line, k, classes);
        const { sum, size } = sumOf(values, place, classes);
        const off = Math.abs(isSoftmax ? sum - 1 : sum) - floor;
        const error = off <= 0 ? 0 : off / ((isSoftmax ? 1 : size) * epsilon);
        const where = isSoftmax ? "" : `, ${lines.name} ${line}`;
        sums.add(row, `column ${name}${where}`, error);
      }
      if (reference === "jacobian")
        checkSymmetry(row, values, classes, epsilon, symmetry);
    },
    reports: () => checks.map((check) => check.report()),
  };
}

function checkSymmetry(
  row: number,
  values: ArrayLike<number>,
  Q: number,
  epsilon: number,
  law: LawCheck,
): void {
  for (let i = 0; i < Q; i++)
    for (let j = i + 1; j < Q; j++) {
      const [x, y] = [values[i * Q + j] as number, values[j * Q + i] as number];
      const size = Math.abs(x + y) * 0.5;
      if (x !== y)
        law.add(
          row,
          `column jacobian, [${i}, ${j}]`,
          Math.abs(x - y) / (size * epsilon),
        );
    }
}

/** Returns a sum as if in twice the precision (Neumaier), and the sum of the sizes of its terms. */
function sumOf(
  values: ArrayLike<number>,
  place: (k: number) => number,
  count: number,
): { sum: number; size: number } {
  let sum = 0;
  let lost = 0;
  let size = 0;
  for (let k = 0; k < count; k++) {
    const x = values[place(k)] as number;
    const next = sum + x;
    lost += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum;
    sum = next;
    size += Math.abs(x);
  }
  return { sum: sum + lost, size };
}

/** Keeps the largest violation of an identity of the stored values. */
class LawCheck {
  #worst = 0;

  constructor(
    private readonly name: string,
    private readonly bound: number,
    private readonly problems: Problems,
  ) {}

  /** @param error in ε of the sizes of the terms; NaN counts as a violation */
  add(row: number, where: string, error: number): void {
    const found = Number.isNaN(error) ? Infinity : error;
    if (found > this.#worst) this.#worst = found;
    if (found <= this.bound) return;
    this.problems.addToRow(
      row,
      `${where}: ${this.name} only within ${Number(found.toPrecision(3))} ε of its terms, expected ${Number(this.bound.toPrecision(3))} ε`,
    );
  }

  report(): LawReport {
    return {
      name: this.name,
      worst: this.#worst,
      ok: this.#worst <= this.bound,
    };
  }
}
