import type { Findings } from "./findings.js";
import type { LawReport } from "./value-report.js";

/** Keeps the worst breach of what must hold of stored values. */
export class LawCheck {
  readonly #name: string;
  readonly #bound: number;
  readonly #findings: Findings;
  #worst = 0;

  constructor(name: string, bound: number, findings: Findings) {
    this.#name = name;
    this.#bound = bound;
    this.#findings = findings;
  }

  /** @param error in ε of the sizes of the terms; NaN counts as a breach */
  add(row: number, where: string, error: number): void {
    const found = Number.isNaN(error) ? Infinity : error;
    if (found > this.#worst) this.#worst = found;
    if (found <= this.#bound) return;
    this.#findings.add(
      `${this.#findings.nameOfRow(row)}: ${where}: ${this.#name} only within ${Number(found.toPrecision(3))} ε of its terms, expected ${Number(this.#bound.toPrecision(3))} ε`,
    );
  }

  report(): LawReport {
    return {
      name: this.#name,
      worst: this.#worst,
      ok: this.#worst <= this.#bound,
    };
  }
}
