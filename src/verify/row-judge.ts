import type { InputRows } from "../input/input-rows.js";
import { entryIndices } from "../reader/block-entries.js";
import type { FoundColumn } from "../reader/output-columns.js";
import { PROMISED_BOUNDS } from "../reference/error-scales.js";
import type { StoredRun } from "../results/run-metadata.js";
import { ColumnCheck } from "./column-check.js";
import { EntriesCheck, type StoredEntries } from "./entries-check.js";
import type { Findings } from "./findings.js";
import { lawsOf } from "./laws.js";
import type { RowTruth } from "./row-truth.js";
import type { ColumnReport, LawReport } from "./value-report.js";

/** What a file has of one row of the logits: its columns' values, in the columns' order; null where they are null. */
export type StoredCells = readonly (ArrayLike<number> | null)[];

type Laws = ReturnType<typeof lawsOf>;

/** Of the errors of dropped_sum: its own sum of sums, the entries', and those of the sum that it is compared with. */
const SUM_BOUND = 12;
const MAX_BOUND = 5;

/** Compares what is stored of a row with the truth, and gathers what came out. */
export class RowJudge {
  rowsChecked = 0;
  badRows = 0;
  readonly #run: StoredRun;
  readonly #columns: readonly FoundColumn[];
  readonly #nullable: boolean;
  readonly #truth: RowTruth;
  readonly #rows: InputRows;
  readonly #findings: Findings;
  readonly #checks: (ColumnCheck | null)[];
  readonly #laws: Laws[];
  readonly #entries: EntriesCheck | null;

  constructor(options: {
    run: StoredRun;
    columns: readonly FoundColumn[];
    /** Bad rows are null. */
    nullable: boolean;
    truth: RowTruth;
    /** Holds the row that is judged. */
    rows: InputRows;
    tolerance: number;
    findings: Findings;
  }) {
    const { run, columns, tolerance, findings, truth } = options;
    const { classes, temperature } = run;
    this.#run = run;
    this.#columns = columns;
    this.#nullable = options.nullable;
    this.#truth = truth;
    this.#rows = options.rows;
    this.#findings = findings;
    this.#checks = columns.map((column) => {
      const promised = promisedOf(column, run);
      const { name, type } = column;
      const same = { name, type, tolerance, temperature, findings };
      return promised === null ? null : new ColumnCheck({ ...same, promised });
    });
    this.#laws = columns.map((column) =>
      lawsOf(column, { classes, temperature, tolerance, findings }),
    );
    this.#entries = this.#entriesCheck(tolerance);
  }

  /** A row that the file has. */
  present(row: number, cells: StoredCells): void {
    this.rowsChecked++;
    const good = this.#truth.load(this.#rows, row);
    const empty = cells.indexOf(null);
    if (!good) {
      this.badRows++;
      const full = cells.findIndex((cell) => cell !== null);
      if (full >= 0)
        this.#findings.addToRow(
          row,
          `the input row is bad, so ${this.#nullable ? "nulls are" : "no row is"} expected; found values in column ${this.#columns[full]?.name}`,
        );
      return;
    }
    if (empty >= 0) {
      this.#findings.addToRow(
        row,
        `expected values in column ${this.#columns[empty]?.name}, found null`,
      );
      return;
    }
    cells.forEach((cell, n) => {
      this.#checkResult(row, n, cell as ArrayLike<number>);
    });
    this.#entries?.check(row, this.#storedEntries(cells));
  }

  /** A row that the file has not: bad rows may be left out, and in coo those without entries. */
  absent(row: number): void {
    this.rowsChecked++;
    if (!this.#truth.load(this.#rows, row)) {
      this.badRows++;
      if (this.#nullable)
        this.#findings.addToRow(
          row,
          `the row is missing: it is a bad row of the input, so nulls are expected`,
        );
      return;
    }
    if (this.#run.layout === "coo")
      this.#entries?.check(row, {
        indices: [],
        values: [],
        droppedMax: null,
        droppedSum: null,
      });
    else this.#findings.addToRow(row, `the row is missing`);
  }

  columns(): ColumnReport[] {
    return this.#checks.flatMap((check) => (check ? [check.report()] : []));
  }

  laws(): LawReport[] {
    return this.#laws.flatMap((laws) => laws?.reports() ?? []);
  }

  #checkResult(row: number, n: number, values: ArrayLike<number>): void {
    const { source } = this.#columns[n] as FoundColumn;
    if (source.kind !== "result") return;
    const { reference } = source;
    const input = this.#truth.inputOf(source);
    this.#checks[n]?.check(
      row,
      this.#truth.result(reference, input),
      values,
      this.#truth.scale(reference, input),
    );
    this.#laws[n]?.check(row, values);
  }

  #place(kind: FoundColumn["source"]["kind"]): number {
    return this.#columns.findIndex(({ source }) => source.kind === kind);
  }

  /** null in layouts without entries, and where a column of theirs is not there. */
  #entriesCheck(tolerance: number): EntriesCheck | null {
    const { layout, emit, dtype, threshold, topK } = this.#run;
    const values = this.#checks[this.#place("values")];
    if (!values || this.#place("indices") < 0) return null;
    if (layout === "coo" && this.#place("columns") < 0) return null;
    return new EntriesCheck(this.#truth, {
      log: emit.includes("log_jacobian"),
      dtype,
      threshold,
      topK,
      tolerance,
      values,
      droppedMax: this.#checks[this.#place("droppedMax")] ?? null,
      droppedSum: this.#checks[this.#place("droppedSum")] ?? null,
      findings: this.#findings,
    });
  }

  #storedEntries(cells: StoredCells): StoredEntries {
    const cell = (kind: FoundColumn["source"]["kind"]) =>
      cells[this.#place(kind)] ?? null;
    const indices = cell("indices") as ArrayLike<number>;
    const columns = cell("columns");
    return {
      indices: columns
        ? entryIndices(indices, columns, this.#run.classes)
        : indices,
      values: cell("values") as ArrayLike<number>,
      droppedMax: cell("droppedMax")?.[0] ?? null,
      droppedSum: cell("droppedSum")?.[0] ?? null,
    };
  }
}

/** In ε of float64; null for columns of places. */
function promisedOf(
  { source }: FoundColumn,
  { emit, dtype, topK }: StoredRun,
): number | null {
  switch (source.kind) {
    case "result":
      return PROMISED_BOUNDS[source.reference];
    case "values":
      return PROMISED_BOUNDS[
        emit.includes("log_jacobian") ? "log_jacobian" : "jacobian"
      ];
    case "droppedMax":
      // Of entries as stored, in a column of float64.
      return MAX_BOUND + (dtype === "float32" ? 2 ** 28 : 0);
    case "droppedSum":
      // Of entries equal to the k-th as stored those left out count as much as it.
      return SUM_BOUND + (dtype === "float32" && topK > 0 ? 2 ** 28 : 0);
    default:
      return null;
  }
}
