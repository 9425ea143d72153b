import { messageText, shortName } from "./printable.js";

/** Codes of all errors; each class has one of them as its literal type. */
export type ErrorCode =
  | "ERR_USAGE"
  | "ERR_INPUT_MISSING"
  | "ERR_INPUT_FORMAT"
  | "ERR_INPUT_CHANGED"
  | "ERR_INPUT_UNSUPPORTED"
  | "ERR_LOGITS_COLUMN"
  | "ERR_BAD_ROW"
  | "ERR_RAGGED_ROW"
  | "ERR_ROW_MISSING"
  | "ERR_OUTPUT_EXISTS"
  | "ERR_IO"
  | "ERR_PERMISSION"
  | "ERR_ABORTED"
  | "ERR_STOPPED"
  | "ERR_STALLED"
  | "ERR_INPUTS_LEFT_OUT"
  | "ERR_INCOMPLETE"
  | "ERR_DATASET_DAMAGED"
  | "ERR_PLAN_MISSING"
  | "ERR_PARTS_FAILED"
  | "ERR_JOB_REFUSED"
  | "ERR_SERVICE_UNAVAILABLE"
  | "ERR_CONFIGURATION"
  | "ERR_OUTPUT_CLOSED"
  | "ERR_INTERNAL";

/**
 * Every error that a caller can meet. The message is one sentence: what was expected, what was found, where.
 * `code` is stable; exit codes are mapped from it in cli/ and nowhere else.
 */
export abstract class SoftjacError extends Error {
  abstract readonly code: ErrorCode;
  /** What the run had done when it failed, where there was a run. */
  report?: unknown;

  /** The message may hold names and values from files: it is escaped for terminals, and cut to 2,000 bytes. */
  constructor(message: string, options?: ErrorOptions) {
    super(messageText(message), options);
  }

  /** The class's name, made from the code: ERR_BAD_ROW is BadRowError. (Bundling renames classes.) */
  override get name(): string {
    const words = this.code.toLowerCase().split("_").slice(1);
    return `${words.map((w) => w.charAt(0).toUpperCase() + w.slice(1)).join("")}Error`;
  }
}

/** An option is unknown, missing, of the wrong form or out of range. A retry needs another call. */
export class UsageError extends SoftjacError {
  readonly code = "ERR_USAGE";
  constructor(
    message: string,
    readonly option?: string,
  ) {
    super(message);
  }
}

/** The input is not there. A retry helps once it is. */
export class InputMissingError extends SoftjacError {
  readonly code = "ERR_INPUT_MISSING";
  constructor(
    readonly path: string,
    options?: ErrorOptions,
    expectedFound = `expected an input file at ${path}, found nothing there`,
  ) {
    // Node puts U+FFFD in the place of bytes that are not UTF-8.
    const advice = path.includes("\ufffd")
      ? "; file names must be UTF-8: rename the file"
      : "";
    super(expectedFound + advice, options);
  }
}

