import { count, numberOf } from "./format-number.js";
import { indexName, messageText, shortName } from "./printable.js";

/** Codes of all errors. Each error class has one of them as the literal type of `code`. */
export type ErrorCode =
  | ("ERR_USAGE" | "ERR_INPUT_MISSING" | "ERR_INPUT_FORMAT")
  | ("ERR_INPUT_CHANGED" | "ERR_INPUT_UNSUPPORTED" | "ERR_LOGITS_COLUMN")
  | ("ERR_BAD_ROW" | "ERR_RAGGED_ROW" | "ERR_ROW_MISSING")
  | ("ERR_OUTPUT_EXISTS" | "ERR_OUTPUT_CLOSED" | "ERR_IO" | "ERR_PERMISSION")
  | ("ERR_ABORTED" | "ERR_STOPPED" | "ERR_STALLED" | "ERR_INPUTS_SKIPPED")
  | ("ERR_INCOMPLETE" | "ERR_DATASET_DAMAGED" | "ERR_PLAN_MISSING")
  | ("ERR_SHARDS_FAILED" | "ERR_JOB_REFUSED" | "ERR_SERVICE_UNAVAILABLE")
  | ("ERR_CONFIGURATION" | "ERR_INTERNAL");

/** Exit codes of the command, after sysexits.h where it has one. */
export const EXIT = {
  done: 0,
  usage: 64,
  badInput: 65,
  inputMissing: 66,
  unavailable: 69,
  internal: 70,
  outputExists: 73,
  io: 74,
  /** Stopped with completed work kept: the same command continues. */
  stopped: 75,
  permission: 77,
  configuration: 78,
} as const;

/**
 * Base class of all errors that softjac throws. `message` is one line that says what is wrong, where, and what to do.
 * `code` is stable across releases.
 */
export abstract class SoftjacError extends Error {
  abstract readonly code: ErrorCode;
  /** Exit code of the command. */
  readonly exitCode: number = EXIT.internal;
  /** Report of what was done before the failure, if the function returns a report. */
  report?: unknown;

  /** Escapes control characters in `message`, which may contain names from files, and shortens it to 2,000 bytes. */
  constructor(message: string, options?: ErrorOptions) {
    super(messageText(message), options);
  }

  /** Name of the class, derived from the code: ERR_BAD_ROW is BadRowError. (Bundling renames classes.) */
  override get name(): string {
    const words = this.code.toLowerCase().split("_").slice(1);
    return `${words.map((w) => w.charAt(0).toUpperCase() + w.slice(1)).join("")}Error`;
  }
}

