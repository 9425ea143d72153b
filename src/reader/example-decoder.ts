import { InputFormatError } from "../errors.js";
import { adviceOnClass, isNoClass } from "../kernels/bad-row.js";
import { isEntriesLayout } from "../results/catalogue.js";
import { nameOfKey } from "../results/row-axes.js";
import type { StoredRun } from "../results/run-metadata.js";
import { entriesOfFactors, triangleIndex } from "./block-entries.js";
import type { OutputColumn } from "./output-columns.js";
import {
  type Cells,
  isNull,
  type StoredRow,
  type StoredRows,
} from "./stored-rows.js";

/** Sources of the numbers of a row; null for numbers that the output does not determine. */
export interface NumberSources {
  p: "softmax" | "log_softmax" | null;
  /** Source of the uncertainty 1 - max p; `p` means the sum over the other classes. */
  uncertainty: "uncertainty" | "tail" | "log_softmax" | "p" | null;
  confidence: "confidence" | "p" | "uncertainty" | null;
  entropy: "entropy" | "p" | null;
  /** Source of |J|: whole blocks, or p. */
  jacobian: "block" | "p" | null;
}

/** Chooses the sources of numbers among the columns of the output. */
export function numberSources(
  run: StoredRun,
  expected: readonly OutputColumn[],
): NumberSources {
  const first = <Name extends string>(...names: Name[]) =>
    names.find((name) => expected.some((column) => column.name === name)) ??
    null;
  const p = first("softmax", "log_softmax");
  const uncertainty =
    first("uncertainty", "tail") ?? (p === "log_softmax" ? p : p && "p");
  const hasBlocks =
    run.emit.includes("jacobian") && !isEntriesLayout(run.layout);
  return {
    p,
    uncertainty,
    confidence: first("confidence") ?? (p ? "p" : uncertainty && "uncertainty"),
    entropy: first("entropy") ?? (p && "p"),
    // A block is read only if p is unknown: it has Q times as many values.
    jacobian: p ? "p" : hasBlocks ? "block" : null,
  };
}

/** Returns the columns of the sources, and those about dropped entries; at least one, which shows the bad rows. */
export function neededColumns(
  { layout }: StoredRun,
  expected: readonly OutputColumn[],
  { p, uncertainty, confidence, entropy, jacobian }: NumberSources,
): OutputColumn[] {
  const names = new Set<string | null>([p, uncertainty, confidence, entropy]);
  if (jacobian === "block") names.add("jacobian");
  const needed = expected.filter(
    ({ name, source }) => names.has(name) || /^dropped/.test(source.kind),
  );
  // Rows of coo are never null.
  if (needed.length > 0 || layout === "coo") return needed;
  const size = ({ listSize }: OutputColumn) => listSize ?? Infinity;
  return expected.toSorted((a, b) => size(a) - size(b)).slice(0, 1);
}

/** Numbers of one row; NaN if the output does not determine one. Decoding the next row overwrites the arrays. */
export interface Example {
  /** Row number; the key (src/results/row-axes.ts) if rows have positions. */
  row: number;
  /** Table row: row `k` of a record batch that has rows; in coo the row's first entry. */
  batch: number;
  k: number;
  /** Whether the row is a bad row, without results. */
  isNull: boolean;
  /** `[Q]`. */
  p: ArrayLike<number> | null;
  /** Class with the largest p, the first of equals; -1 if unknown. */
  predicted: number;
  confidence: number;
  uncertainty: number;
  entropy: number;
  /** Class, or -1 if the row has no label. */
  label: number;
  /** Returns entry (i, j) of the block, stored or computed from p; null if neither is known. */
  entry: ((i: number, j: number) => number) | null;
  droppedMax: number;
  droppedSum: number;
}

const UNKNOWN = {
  p: null,
  predicted: -1,
  confidence: Number.NaN,
  uncertainty: Number.NaN,
  entropy: Number.NaN,
  entry: null,
  droppedMax: Number.NaN,
  droppedSum: Number.NaN,
};

/** Decoder of the numbers of rows, which it checks. */
export class ExampleDecoder {
  readonly #p: Float64Array;
  /** Indices of the columns, which are only those of the sources, by name. */
  readonly #columns: Map<string, number>;

  /** @param labelOf returns the label of a row; NaN if it has none */
  constructor(
    private readonly path: string,
    private readonly run: StoredRun,
    private readonly stored: StoredRows,
    private readonly sources: NumberSources,
    private readonly labelOf: (row: StoredRow) => number,
  ) {
    this.#p = new Float64Array(sources.p === "log_softmax" ? run.classes : 0);
    this.#columns = new Map(stored.columns.map(({ name }, n) => [name, n]));
  }

