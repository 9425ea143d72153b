import type { OutputColumn } from "../reader/output-columns.js";
import { PROMISED_BOUNDS } from "../reference/error-scales.js";
import { typeOfErrors } from "./column-check.js";
import type { CheckContext, Findings } from "./findings.js";
import { referenceOf } from "./row-truth.js";
import type { LawReport } from "./value-report.js";

type Values = ArrayLike<number>;
type Check = (row: number, values: Values) => void;

/**
 * Returns checks that the stored values of a column must pass whatever the true ones are; null if there are none. Values
 * that are each within b ε of true ones whose sum is 0 (or 1) have a sum within b ε of the sum of their sizes.
 */
export function lawsOf(
  column: OutputColumn,
  { run, findings }: CheckContext,
): { check: Check; reports(): LawReport[] } | null {
  if (!column.result) return null;
  const reference = referenceOf(column.result);
  const { classes, temperature } = run;
  const { epsilon, smallest, bound } = typeOfErrors(
    column.type,
    PROMISED_BOUNDS[reference],
  );
  // Sums of terms under a step, of which each may be off by as much.
  const floor =
    bound * classes * Math.max(smallest, 2 ** -1074 / Math.min(1, temperature));
  const law = (name: string, most: number) =>
    new LawCheck(name, most, findings);
  const within = bound * (1 + 1e-6);
  const reports = (...checks: LawCheck[]) => ({
    reports: () => checks.map((check) => check.report()),
  });

  if (reference === "softmax") {
    const one = law("softmax sums to 1", within);
    const check: Check = (row, values) => {
      const { sum } = sumOf(values, (k) => k, classes);
      one.add(row, "column softmax", (Math.abs(sum - 1) - floor) / epsilon);
    };
    return { check, ...reports(one) };
  }
  if (
    reference !== "jacobian" &&
    reference !== "packed" &&
    reference !== "log_jacobian"
  )
    return null;

  const log = reference === "log_jacobian";
  const lines = log ? "column" : "row";
  const zero = law(`${lines}s of ${column.name} sum to 0`, within);
  const place = PLACES[reference];
  const sums: Check = (row, values) => {
    for (let line = 0; line < classes; line++) {
      const { sum, size } = sumOf(
        values,
        (k) => place(line, k, classes),
        classes,
      );
      const error = Math.max(0, Math.abs(sum) - floor);
      const units = error === 0 ? 0 : error / (size * epsilon);
      zero.add(row, `column ${column.name}, ${lines} ${line}`, units);
    }
  };
  if (reference !== "jacobian") return { check: sums, ...reports(zero) };
  const same = law("jacobian is symmetric", 0);
  const check: Check = (row, values) => {
    sums(row, values);
    checkSymmetry(row, values, classes, epsilon, same);
  };
  return { check, ...reports(zero, same) };
}

/** Positions of the k-th entry of a line of a block. */
const PLACES = {
  jacobian: (i: number, k: number, Q: number) => i * Q + k,
  log_jacobian: (j: number, k: number, Q: number) => k * Q + j,
  packed: (i: number, k: number, Q: number) => {
    const [row, column] = i < k ? [i, k] : [k, i];
    return row * Q - (row * (row + 1)) / 2 + column;
  },
};

function checkSymmetry(
  row: number,
  values: Values,
  Q: number,
  epsilon: number,
  law: LawCheck,
): void {
  for (let i = 0; i < Q; i++)
    for (let j = i + 1; j < Q; j++) {
      const [x, y] = [values[i * Q + j] as number, values[j * Q + i] as number];
      if (x !== y)
        law.add(
          row,
          `column jacobian, [${i}, ${j}]`,
          Math.abs(x - y) / (Math.abs(x + y) * 0.5 * epsilon),
        );
    }
}

/** A sum as if in twice the precision (Neumaier), and that of the terms' sizes. */
function sumOf(
  values: Values,
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
    private readonly findings: Findings,
  ) {}

  /** @param error in ε of the sizes of the terms; NaN counts as a violation */
  add(row: number, where: string, error: number): void {
    const found = Number.isNaN(error) ? Infinity : error;
    if (found > this.#worst) this.#worst = found;
    if (found <= this.bound) return;
    this.findings.addToRow(
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
