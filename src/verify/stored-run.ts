import { InputFormatError, UsageError } from "../errors.js";
import {
  type FileMetadata,
  readFileMetadata,
} from "../reader/file-metadata.js";
import {
  EMIT_NAMES,
  isDropped,
  isEntriesLayout,
  type Layout,
} from "../results/catalogue.js";
import { checkEmit, type RunEmit } from "../results/emit-options.js";

/** The run that a file of results comes from, as its metadata has it. */
export interface StoredRun {
  layout: Layout;
  emit: readonly RunEmit[];
  rows: number;
  /** Those that the file is about: all, or a dataset's part. */
  rowStart: number;
  rowEnd: number;
  classes: number;
  dtype: "float32" | "float64";
  temperature: number;
  threshold: number;
  /** 0: all. */
  topK: number;
  class: number | undefined;
}

const REQUIRED = [
  "layout",
  "emit",
  "rows",
  "classes",
  "dtype",
  "temperature",
  "threshold",
];

/**
 * The run of an output of softjac.
 * @throws InputFormatError where a key is missing, or says what cannot be
 */
export function readStoredRun(
  path: string,
  pairs: readonly [key: string, value: string][],
): StoredRun {
  const found = new Map(pairs);
  const missing = REQUIRED.find((key) => !found.has(`softjac.${key}`));
  const fail = (text: string) => new InputFormatError(path, "metadata", text);
  if (missing)
    throw fail(
      `expected softjac.${missing} as softjac writes it, found no such key`,
    );
  const known = readFileMetadata(path, pairs);
  const whole = (key: string, least: number): number | undefined => {
    const text = found.get(`softjac.${key}`);
    if (text === undefined) return undefined;
    if (!/^\d{1,15}$/.test(text) || Number(text) < least)
      throw fail(
        `expected a whole number from ${least} as softjac.${key}, found ${JSON.stringify(text)}`,
      );
    return Number(text);
  };
  const emit = (known.emit ?? []).map((name): RunEmit => {
    const result = EMIT_NAMES.find((other) => other === name);
    if (result) return result;
    if (isDropped(name)) return name;
    throw fail(
      `expected names of results as softjac.emit, found ${JSON.stringify(name)}`,
    );
  });
  const layout = known.layout ?? "bsr";
  checkTogether(emit, layout, fail);
  return {
    layout,
    emit,
    rows: known.rows as number,
    ...partOf(known, fail),
    classes: known.classes as number,
    dtype: known.dtype as "float32" | "float64",
    temperature: known.temperature as number,
    threshold: known.threshold as number,
    topK: isEntriesLayout(layout) ? (whole("top_k", 1) ?? 0) : 0,
    class: whole("class", 0),
  };
}

function partOf(
  { rows = 0, row_start: rowStart = 0, row_end: rowEnd = rows }: FileMetadata,
  fail: (text: string) => InputFormatError,
): { rowStart: number; rowEnd: number } {
  if (rowStart > rowEnd || rowEnd > rows)
    throw fail(
      `expected a part of the ${rows} rows as softjac.row_start and softjac.row_end, found ${rowStart} and ${rowEnd}`,
    );
  return { rowStart, rowEnd };
}

/** Names of inputs are the caller's: what is wrong with them is no damage of the file. */
function checkTogether(
  emit: readonly RunEmit[],
  layout: Layout,
  fail: (text: string) => InputFormatError,
): void {
  try {
    checkEmit(emit, layout, {});
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (error.option === "emit" || error.option === "layout")
      throw fail(error.message);
  }
}
