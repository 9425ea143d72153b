import type { Example } from "../../output-rows/example.js";
import type { StoredRun } from "../../results/run-metadata.js";
import { draws } from "../../verify/draws.js";
import { CertaintySums } from "./certainty-sums.js";
import { ClassSums } from "./class-sums.js";
import { Extremes } from "./extremes.js";
import { MeanJacobian } from "./mean-jacobian.js";
import { CalibrationSums } from "./reliability.js";
import { type RememberedRow, rememberRow } from "./remembered-row.js";
import { Reservoir } from "./reservoir.js";

/** Rows at each end that are shown. */
const EXTREMES = 20;
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
  readonly mostConfident = new Extremes<RememberedRow>(EXTREMES);
  readonly mostUncertain = new Extremes<RememberedRow>(EXTREMES);
  readonly random: Reservoir<RememberedRow>;
  readonly #classes: number;

  constructor(
    { classes, temperature }: StoredRun,
    { sample, seed }: { sample: number; seed: number },
  ) {
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
    this.random = new Reservoir(sample, draws(2 * seed));
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
    const remember = () => rememberRow(example, part, this.#classes);
    this.random.offer(remember);
    if (Number.isNaN(example.uncertainty)) return;
    this.mostConfident.offer(example.uncertainty, remember);
    this.mostUncertain.offer(-example.uncertainty, remember);
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
