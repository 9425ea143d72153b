import type { Findings } from "../reader/findings.js";
import type { FoundColumn } from "../reader/output-columns.js";
import type { StoredPart } from "../reader/stored-rows.js";
import { isOfExample } from "../results/table-columns.js";
import type { StoredCells } from "./row-judge.js";

/** Gathers the table rows of one row of the logits: columns of entries whole, of the others the one value that all have. */
export class EntryCells {
  readonly #columns: readonly FoundColumn[];
  readonly #findings: Findings;
  #cells: number[][];

  constructor(columns: readonly FoundColumn[], findings: Findings) {
    this.#columns = columns;
    this.#findings = findings;
    this.#cells = columns.map(() => []);
  }

  /** Adds table rows `[from, to)` of what was read. */
  add(
    row: number,
    parts: readonly StoredPart[],
    from: number,
    to: number,
  ): void {
    parts.forEach((part, k) => {
      const cell = this.#cells[k] as number[];
      const { name, source } = this.#columns[k] as FoundColumn;
      const isOne = isOfExample({ source });
      for (let n = from; n < to; n++) {
        const value = part.isNull(n) ? Number.NaN : part.number(n);
        if (!isOne || cell.length === 0) cell.push(value);
        else if (!Object.is(cell[0], value)) {
          this.#findings.add(
            `${this.#findings.nameOfRow(row)}: column ${name}: expected ${cell[0]} in all entries of the row, found ${value}`,
          );
          return;
        }
      }
    });
  }

  /** What was gathered, in the columns' order; starts anew. */
  take(): StoredCells {
    const cells = this.#cells;
    this.#cells = this.#columns.map(() => []);
    return cells;
  }
}
