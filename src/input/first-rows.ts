import { LogitsColumnError, SoftjacError } from "../errors.js";
import type { LogitsEvent } from "../options/hooks.js";
import { shortName } from "../printable.js";
import { USE_BINARY } from "./candidates.js";
import { InputRows } from "./input-rows.js";
import type { LogitsFile, OpenOptions } from "./logits-file.js";

/** Rows and values that are looked at, at most; rows of more classes are not. */
const ROWS = 1000;
const VALUES = 1 << 20;

/** Label that trainers ignore: never a logit, often a padding of labels. */
const IGNORED_LABEL = -100;

/** How far the sum of a row of probabilities may be from 1. */
const SUM_TOLERANCE = 1e-3;

/**
 * Refuses integers that were not chosen by --column where one of their first rows has a value of -100.
 * @throws LogitsColumnError
 */
export async function rejectLabels(
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

/** Reports which logits are used, and whether their first rows look like something else. */
export async function reportLogits(
  logits: LogitsFile,
  onEvent: ((event: LogitsEvent) => void) | undefined,
): Promise<void> {
  if (!onEvent) return;
  const { selection, classes, classNames, type, notes } = logits;
  onEvent({
    event: "logits",
    column: selection.column ?? selection.columns ?? null,
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
  // Of an object, rows are fetched when they are computed.
  const rows = logits.present ? [] : await firstRows(logits);
  if (classes > 1 && rows.length > 0 && rows.every(isProbabilities))
    warn(
      `${shortName(logits.column)}: the values of each of the first ${rows.length} rows are at least 0 and sum to 1; these look like probabilities, and softmax expects logits`,
    );
  if (selection.column === undefined && rowOfLabels(logits, rows) >= 0)
    warn(
      `${shortName(logits.column)}: values of ${IGNORED_LABEL} among ${type} look like labels to ignore, and softmax expects logits`,
    );
}

/** The first of the first rows of integers with a value of -100; -1: none. */
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

/** Rows that cannot be read are left to the run, which says where they are. @throws MissingRangesError */
async function firstRows(logits: LogitsFile): Promise<Float64Array[]> {
  const count = Math.min(
    logits.rows,
    ROWS,
    Math.floor(VALUES / logits.classes),
  );
  const input = new InputRows({ ...logits, inputs: [] });
  try {
    await input.load(0, count);
  } catch (error) {
    if (error instanceof SoftjacError) return [];
    throw error;
  }
  return Array.from({ length: count }, (_, row) => input.values(row, 0));
}
