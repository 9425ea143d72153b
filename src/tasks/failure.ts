import {
  BadRowError,
  InputFormatError,
  InputUnsupportedError,
  RaggedRowError,
} from "../errors.js";
import {
  inputError,
  ioError,
  type SystemFailure,
  systemErrorOf,
} from "../io/system-error.js";
import { DifferentByte } from "../io/write-or-compare.js";
import { CODED, COUNTED, NULL_IN_CLASS } from "../kernels/bad-row.js";
import { indexOfRow, ONE_AXIS, type RowAxes } from "../results/row-axes.js";

/** Reason of a failed task, as data: thrown errors lose their fields between threads. */
export type Failure =
  | { kind: "damaged" | "unsupported"; where: string; text: string }
  /** The input could not be read, or the output not be written. */
  | ({ kind: "io"; side: "input" | "output" } & SystemFailure)
  | {
      kind: "bad-row";
      row: number;
      expected: string;
      found: string;
      advice?: string;
    }
  | {
      kind: "ragged-row";
      row: number;
      column: string;
      expected: number;
      found: number;
    }
  /** The output that is compared has a different byte. */
  | {
      kind: "different";
      position: number;
      expected: number;
      found: number | null;
    };

const ADVICE = "--on-bad-row null keeps the row as null, skip drops it";

/** Files of a failed task; `writing` is the action in messages about the output, `advice` that about a bad row. */
interface Files {
  input: string;
  output: string;
  writing: string;
  axes?: RowAxes;
  advice?: string | undefined;
}

/** Returns the error of a failure. */
export function failureError(
  failure: Failure,
  { input, output, writing, axes = ONE_AXIS, advice = ADVICE }: Files,
): Error {
  switch (failure.kind) {
    case "damaged":
      return new InputFormatError(input, failure.where, failure.text);
    case "unsupported":
      return new InputUnsupportedError(input, failure.where, failure.text);
    case "io":
      return failure.side === "output"
        ? ioError(output, writing, systemErrorOf(failure))
        : inputError(input, "could not be read", systemErrorOf(failure));
    case "bad-row": {
      const more = failure.found.startsWith(NULL_IN_CLASS)
        ? ", --null-logit mask masks the class"
        : "";
      const index = indexOfRow(axes, failure.row);
      const own = failure.advice === COUNTED ? COUNTED + CODED : failure.advice;
      return new BadRowError(input, index, failure, own ?? advice + more);
    }
    case "ragged-row": {
      const { column, row, expected, found } = failure;
      const index = indexOfRow(axes, row);
      return new RaggedRowError(input, column, index, expected, found);
    }
    case "different": {
      const { position, expected, found } = failure;
      return new DifferentByte(position, expected, found);
    }
  }
}
