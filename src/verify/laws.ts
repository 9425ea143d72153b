import type { OutputColumn } from "../reader/output-columns.js";
import { PROMISED_BOUNDS } from "../reference/error-scales.js";
import type { ReferenceName } from "../reference/result.js";
import { typePrecision } from "./column-check.js";
import { referenceName } from "./reference-results.js";
import type { CheckContext, LawReport, Problems } from "./value-report.js";

/** By result: lines of values that each sum to 0 or 1, and the index of value k of a line. */
const LINES: Partial<
  Record<
    ReferenceName,
    { name: string; index(line: number, k: number, Q: number): number }
  >
> = {
  softmax: { name: "", index: (_, k) => k },
  jacobian: { name: "row", index: (i, k, Q) => i * Q + k },
  log_jacobian: { name: "column", index: (j, k, Q) => k * Q + j },
  packed: {
    name: "row",
    index(i, k, Q) {
      const [row, column] = i < k ? [i, k] : [k, i];
      return row * Q - (row * (row + 1)) / 2 + column;
    },
  },
};

/**
 * Returns the checks of identities that the stored values of a column must satisfy; null if there are none. If each value is
 * within b ε of its true value, their sum is within b ε Σ |value| of the true sum, 0 or 1.
 */
export function lawsOf(
  { name, type, result }: OutputColumn,
  { run, problems }: CheckContext,
): {
  check(row: number, values: ArrayLike<number>): void;
  reports(): LawReport[];
} | null {
  const reference = result && referenceName(result);
  const lines = reference && LINES[reference];
  if (!lines) return null;
  const { classes, temperature } = run;
  const promised = PROMISED_BOUNDS[reference];
  const { epsilon, smallest, bound } = typePrecision(type, promised);
  // Each subnormal term may be off by a whole step.
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
        const index = (k: number) => lines.index(line, k, classes);
        const { sum, size } = sumOf(values, index, classes);
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

/** Returns a compensated sum (Neumaier), and the sum of the sizes of its terms. */
function sumOf(
  values: ArrayLike<number>,
  index: (k: number) => number,
  count: number,
): { sum: number; size: number } {
  let sum = 0;
  let lost = 0;
  let size = 0;
  for (let k = 0; k < count; k++) {
    const x = values[index(k)] as number;
    const next = sum + x;
    lost += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum;
    sum = next;
    size += Math.abs(x);
  }
  return { sum: sum + lost, size };
}

/** Check of one identity. */
class LawCheck {
  #worst = 0;

  constructor(
    private readonly name: string,
    private readonly bound: number,
    private readonly problems: Problems,
  ) {}

  /** @param error in ε of the sizes of the terms; NaN counts as a violation */
  add(row: number, where: string, error: number): void {
    const deviation = Number.isNaN(error) ? Infinity : error;
    if (deviation > this.#worst) this.#worst = deviation;
    if (deviation <= this.bound) return;
    this.problems.addToRow(
      row,
      `${where}: ${this.name} only within ${Number(deviation.toPrecision(3))} ε of its terms, expected ${Number(this.bound.toPrecision(3))} ε`,
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
