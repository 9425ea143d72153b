import type { PresentColumn } from "../reader/output-columns.js";
import type { Cells, StoredRow } from "../reader/stored-rows.js";
import { type Bound, PROMISED_BOUNDS } from "../reference/error-scales.js";
import { isEntriesLayout } from "../results/catalogue.js";
import type { StoredRun } from "../results/run-metadata.js";
import {
  type CheckContext,
  ColumnCheck,
  type ColumnReport,
} from "./column-check.js";
import { EntriesCheck } from "./entries-check.js";
import { type ReferenceResults, referenceName } from "./reference-results.js";

/** Bounds in ε of float64: the sum has the errors of its entries, of its own rounding and of the reference sum. */
const SUM_BOUND = 12;
const MAX_BOUND = 5;

/** Comparison of the stored rows with the reference, and its results. */
export class RowChecker {
  rowsChecked = 0;
  badRows = 0;
  readonly #checks: (ColumnCheck | null)[];
  readonly #entries: EntriesCheck | null;

  /**
   * @param isNullable whether the output stores nulls for bad rows, instead of omitting them
   * @param reference results of the rows of the input, which have loaded the row being checked
   */
  constructor(
    private readonly context: CheckContext,
    private readonly columns: readonly PresentColumn[],
    private readonly isNullable: boolean,
    private readonly reference: ReferenceResults,
  ) {
    const { run } = context;
    this.#checks = columns.map((column) => {
      const promised = promisedBound(column, run);
      return promised === null
        ? null
        : new ColumnCheck(column, promised, context);
    });
    this.#entries = isEntriesLayout(run.layout)
      ? new EntriesCheck(reference, context, columns, this.#checks)
      : null;
  }

  /** Checks a row of the input, which is loaded. @param stored the row in the output; null if the output lacks it */
  check(row: number, stored: StoredRow | null): void {
    const isGood = this.reference.load(row);
    this.rowsChecked++;
    if (!isGood) this.badRows++;
    if (stored) this.#checkPresent(row, stored.cells, isGood);
    else this.#checkAbsent(row, isGood);
  }

  #checkPresent(row: number, cells: Cells, isGood: boolean): void {
    const { problems } = this.context;
    const mismatch = cells.findIndex((cell) => (cell === null) === isGood);
    const { name } = this.columns[mismatch] ?? {};
    if (mismatch >= 0)
      problems.addToRow(
        row,
        isGood
          ? `expected values in column ${name}, found null`
          : `the input row is bad, so ${this.isNullable ? "nulls are" : "no row is"} expected; found values in column ${name}`,
      );
    if (mismatch >= 0 || !isGood) return;
    for (const [n, { result }] of this.columns.entries()) {
      if (!result) continue;
      const values = cells[n] as ArrayLike<number>;
      const { truths, scale } = this.reference.result(result);
      this.#checks[n]?.check(row, truths, values, scale);
    }
    this.#entries?.check(row, cells);
  }

  /** Checks that the output may lack a row: a bad row, or in coo a row without entries. */
  #checkAbsent(row: number, isGood: boolean): void {
    const { problems, run } = this.context;
    if (isGood) {
      const noEntries = this.columns.map(({ name }) =>
        /^dropped_/.test(name) ? null : [],
      );
      if (run.layout !== "coo") problems.addToRow(row, "the row is missing");
      else this.#entries?.check(row, noEntries);
    } else if (this.isNullable)
      problems.addToRow(
        row,
        "the row is missing: it is a bad row of the input, so nulls are expected",
      );
  }

  columnReports(): ColumnReport[] {
    return this.#checks.flatMap((check) => (check ? [check.report()] : []));
  }
}

/** Returns the bound on errors in float64; null for indices, which are exact. */
function promisedBound(
  { source, result }: PresentColumn,
  { emit, dtype, topK }: StoredRun,
): Bound | null {
  if (result) return PROMISED_BOUNDS[referenceName(result)];
  const bound = (limit: number): Bound => ({ limit, unit: "ε" });
  switch (source.kind) {
    case "values":
      return PROMISED_BOUNDS[
        emit.includes("log_jacobian") ? "log_jacobian" : "jacobian"
      ];
    case "droppedMax":
      // The column is float64, but its value is that of a rounded float32.
      return bound(MAX_BOUND + (dtype === "float32" ? 2 ** 28 : 0));
    case "droppedSum":
      // Entries that round to the same float32 as the k-th largest may be kept or dropped.
      return bound(SUM_BOUND + (dtype === "float32" && topK > 0 ? 2 ** 28 : 0));
    default:
      return null;
  }
}
