import {
  InputUnsupportedError,
  LogitsColumnError,
  SoftjacError,
} from "../errors.js";
import { TemporaryFiles } from "../io/anonymous-file.js";
import type { LogitsEvent } from "../options/hooks.js";
import { shortName } from "../printable.js";
import { keyCount } from "../results/row-axes.js";
import { arrowContainer } from "./arrow-container.js";
import { locateLogits } from "./arrow-logits.js";
import { USE_BINARY } from "./candidates.js";
import { openInput } from "./input-file.js";
import { arraysOpener, inputFormat } from "./input-format.js";
import { InputRows } from "./input-rows.js";
import { interpreting } from "./interpreting.js";
import type { LogitsFile, Opening, OpenOptions } from "./logits-file.js";
import type { InputFile } from "./read-input.js";
import type { ArrowContainer } from "./record-batches.js";

/**
 * Opens an input (`-`: standard input) and validates its structure: afterwards, every byte range that a worker is given lies
 * inside the file and has the length that the schema implies.
 * @throws InputMissingError, PermissionError, InputFormatError, InputUnsupportedError, LogitsColumnError, IoError,
 * AbortedError
 */
export async function openLogits(
  path: string,
  options: OpenOptions,
): Promise<LogitsFile> {
  return logitsIn(await openInput(path, options), options);
}

/** Locates the logits in an open file; closes the file on failure, or with the logits. @throws as openLogits */
export function logitsIn(
  file: InputFile,
  options: OpenOptions,
): Promise<LogitsFile> {
  const temporary = new TemporaryFiles(options.scratch);
  const close = () => {
    temporary.close();
    file.close();
  };
  return interpreting(file.path, "structure", async () => {
    try {
      const located = await locateColumns(file, { ...options, temporary });
      const logits = { ...located, close };
      rejectLongAxes(logits);
      await rejectLabels(logits, options);
      return options.model?.over(logits) ?? logits;
    } catch (error) {
      close();
      throw error;
    }
  });
}

/** Rejects rows whose positions exceed int32 or whose keys (src/results/row-axes.ts) exceed 2^53. */
function rejectLongAxes({ path, column, leading }: LogitsFile): void {
  const isLong = leading.slice(1).some((length) => length > 2 ** 31 - 1);
  if (isLong || keyCount(leading) > Number.MAX_SAFE_INTEGER)
    throw new InputUnsupportedError(
      path,
      `column ${column}`,
      `expected at most 2^31 - 1 positions in each row and 2^53 in all, found axes of ${leading.join(" x ")}; reshape the logits to (rows, classes)`,
    );
}

async function locateColumns(
  file: InputFile,
  options: Opening,
): Promise<LogitsFile> {
  const format = inputFormat(file);
  const openArrays = await arraysOpener(format);
  if (openArrays) {
    const { locateArrays } = await import("./arrays/array-logits.js");
    return locateArrays(file, openArrays, options);
  }
  let container: ArrowContainer;
  if (format === "parquet") {
    const { parquetAsArrow } = await import("./parquet/parquet-as-arrow.js");
    container = await parquetAsArrow(file, options);
  } else container = arrowContainer(file, format, options);
  // Reports state the size of the file, not of a decoded copy.
  return { ...(await locateLogits(container, options)), bytes: file.bytes };
}

/** Limits of what is inspected; a row with more values is not. */
const MAX_ROWS = 1000;
const MAX_VALUES = 1 << 20;

/** Label that trainers ignore; it often pads labels and is never a logit. */
const IGNORED_LABEL = -100;

/** Maximum distance of a sum of probabilities from 1. */
const SUM_TOLERANCE = 1e-3;

/**
 * Rejects a column of integers that the user did not choose if its first rows contain -100.
 * @throws LogitsColumnError
 */
