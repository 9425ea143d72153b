import type { Example } from "../../output-rows/example.js";
import type { StoredRun } from "../../results/run-metadata.js";
import { CertaintySums } from "./certainty-sums.js";
import { ClassSums } from "./class-sums.js";
import { Extremes } from "./extremes.js";
import { MeanJacobian } from "./mean-jacobian.js";
import { CalibrationSums } from "./reliability.js";
import { type RememberedRow, rememberRow } from "./remembered-row.js";

/** Number of the most uncertain rows that are shown. */
const SHOWN_ROWS = 20;
/** Up to so many classes every pair is summed as rows pass; of more, those that are shown, when rows pass again. */
export const ALL_PAIRS_CLASSES = 100;

/** All that is gathered while rows pass. Its size depends on the classes alone, never on the rows. */
export class Gathered {
  /** Table rows, or examples of coo that have entries. */
  examples = 0;
  badRows = 0;
  /** Rows with results of which p could not be had. */
  withoutP = 0;
  entries = 0;
  droppedMax = Number.NaN;
  droppedSum = Number.NaN;
  readonly certainty: CertaintySums;
  readonly classes: ClassSums;
  readonly calibration = new CalibrationSums();
  /** null: there are too many classes for all pairs. */
  readonly jacobian: MeanJacobian | null;
  readonly mostUncertain = new Extremes<RememberedRow>(SHOWN_ROWS);
  readonly #classes: number;

  constructor({ classes, temperature }: StoredRun) {
    this.#classes = classes;
    this.certainty = new CertaintySums(classes);
    this.classes = new ClassSums(classes, temperature);
    this.jacobian =
      classes <= ALL_PAIRS_CLASSES
        ? new MeanJacobian(
            classes,
            Array.from({ length: classes }, (_, k) => k),
            temperature,
          )
        : null;
  }

  /** @param part number of the file that the row is in */
  add(example: Example, part: number): void {
    this.examples++;
    if (example.isNull) {
      this.badRows++;
      return;
    }
    if (!example.p) this.withoutP++;
    if (example.block?.kind === "entries")
      this.entries += example.block.values.length;
    this.#addDropped(example);
    this.certainty.add(example);
    this.classes.add(example);
    this.calibration.add(example);
    this.jacobian?.add(example);
    const { uncertainty, confidence, entropy } = example;
    const rank = [uncertainty, 1 - confidence, entropy].find(
      (value) => !Number.isNaN(value),
    );
    if (rank !== undefined)
      this.mostUncertain.offer(-rank, () =>
        rememberRow(example, part, this.#classes),
      );
  }

  #addDropped({ droppedMax, droppedSum }: Example): void {
    if (!Number.isNaN(droppedMax))
      this.droppedMax = Math.max(
        droppedMax,
        Number.isNaN(this.droppedMax) ? 0 : this.droppedMax,
      );
    if (!Number.isNaN(droppedSum))
      this.droppedSum =
        droppedSum + (Number.isNaN(this.droppedSum) ? 0 : this.droppedSum);
  }
}
