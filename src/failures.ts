import {
  BadRowError,
  InputFormatError,
  InputUnsupportedError,
  RaggedRowError,
  SoftjacError,
  WorkerError,
} from "./errors.js";
import { indexOfRow } from "./input/row-indices.js";
import { DifferentByte } from "./io/put-bytes.js";
import { NULL_IN_CLASS } from "./numeric/bad-row.js";
import type { Failure } from "./pool/protocol.js";
import { ONE_AXIS, type RowAxes } from "./results/row-axes.js";
import { inputError, ioError, systemErrorOf } from "./system-error.js";

const ADVICE = "--on-bad-row null keeps the row as null, skip drops it";

export interface RunPaths {
  input: string;
  output: string;
  /** Axes of the rows of the input; default: one. */
  axes?: RowAxes;
}

/** Of the failures that were in flight together, the one of the lowest row; else the one that came first. */
export function firstFailure(failures: readonly Failure[]): Failure {
  const rowOf = (failure: Failure) =>
    "row" in failure ? failure.row : Number.POSITIVE_INFINITY;
  return failures.reduce((first, other) =>
    rowOf(other) < rowOf(first) ? other : first,
  );
}

/** A worker's failure as the error that the caller meets. */
export function failureError(
  failure: Failure,
  { input, output, axes = ONE_AXIS }: RunPaths,
): Error {
  switch (failure.kind) {
    case "bad-row":
      return new BadRowError(
        input,
        indexOfRow(axes, failure.row),
        failure,
        failure.advice ??
          (failure.found.startsWith(NULL_IN_CLASS)
            ? `${ADVICE}, --null-logit mask masks the class`
            : ADVICE),
      );
    case "ragged-row":
      return new RaggedRowError(
        input,
        failure.column,
        indexOfRow(axes, failure.row),
        failure.expected,
        failure.found,
      );
    case "different": {
      const { position, expected, found } = failure;
      return new DifferentByte(position, expected, found);
    }
    case "damaged":
      return new InputFormatError(input, failure.where, failure.text);
    case "refused-value":
      return new InputUnsupportedError(input, failure.where, failure.text);
    case "io":
      return failure.side === "output"
        ? ioError(output, "could not be written", systemErrorOf(failure))
        : inputError(input, "could not be read", systemErrorOf(failure));
  }
}

/** What was thrown while tasks were made, run or settled: ours as it is, the system's on the output, or a worker's end. */
export function unexpectedError(error: unknown, { output }: RunPaths): Error {
  if (error instanceof DifferentByte) return error;
  const known = ioError(output, "could not be written", error);
  if (known instanceof SoftjacError) return known;
  const message = error instanceof Error ? error.message : String(error);
  return new WorkerError(`a worker thread failed: ${message}`, {
    cause: error,
  });
}
