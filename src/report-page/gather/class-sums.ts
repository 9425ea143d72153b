import type { Example, StoredBlock } from "../../output-rows/example.js";
import { blockRowStart } from "../../results/columns.js";

/** What is summed for every class: Q numbers each, however many rows there are. */
export class ClassSums {
  /** J[k,k], and the rows whose diagonal is known. */
  readonly sensitivity: Float64Array;
  sensitivityRows = 0;
  readonly p: Float64Array;
  /** Rows whose largest p it has; rows that are labelled so; rows for which both are true. */
  readonly predicted: Float64Array;
  readonly labelled: Float64Array;
  readonly correct: Float64Array;
  pRows = 0;
  readonly #classes: number;
  readonly #temperature: number;

  constructor(classes: number, temperature: number) {
    this.#classes = classes;
    this.#temperature = temperature;
    const zeros = () => new Float64Array(classes);
    this.sensitivity = zeros();
    this.p = zeros();
    this.predicted = zeros();
    this.labelled = zeros();
    this.correct = zeros();
  }

  add(example: Example): void {
    const { p, winner, label, block } = example;
    if (block) this.#addDiagonal(block);
    else if (p) this.#addDiagonalOfP(example, p);
    if (p) {
      this.pRows++;
      for (let k = 0; k < p.length; k++) bump(this.p, k, p[k] as number);
      bump(this.predicted, winner, 1);
    }
    if (label >= 0) bump(this.labelled, label, 1);
    if (label >= 0 && winner === label) bump(this.correct, label, 1);
  }

  #addDiagonalOfP(
    { winner, uncertainty }: Example,
    p: ArrayLike<number>,
  ): void {
    const T = this.#temperature;
    this.sensitivityRows++;
    for (let k = 0; k < p.length; k++) {
      const own = p[k] as number;
      bump(
        this.sensitivity,
        k,
        (own * (k === winner ? uncertainty : 1 - own)) / T,
      );
    }
  }

  #addDiagonal(block: StoredBlock): void {
    const Q = this.#classes;
    const { values } = block;
    this.sensitivityRows++;
    switch (block.kind) {
      case "square":
        for (let k = 0; k < Q; k++)
          bump(this.sensitivity, k, values[k * Q + k] as number);
        return;
      case "triangle":
        for (let k = 0; k < Q; k++)
          bump(
            this.sensitivity,
            k,
            values[blockRowStart("triangle", Q, k)] as number,
          );
        return;
      case "entries":
        for (let n = 0; n < values.length; n++) {
          const index = block.indices[n] as number;
          if (index % (Q + 1) === 0)
            bump(this.sensitivity, index / (Q + 1), values[n] as number);
        }
    }
  }
}

function bump(sums: Float64Array, k: number, by: number): void {
  sums[k] = (sums[k] as number) + by;
}