/** The input's bytes are not a whole, consistent Arrow file. A retry does not help. */
export class InputFormatError extends SoftjacError {
  readonly code = "ERR_INPUT_FORMAT";
  constructor(
    readonly path: string,
    /** Where in the file: `footer`, `record batch 3`, … */
    readonly where: string,
    expectedFound: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${shortName(where)}: ${expectedFound}`, options);
  }
}

/** The input changed while it was read, or since the run was planned; nothing was published. A retry helps once it is left alone. */
export class InputChangedError extends SoftjacError {
  readonly code = "ERR_INPUT_CHANGED";
  constructor(
    readonly path: string,
    message: string,
  ) {
    super(`${path}: ${message}`);
  }
}

/** The input is sound but of a form that this version does not read. A retry does not help. */
export class InputUnsupportedError extends SoftjacError {
  readonly code = "ERR_INPUT_UNSUPPORTED";
  constructor(
    readonly path: string,
    readonly where: string,
    expectedFound: string,
  ) {
    super(`${path}: ${shortName(where)}: ${expectedFound}`);
  }
}

/** The column asked for is not there, or it is not clear which column holds the logits. Name one and retry. */
export class LogitsColumnError extends SoftjacError {
  readonly code = "ERR_LOGITS_COLUMN";
  constructor(
    readonly path: string,
    message: string,
  ) {
    super(`${path}: ${message}`);
  }
}

/** A row has no results: logits with a NaN, a +inf, or nothing but -inf; another input that is no class or not finite. */
export class BadRowError extends SoftjacError {
  readonly code = "ERR_BAD_ROW";
  constructor(
    /** File, or `logits` for an array. */
    readonly source: string,
    /** Row of the logits, from 0. */
    readonly row: number,
    { expected, found }: { expected: string; found: string },
    advice: string,
  ) {
    super(
      `${source}: row ${row}: expected ${expected}, found ${found} (${advice})`,
    );
  }
}

/** A row of a list column has another number of values than the rows before it. */
export class RaggedRowError extends SoftjacError {
  readonly code = "ERR_RAGGED_ROW";
  constructor(
    readonly path: string,
    readonly column: string,
    readonly row: number,
    expected: number,
    found: number,
  ) {
    super(
      `${path}: column ${shortName(column)}, row ${row}: expected ${expected} values as in the first row, found ${found}`,
    );
  }
}

/** The file of results has no such row: rows end before it, or it was left out. A retry needs another row. */
export class RowMissingError extends SoftjacError {
  readonly code = "ERR_ROW_MISSING";
  constructor(
    readonly path: string,
    /** Row of the logits, from 0. */
    readonly row: number,
    expectedFound: string,
  ) {
    super(`${path}: row ${row}: ${expectedFound}`);
  }
}

/** Something is at the output's path already. `force` replaces it. */
export class OutputExistsError extends SoftjacError {
  readonly code = "ERR_OUTPUT_EXISTS";
  constructor(
    readonly path: string,
    found: string,
    options?: ErrorOptions,
  ) {
    super(`expected nothing at ${path}, found ${found}`, options);
  }
}

/** Reading or writing failed: a full disk, an I/O error, a file that shrank. A retry may help. */
export class IoError extends SoftjacError {
  readonly code = "ERR_IO";
  constructor(
    readonly path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${message}`, options);
  }
}