/** Error of a file, directory or service. */
abstract class LocatedError extends SoftjacError {
  constructor(
    /** Path of the file, location of the object, or address of the service. */
    readonly path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${message}`, options);
  }
}

/** Row of the logits, or its index along every axis. */
type RowIndex = number | readonly number[];

/** Error of a row. */
abstract class RowError extends LocatedError {
  override readonly exitCode = EXIT.badInput;
  /** Row of the logits, 0-based. */
  readonly row: number;
  /** Positions along further axes of the logits, 0-based; empty for rows of one axis. */
  readonly positions: readonly number[];
  constructor(path: string, where: string, index: RowIndex, message: string) {
    const [row = 0, ...positions] = [index].flat();
    super(path, `${where}${indexName([row, ...positions])}: ${message}`);
    this.row = row;
    this.positions = positions;
  }
}

/** Error of an option or argument that is unknown, missing, of the wrong form or out of range. Change the call. */
export class UsageError extends SoftjacError {
  readonly code = "ERR_USAGE";
  override readonly exitCode = EXIT.usage;
  /** Name of the option in the library; undefined for other arguments. */
  readonly option: string | undefined;
  /** @param option default: the first of the names before the colon with which the message starts; null for none */
  constructor(
    message: string,
    option = /^(\w+)(?:, \w+)*: /.exec(message)?.[1] ?? null,
  ) {
    super(message);
    this.option = option ?? undefined;
  }
}

/** Error of an input that does not exist. Retry once it does. */
export class InputMissingError extends SoftjacError {
  readonly code = "ERR_INPUT_MISSING";
  override readonly exitCode = EXIT.inputMissing;
  constructor(
    readonly path: string,
    options?: ErrorOptions,
    message = `${path}: no such file or directory`,
  ) {
    const advice = "; file names must be UTF-8: rename the file";
    // Node replaces bytes that are not UTF-8 with U+FFFD.
    super(path.includes("\ufffd") ? message + advice : message, options);
  }
}

/** Error of a part of an input. */
abstract class InputPartError extends LocatedError {
  override readonly exitCode = EXIT.badInput;
  constructor(
    path: string,
    /** Position in the file: `footer`, `record batch 3`, … */
    readonly where: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(path, `${shortName(where)}: ${message}`, options);
  }
}

/** Error of an input that is damaged, truncated or inconsistent. A retry does not help. */
export class InputFormatError extends InputPartError {
  readonly code = "ERR_INPUT_FORMAT";
}

/** Error of a valid input that this version cannot read. A retry does not help. */
export class InputUnsupportedError extends InputPartError {
  readonly code = "ERR_INPUT_UNSUPPORTED";
}

/** Error of an input that changed while it was read, or since the run was planned. Nothing was published. Retry once nothing writes to it. */
export class InputChangedError extends LocatedError {
  readonly code = "ERR_INPUT_CHANGED";
  override readonly exitCode = EXIT.badInput;
}

/** Options that store less than whole blocks, at the end of messages. */
export const SMALLER_OUTPUTS =
  "use --layout factored, --layout coo --threshold T, or --emit softmax";

/** Returns the error of blocks that are too large for a layout. */
export function tooLargeError(path: string, column: string, text: string) {
  return new InputUnsupportedError(
    path,
    `column ${column}`,
    `${text}; ${SMALLER_OUTPUTS}`,
  );
}

const ROWS = "rows";

/** Returns the error of a file whose number of classes is unknown because it has no rows or only null lists. */
export function unknownClassesError(
  path: string,
  rows = "no row has logits",
): InputUnsupportedError {
  const text = `${rows}, so the number of classes is unknown; fixed-size lists state it without rows`;
  return new InputUnsupportedError(path, ROWS, text);
}

/** Whether `unknownClassesError` returned an error. */
export function isUnknownClassesError(error: unknown): boolean {
  return error instanceof InputUnsupportedError && error.where === ROWS;
}

/** Error of a column that does not exist, or of an input whose column of logits is ambiguous. Name the column. */
export class LogitsColumnError extends LocatedError {
  readonly code = "ERR_LOGITS_COLUMN";
  override readonly exitCode = EXIT.badInput;
}

/** Error of a row without results: its logits contain NaN or +inf or are all -inf, its label is not a class, or its vector or covariance is not finite. */
export class BadRowError extends RowError {
  readonly code = "ERR_BAD_ROW";
  /** Path of the file, or `logits` for an array. */
  readonly source = this.path;
  constructor(
    path: string,
    index: RowIndex,
    { expected, found }: { expected: string; found: string },
    advice: string,
  ) {
    super(path, "", index, `expected ${expected}, found ${found} (${advice})`);
  }
}

/** Error of a list column whose rows have different numbers of values. */
export class RaggedRowError extends RowError {
  readonly code = "ERR_RAGGED_ROW";
  constructor(
    path: string,
    readonly column: string,
    index: RowIndex,
    expected: number,
    found: number,
  ) {
    const text = `expected ${expected} values as in the first row, found ${found}; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask`;
    super(path, `column ${shortName(column)}, `, index, text);
  }
}

/** Error of a row that an output does not have: it is past the end, or was omitted as a bad row. */
export class RowMissingError extends RowError {
  readonly code = "ERR_ROW_MISSING";
  constructor(path: string, index: RowIndex, message: string) {
    super(path, "", index, message);
  }
}

/** Error of an output that already exists. `force` replaces a file, `overwrite` a dataset. */
export class OutputExistsError extends SoftjacError {
  readonly code = "ERR_OUTPUT_EXISTS";
  override readonly exitCode = EXIT.outputExists;
  constructor(
    readonly path: string,
    /** The rest of a sentence that begins with the path. */
    what: string,
    options?: ErrorOptions,
  ) {
    super(`${path} ${what}`, options);
  }
}

/** Error of reading or writing: a full disk, an I/O error, a file that shrank. A retry may help. */
export class IoError extends LocatedError {
  readonly code = "ERR_IO";
  override readonly exitCode = EXIT.io;
}

/** Error of missing permissions to read an input or write an output. */
export class PermissionError extends LocatedError {
  readonly code = "ERR_PERMISSION";
  override readonly exitCode = EXIT.permission;
}

/** Error of a call that its AbortSignal stopped. The unfinished output was deleted. */
export class AbortedError extends SoftjacError {
  readonly code = "ERR_ABORTED";
  constructor(options?: ErrorOptions) {
    const text = "the run was stopped before it was complete";
    super(`${text}; nothing was written`, options);
  }
}

/** Error of a dataset call that was stopped by its signal. Completed shards are kept; the same call resumes. */
export class StoppedError extends SoftjacError {
  readonly code = "ERR_STOPPED";
  override readonly exitCode = EXIT.stopped;
  constructor(
    readonly shardsDone: number,
    readonly shards: number,
    options?: ErrorOptions,
    message = shards > 0
      ? `stopped with ${count(shardsDone)} of ${numberOf(shards, "shard")} done; run the same command again to continue`
      : "stopped before the plan was made or read; run the same command again",
  ) {
    super(message, options);
  }
}

/** Error of a call that made no progress for `stallTimeout` seconds. Completed shards are kept; the same call may resume. */
export class StalledError extends SoftjacError {
  readonly code = "ERR_STALLED";
  override readonly exitCode = EXIT.stopped;
}

/** Error of a dataset that is complete except for invalid inputs, and not published. Repair the inputs, or publish without them (`allowMissing`). */
export class InputsSkippedError extends SoftjacError {
  readonly code = "ERR_INPUTS_SKIPPED";
  override readonly exitCode = EXIT.badInput;
  readonly skippedInputs: readonly { input: string; error: string }[];
  constructor(
    readonly output: string,
    skipped: readonly { name: string; error: string }[],
    inputs: number,
  ) {
    const shown = firstItems(skipped, 3, ({ error }) => error);
    const what =
      skipped.length === inputs
        ? "no input has results, so there is nothing to publish"
        : `${count(skipped.length)} of ${numberOf(inputs, "input")} ${skipped.length === 1 ? "has" : "have"} no results; use --allow-missing to publish the others`;
    super(`${output}: ${what}: ${shown}`);
    this.skippedInputs = skipped.map(({ name: input, error }) => ({
      ...{ input, error },
    }));
  }
}

/** Error of a dataset that cannot be published because shards are missing. Compute them with `runShards` or `runDataset`. */
export class IncompleteError extends SoftjacError {
  readonly code = "ERR_INCOMPLETE";
  override readonly exitCode = EXIT.stopped;
  constructor(
    readonly output: string,
    /** Numbers of the missing shards, 0-based. */
    readonly missing: readonly number[],
    readonly shards: number,
  ) {
    super(
      `${output}: ${count(missing.length)} of ${numberOf(shards, "shard")} ${missing.length === 1 ? "is" : "are"} missing (${ranges(missing)}); compute them with softjac run-shard`,
    );
  }
}

/** Error of a published dataset whose shards are missing or differ from their records. `repair` recomputes them. */
export class DatasetDamagedError extends SoftjacError {
  readonly code = "ERR_DATASET_DAMAGED";
  override readonly exitCode = EXIT.badInput;
  constructor(
    readonly output: string,
    readonly damaged: readonly { file: string; problem: string }[],
    shards: number,
  ) {
    const shown = firstItems(damaged, 10, (d) => `${d.file} ${d.problem}`);
    super(
      `${output}: ${numberOf(damaged.length, "file")} of the published dataset of ${numberOf(shards, "shard")} ${damaged.length === 1 ? "is" : "are"} missing or damaged; use softjac run or run-shard with --repair to recompute them: ${shown}`,
    );
  }
}

/** Error of an output without a planned run. Call `planDataset` first, or check the path. */
export class PlanMissingError extends SoftjacError {
  readonly code = "ERR_PLAN_MISSING";
  override readonly exitCode = EXIT.inputMissing;
  constructor(readonly output: string) {
    super(`${output}: no run is planned; use softjac plan to plan one`);
  }
}

/** Error of shards that failed in every attempt of the workers of a queue. Call `submitDataset` to retry them. */
export class ShardsFailedError extends SoftjacError {
  readonly code = "ERR_SHARDS_FAILED";
  override readonly exitCode: number;
  constructor(
    readonly output: string,
    readonly failed: readonly { shard: number; file: string; error: string }[],
    readonly shards: number,
    /** Whether the inputs are the cause, so that a retry fails again. */
    readonly isInputError: boolean,
  ) {
    const shown = firstItems(failed, 3, (f) => `${f.file}: ${f.error}`);
    super(
      `${output}: ${count(failed.length)} of ${numberOf(shards, "shard")} failed; use softjac submit to retry them: ${shown}`,
    );
    this.exitCode = isInputError ? EXIT.badInput : EXIT.stopped;
  }
}

/** Error of a network service (S3, Redis) that does not answer or answers incorrectly after all retries. Retry later. */
export class ServiceUnavailableError extends LocatedError {
  readonly code = "ERR_SERVICE_UNAVAILABLE";
  override readonly exitCode = EXIT.unavailable;
}

/** Error of an environment that is contradictory or incomplete, or of an optional package that is not installed. */
export class ConfigurationError extends SoftjacError {
  readonly code = "ERR_CONFIGURATION";
  override readonly exitCode = EXIT.configuration;
}

/** Error of an output pipe whose reader has closed it. */
export class OutputClosedError extends LocatedError {
  readonly code = "ERR_OUTPUT_CLOSED";
  constructor(path: string, options?: ErrorOptions) {
    super(path, "the reader closed the pipe", options);
  }
}

/** Error of a worker thread that crashed, or of a bug in softjac. */
export class InternalError extends SoftjacError {
  readonly code = "ERR_INTERNAL";
}

/** Error of a worker thread that died, for example out of memory. A retry on other threads may help. */
export class WorkerError extends InternalError {}

function firstItems<Item>(
  items: readonly Item[],
  count: number,
  text: (item: Item) => string,
): string {
  const more = items.length > count ? ["…"] : [];
  return [...items.slice(0, count).map(text), ...more].join("; ");
}

/** Formats ascending whole numbers as at most eight ranges: 3, 7-9. */
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