async function rejectLabels(
  logits: LogitsFile,
  { column, columns }: Pick<OpenOptions, "column" | "columns">,
): Promise<void> {
  const name = logits.selection.column;
  if (column !== undefined || columns !== undefined || name === undefined)
    return;
  if (logits.type.includes("float")) return;
  const row = rowOfLabels(logits, await firstRows(logits));
  if (row < 0) return;
  throw new LogitsColumnError(
    logits.path,
    `column ${shortName(name)} of ${logits.type} has ${IGNORED_LABEL} in row ${row}, which marks labels to ignore; if these are logits, choose them with --column`,
  );
}

/**
 * Returns a function that reports the logits of the first of several inputs as reportLogits does, and every warning about the
 * columns of the others once.
 * @param isModel whether the inputs have features instead of logits, so that only the warnings about their columns are reported
 */
export function logitsReporter(
  onEvent: ((event: LogitsEvent) => void) | undefined,
  isModel = false,
): (logits: LogitsFile) => Promise<void> {
  const reported = new Set<string>();
  let isFirst = true;
  return async (logits) => {
    const fresh = logits.notes.filter((note) => !reported.has(note));
    for (const note of fresh) reported.add(note);
    if (isFirst && !isModel) await reportLogits(logits, onEvent);
    else for (const message of fresh) onEvent?.({ event: "warning", message });
    isFirst = false;
  };
}

/** Reports which logits are used, and warns if their first rows look like probabilities or labels. */
export async function reportLogits(
  logits: LogitsFile,
  onEvent: ((event: LogitsEvent) => void) | undefined,
): Promise<void> {
  if (!onEvent) return;
  const { selection, classes, classNames, type, notes } = logits;
  onEvent({
    event: "logits",
    // Only an array may have no name.
    column:
      selection.column ??
      selection.columns ??
      (logits.column === "array" ? null : logits.column),
    classes,
    type,
    firstClass: classNames?.[0] ?? null,
    lastClass: classNames?.at(-1) ?? null,
  });
  const warn = (message: string) => onEvent({ event: "warning", message });
  notes.forEach(warn);
  if (classes === 1)
    warn(
      `${shortName(logits.column)}: with one class, every probability is 1 and every Jacobian 0; ${USE_BINARY}`,
    );
  // Rows of a remote file are not fetched before they are computed, and logits of a model are no probabilities.
  const rows = logits.present || logits.model ? [] : await firstRows(logits);
  if (classes > 1 && rows.length > 0 && rows.every(isProbabilities))
    warn(
      `${shortName(logits.column)}: the values of each of the first ${rows.length} rows are at least 0 and sum to 1; these look like probabilities, and softmax expects logits`,
    );
  if (selection.column === undefined && rowOfLabels(logits, rows) >= 0)
    warn(
      `${shortName(logits.column)}: values of ${IGNORED_LABEL} among ${type} look like labels to ignore, and softmax expects logits`,
    );
}

/** Returns the first row of integers that contains -100, or -1. */
function rowOfLabels(
  { type }: LogitsFile,
  rows: readonly Float64Array[],
): number {
  if (type.includes("float")) return -1;
  return rows.findIndex((row) => row.includes(IGNORED_LABEL));
}

function isProbabilities(row: Float64Array): boolean {
  const sum = row.reduce((a, b) => a + b, 0);
  return row.every((x) => x >= 0) && Math.abs(sum - 1) <= SUM_TOLERANCE;
}

/** Reads the first rows; returns none on an input error, which the run will report with its position. @throws MissingRangesError */
async function firstRows(logits: LogitsFile): Promise<Float64Array[]> {
  const most = Math.floor(MAX_VALUES / logits.classes);
  const count = Math.min(logits.rows, MAX_ROWS, most);
  // The other sources may have far more values per row than the logits.
  const sources = logits.sources.slice(0, 1);
  const input = new InputRows({ ...logits, sources });
  try {
    await input.load(0, count);
  } catch (error) {
    if (error instanceof SoftjacError) return [];
    throw error;
  }
  return Array.from({ length: count }, (_, row) => input.values(row, 0));
}