/** The process may not read the input or write the output. */
export class PermissionError extends SoftjacError {
  readonly code = "ERR_PERMISSION";
  constructor(
    readonly path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${message}`, options);
  }
}

/** The caller's AbortSignal fired; nothing was left behind. */
export class AbortedError extends SoftjacError {
  readonly code = "ERR_ABORTED";
  constructor(options?: ErrorOptions) {
    super(
      "the run was stopped before it was complete; nothing was written",
      options,
    );
  }
}

/** The work on a dataset was stopped; what is done of it is saved. The same call again goes on. */
export class StoppedError extends SoftjacError {
  readonly code = "ERR_STOPPED";
  constructor(
    readonly shardsDone: number,
    readonly shards: number,
    options?: ErrorOptions,
    message = shards > 0
      ? `stopped with ${shardsDone} of ${shards} parts done, which are kept: the same command goes on`
      : "stopped before the run was planned: the same command starts again",
  ) {
    super(message, options);
  }
}

/** Nothing has happened for too long; the work was given up, what is done of it is saved. The same call may go on. */
export class StalledError extends SoftjacError {
  readonly code = "ERR_STALLED";
}

/** All is done but for inputs that cannot be: the dataset is not published. Mend them, or publish without them. */
export class InputsLeftOutError extends SoftjacError {
  readonly code = "ERR_INPUTS_LEFT_OUT";
  constructor(
    readonly output: string,
    readonly leftOut: readonly { input: string; error: string }[],
    inputs: number,
  ) {
    const shown = leftOut.slice(0, 3).map(({ error }) => error);
    if (leftOut.length > 3) shown.push("…");
    super(
      `${output}: expected results of ${inputs} inputs, found ${leftOut.length} that have none (--allow-missing publishes the others): ${shown.join("; ")}`,
    );
  }
}

/** Parts of a dataset are still to be made before it can be published. Their tasks, or the run, again. */
export class IncompleteError extends SoftjacError {
  readonly code = "ERR_INCOMPLETE";
  constructor(
    readonly output: string,
    /** Shards, from 0. */
    readonly missing: readonly number[],
    readonly shards: number,
  ) {
    super(
      `${output}: expected ${shards} parts, found ${shards - missing.length}: missing ${ranges(missing)}`,
    );
  }
}

/** Parts of a published dataset are missing, or are not what was recorded of them. A repair computes them again. */
export class DatasetDamagedError extends SoftjacError {
  readonly code = "ERR_DATASET_DAMAGED";
  constructor(
    readonly output: string,
    readonly damaged: readonly { part: string; found: string }[],
    shards: number,
  ) {
    const shown = damaged
      .slice(0, 10)
      .map(({ part, found }) => `${part} ${found}`);
    if (damaged.length > 10) shown.push("…");
    super(
      `${output}: ${damaged.length} files of the published dataset of ${shards} parts are damaged (--repair computes them again): ${shown.join("; ")}`,
    );
  }
}

/** There is no planned run for a dataset. Plan one, or look elsewhere. */
export class PlanMissingError extends SoftjacError {
  readonly code = "ERR_PLAN_MISSING";
  constructor(readonly output: string) {
    super(
      `expected a planned run for ${output}, found none (softjac plan makes one)`,
    );
  }
}

/** Parts of a dataset that the workers of a queue have given up; all others are done. Submitted again, they are tried again. */
export class PartsFailedError extends SoftjacError {
  readonly code = "ERR_PARTS_FAILED";
  constructor(
    readonly output: string,
    readonly failed: readonly { shard: number; part: string; error: string }[],
    readonly shards: number,
    /** Another try would end the same. */
    readonly isOfInput: boolean,
  ) {
    const shown = failed
      .slice(0, 3)
      .map(({ part, error }) => `${part}: ${error}`);
    if (failed.length > 3) shown.push("…");
    super(
      `${output}: expected ${shards} parts, found ${failed.length} that failed: ${shown.join("; ")} (softjac submit tries them again)`,
    );
  }
}

/** A service on the network does not answer, or not as it should, however often it is asked. A retry may help later. */
export class ServiceUnavailableError extends SoftjacError {
  readonly code = "ERR_SERVICE_UNAVAILABLE";
  constructor(
    /** What was asked for. */
    readonly path: string,
    expectedFound: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${expectedFound}`, options);
  }
}

/** What surrounds the process says two things, or half of one; or a package that only some commands need is missing. */
export class ConfigurationError extends SoftjacError {
  readonly code = "ERR_CONFIGURATION";
}

/** Whoever reads the output has gone: enough for them, as it seems. */
export class OutputClosedError extends SoftjacError {
  readonly code = "ERR_OUTPUT_CLOSED";
  constructor(
    readonly path: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: expected a reader, found that it has gone`, options);
  }
}

/** A worker died, or something that cannot happen did. */
export class InternalError extends SoftjacError {
  readonly code = "ERR_INTERNAL";
}

/** A worker died, of its memory perhaps: on other threads a retry may help. */
export class WorkerError extends InternalError {}

/** Ascending whole numbers as people write them: 3, 7-9. At most a line of them. */
export function ranges(numbers: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const n of numbers) {
    const run = runs.at(-1);
    if (run && run[1] === n - 1) run[1] = n;
    else runs.push([n, n]);
  }
  const shown = runs
    .slice(0, 8)
    .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  const more = runs.length > 8 ? ", …" : "";
  return shown.join(", ") + more;
}