  decode(stored: StoredRow): Example {
    const { row, batch, index, cells } = stored;
    const number = (name: string) => this.#cell(cells, name)?.[0];
    const example: Example = {
      row,
      batch,
      k: index,
      isNull: cells.some(isNull),
      label: this.#checkedLabel(row, this.labelOf(stored)),
      ...UNKNOWN,
    };
    if (example.isNull) return example;
    const others = this.sources.p ? this.#setP(example, cells) : Number.NaN;
    const { p, predicted } = example;
    const tail = number("tail");
    const log = this.#cell(cells, "log_softmax")?.[predicted];
    const uncertainty =
      number("uncertainty") ??
      (tail !== undefined
        ? tail / (1 + tail)
        : log !== undefined
          ? 0 - Math.expm1(log)
          : others);
    example.uncertainty = uncertainty;
    example.confidence =
      number("confidence") ?? p?.[predicted] ?? 1 - uncertainty;
    example.entropy =
      number("entropy") ??
      (p ? entropyOf(p, predicted, uncertainty) : Number.NaN);
    if (this.sources.jacobian === "block")
      example.entry = this.#blockEntry(row, cells);
    else if (p) {
      const factors = { p, predicted, uncertainty };
      example.entry = entriesOfFactors(factors, this.run.temperature);
    }
    example.droppedMax = number("dropped_max") ?? Number.NaN;
    example.droppedSum = number("dropped_sum") ?? Number.NaN;
    return example;
  }

  #cell(cells: Cells, name: string): ArrayLike<number> | null {
    return cells[this.#columns.get(name) ?? -1] ?? null;
  }

  #reject(row: number, text: string): never {
    const name = nameOfKey(this.stored.table.inner, row);
    throw new InputFormatError(this.path, name, text);
  }

  #checkedLabel(row: number, label: number): number {
    const { classes } = this.run;
    if (isNoClass(label)) return -1;
    if (Number.isInteger(label) && label >= 0 && label < classes) return label;
    return this.#reject(
      row,
      `expected a label from 0 to ${classes - 1}, or null, -1 or -100 for none, found ${label}; ${adviceOnClass(label)}`,
    );
  }

  #blockEntry(row: number, cells: Cells): (i: number, j: number) => number {
    const { layout, classes, temperature } = this.run;
    const values = this.#cell(cells, "jacobian") as ArrayLike<number>;
    // Rounding may exceed 1/T, and gives infinity for small temperatures. Entries of softmax are at most 1/(4T).
    const max = 1.001 / temperature;
    for (let n = 0; n < values.length; n++) {
      const value = values[n] as number;
      if (!(Math.abs(value) <= max) && !(max > 3e38 && value - value !== 0))
        this.#reject(
          row,
          `expected entries of its block from -${1 / temperature} to ${1 / temperature}, found ${value}`,
        );
    }
    return layout === "packed"
      ? (i, j) => values[triangleIndex(classes, i, j)] as number
      : (i, j) => values[i * classes + j] as number;
  }

  /** Sets p and the predicted class; returns 1 - max p as the sum over the other classes. */
  #setP(example: Example, cells: Cells): number {
    const { p: from } = this.sources;
    const stored = this.#cell(cells, from as string) as ArrayLike<number>;
    let p = stored;
    if (from === "log_softmax") {
      for (let k = 0; k < stored.length; k++)
        this.#p[k] = Math.exp(stored[k] as number);
      p = this.#p;
    }
    // The first of equals.
    let predicted = 0;
    for (let k = 1; k < stored.length; k++)
      if ((stored[k] as number) > (stored[predicted] as number)) predicted = k;
    let others = 0;
    for (let k = 0; k < p.length; k++) {
      const value = p[k] as number;
      if (!(value >= 0 && value <= 1))
        this.#reject(
          example.row,
          `expected p from 0 to 1, found ${value} for class ${k}`,
        );
      if (k !== predicted) others += value;
    }
    example.p = p;
    example.predicted = predicted;
    return others;
  }
}

/** Returns -Σ p log p in nats. The logarithm of a max p near 1 comes from the uncertainty, which keeps more digits. */
function entropyOf(
  p: ArrayLike<number>,
  predicted: number,
  uncertainty: number,
): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) {
    const value = p[k] as number;
    if (value > 0)
      sum -=
        value *
        (k === predicted && uncertainty < 0.5
          ? Math.log1p(-uncertainty)
          : Math.log(value));
  }
  return sum;
}
