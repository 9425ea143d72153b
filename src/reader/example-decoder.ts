import { InputFormatError } from "../errors.js";
import { adviceOnClass, isNoClass } from "../numeric/bad-row.js";
import { nameOfKey } from "../results/row-axes.js";
import type { StoredRun } from "../results/run-metadata.js";
import { BlockEntries } from "./block-entries.js";
import {
  checkEntries,
  checkP,
  checkPlaces,
  type RowPlace,
} from "./check-values.js";
import type { Example, StoredBlock } from "./example.js";
import { entropyOf, largestOf, sumOfOthers } from "./numbers-of-p.js";
import type { FoundColumn } from "./output-columns.js";
import { pOfBlock, pOfLogBlock } from "./p-of-block.js";
import type { NumberSources } from "./reading-plan.js";

/** A table row's values by column, or the table rows of an example's entries; null: a null. */
export type Cells = readonly (ArrayLike<number> | null)[];

/** Makes examples of what columns hold. */
export class ExampleDecoder {
  readonly #path: string;
  readonly #run: StoredRun;
  readonly #sources: NumberSources;
  readonly #columns: readonly FoundColumn[];
  readonly #labelAt: (batch: number, k: number) => number;
  readonly #p: Float64Array;
  readonly #entries: BlockEntries;

  /** @param labelAt the label of row k of a record batch; NaN: none */
  constructor(
    path: string,
    run: StoredRun,
    sources: NumberSources,
    columns: readonly FoundColumn[],
    labelAt: (batch: number, k: number) => number,
  ) {
    this.#path = path;
    this.#run = run;
    this.#sources = sources;
    this.#columns = columns;
    this.#labelAt = labelAt;
    this.#entries = new BlockEntries(run.classes);
    this.#p = new Float64Array(sources.p === "softmax" ? 0 : run.classes);
  }

  /** @throws InputFormatError for numbers that cannot be */
  decode(row: number, batch: number, k: number, cells: Cells): Example {
    const example: Example = {
      row,
      batch,
      k,
      isNull: this.#columns.some((_, n) => isNull(cells[n] ?? null)),
      p: null,
      winner: -1,
      confidence: Number.NaN,
      uncertainty: Number.NaN,
      entropy: Number.NaN,
      label: this.#labelOf(row, this.#labelAt(batch, k)),
      block: null,
      droppedMax: Number.NaN,
      droppedSum: Number.NaN,
    };
    if (example.isNull) return example;
    const { p, uncertainty, confidence, entropy, jacobian } = this.#sources;
    const block = this.#block(row, cells);
    if (jacobian === "block" || jacobian === "entries") example.block = block;
    const summed = p ? this.#setP(example, cells, block) : Number.NaN;
    example.uncertainty = this.#uncertaintyOf(
      uncertainty,
      cells,
      example,
      summed,
    );
    example.confidence =
      confidence === "confidence"
        ? this.#number(cells, "confidence")
        : confidence === "p" && example.winner >= 0
          ? (example.p?.[example.winner] as number)
          : 1 - example.uncertainty;
    example.entropy =
      entropy === "entropy"
        ? this.#number(cells, "entropy")
        : example.p
          ? entropyOf(example.p, example.winner, example.uncertainty)
          : Number.NaN;
    example.droppedMax = this.#number(cells, "dropped_max");
    example.droppedSum = this.#number(cells, "dropped_sum");
    return example;
  }

  #placeOf(row: number): RowPlace {
    return { path: this.#path, row, inner: innerOf(this.#run) };
  }

  /** -1: the row has no label. @throws InputFormatError for a label that is no class */
  #labelOf(row: number, label: number): number {
    const { classes } = this.#run;
    if (isNoClass(label)) return -1;
    if (Number.isInteger(label) && label >= 0 && label < classes) return label;
    throw new InputFormatError(
      this.#path,
      nameOfKey(innerOf(this.#run), row),
      `expected a label from 0 to ${classes - 1}, or null, -1 or -100 for none, found ${label}; ${adviceOnClass(label)}`,
    );
  }

  #block(row: number, cells: Cells): StoredBlock | null {
    for (const [n, { name, source }] of this.#columns.entries()) {
      const values = cells[n] as ArrayLike<number>;
      if (source.kind === "values") {
        const indices = this.#indices(cells);
        const place = this.#placeOf(row);
        checkPlaces(place, indices, values, this.#run.classes);
        checkEntries(place, values, this.#run.temperature);
        return { kind: "entries", values, indices };
      }
      if (name === "jacobian" || name === "log_jacobian") {
        checkEntries(this.#placeOf(row), values, this.#run.temperature);
        return {
          kind: this.#run.layout === "packed" ? "triangle" : "square",
          values,
        };
      }
    }
    return null;
  }

  /** Of coo from i and j. */
  #indices(cells: Cells): ArrayLike<number> {
    const { classes } = this.#run;
    const at = (kind: string) =>
      cells[
        this.#columns.findIndex(({ source }) => source.kind === kind)
      ] as ArrayLike<number>;
    const rows = at("indices");
    if (this.#run.layout === "csr") return rows;
    const columns = at("columns");
    return Float64Array.from(
      rows,
      (i, n) => i * classes + (columns[n] as number),
    );
  }

  /** Fills in p and the winner; 1 - its p as the sum of the others. */
  #setP(example: Example, cells: Cells, block: StoredBlock | null): number {
    const { p: from } = this.#sources;
    if (from === "jacobian" || from === "log_jacobian")
      return this.#setPOfBlock(example, block as StoredBlock);
    const stored = this.#cell(cells, from as string) as ArrayLike<number>;
    example.p = stored;
    example.winner = largestOf(stored);
    if (from === "log_softmax") {
      for (let k = 0; k < stored.length; k++)
        this.#p[k] = Math.exp(stored[k] as number);
      example.p = this.#p;
    }
    checkP(this.#placeOf(example.row), example.p);
    return sumOfOthers(example.p, example.winner);
  }

  #setPOfBlock(example: Example, block: StoredBlock): number {
    const { temperature, dtype } = this.#run;
    const entry = this.#entries.of(block);
    const uncertainty =
      this.#sources.p === "jacobian"
        ? pOfBlock(entry, this.#p, temperature, dtype)
        : pOfLogBlock(entry, this.#p, temperature);
    if (Number.isNaN(uncertainty)) return uncertainty;
    example.p = this.#p;
    example.winner = largestOf(this.#p);
    return uncertainty;
  }

  #uncertaintyOf(
    from: NumberSources["uncertainty"],
    cells: Cells,
    { winner }: Example,
    summed: number,
  ): number {
    switch (from) {
      case "uncertainty":
        return this.#number(cells, "uncertainty");
      case "tail": {
        const tail = this.#number(cells, "tail");
        return tail / (1 + tail);
      }
      case "log_softmax":
        return 0 - Math.expm1(this.#cell(cells, from)?.[winner] as number);
      default:
        return summed;
    }
  }

  #cell(cells: Cells, name: string): ArrayLike<number> | null {
    const n = this.#columns.findIndex((column) => column.name === name);
    return cells[n] ?? null;
  }

  #number(cells: Cells, name: string): number {
    return this.#cell(cells, name)?.[0] ?? Number.NaN;
  }
}

function innerOf({ rowShape }: StoredRun): readonly number[] {
  return rowShape?.slice(1) ?? [];
}

/** A null table row of coo has one entry without a place. */
function isNull(cell: ArrayLike<number> | null): boolean {
  return cell === null || (cell.length === 1 && Number.isNaN(cell[0]));
}
