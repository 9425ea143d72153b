import { resolve } from "../check-options.js";
import { RowMissingError } from "../errors.js";
import { whileUnchanged } from "../input/input-state.js";
import { interpreting } from "../input/interpreting.js";
import type { Example } from "../reader/example.js";
import { blockOfP } from "../reader/factors.js";
import { findResults } from "../reader/find-results.js";
import { KeptValues } from "../reader/kept-values.js";
import { openJacobian } from "../reader/open-jacobian.js";
import { openResultsPart, type ResultsPart } from "../reader/results-part.js";
import { isEntriesLayout } from "../results/catalogue.js";
import {
  checkPositions,
  indexOfKey,
  keyOfIndex,
  nameOfKey,
  rowOfKey,
} from "../results/row-axes.js";
import { findParts } from "./find-part.js";
import type { ShownRow } from "./shown-row.js";

/** Options of `show`. Only `results` and `row` are required. */
export interface ShowOptions {
  /** Path of an output file, or of the directory of a dataset. */
  results: string;
  /** Row of the input, 0-based. */
  row: number;
  /** Positions of the row along further axes, 0-based; required for an output with columns of positions. */
  position?: readonly number[] | undefined;
  /** Input of the row, as the dataset names it; required for a dataset of several inputs. */
  input?: string | undefined;
  /** Maximum number of classes to return, by decreasing p; default: 100. */
  classes?: number | undefined;
}

/** More classes than that are too many to look at. */
const DEFAULT_CLASSES = 100;

/**
 * Returns one row of an output: its copied columns, p and the block, limited to the classes with the largest p. Reads only
 * that row.
 *
 * @throws UsageError for an invalid option; RowMissingError for a row that the output does not have; InputMissingError,
 * InputFormatError, IoError
 */
export async function show(options: ShowOptions): Promise<ShownRow> {
  resolve("show", options);
  const { results, row, position = [], classes = DEFAULT_CLASSES } = options;
  const parts = findParts(
    findResults(results),
    row,
    position.length > 0,
    options.input,
  );
  let missing: RowMissingError | null = null;
  for (const { path, input } of parts) {
    const shown = await whileUnchanged([path], async () => {
      const part = await openResultsPart(path);
      try {
        checkPositions(path, part.inner, position);
        const key = keyOfIndex(part.inner, [row, ...position]);
        const example = await part.find(key);
        const isLast = path === parts.at(-1)?.path;
        if (!example && !(part.run.layout === "coo" && isLast)) {
          missing ??= rowMissing(part, row, position);
          return null;
        }
        return await interpreting(path, nameOfKey(part.inner, key), () =>
          shownOf(part, key, { input, example, most: classes }),
        );
      } finally {
        await part.close();
      }
    });
    if (shown) return shown;
  }
  throw missing;
}

function rowMissing(
  { path, run, inner }: ResultsPart,
  row: number,
  position: readonly number[],
): RowMissingError {
  const { rows } = run;
  return new RowMissingError(
    path,
    [row, ...position],
    row < rows || inner.length > 0
      ? "no results in this file: the row was skipped, or is in another shard"
      : `the output has rows 0 to ${rows - 1}`,
  );
}

async function shownOf(
  part: ResultsPart,
  key: number,
  found: { input: string | null; example: Example | null; most: number },
): Promise<ShownRow> {
  const { path, run, inner } = part;
  const [row = key, ...positions] = indexOfKey(inner, key);
  const { example, input, most } = found;
  const p = example?.p ? Array.from(example.p) : null;
  const shown = shownClasses(p, run.classes, most);
  const isNull = example?.isNull ?? false;
  const uncertainty = example?.uncertainty ?? Number.NaN;
  const ofP = p && shown.map((k) => p[k] as number);
  return {
    path,
    row,
    positions,
    input,
    rows: run.rows,
    classes: run.classes,
    layout: run.layout,
    dtype: run.dtype,
    temperature: run.temperature,
    columns: example ? columnsOf(part, example) : [],
    isNull,
    uncertainty: Number.isNaN(uncertainty) ? null : uncertainty,
    shown,
    p: ofP,
    restOfP: ofP && sumOfOthers(p, shown),
    ...(isNull
      ? { result: null, blockFrom: null, block: null }
      : await blockOf(part, key, { shown, p: ofP, example })),
  };
}

/** All in order, or those of the largest p, the largest first; where p is not known the first. */
function shownClasses(
  p: readonly number[] | null,
  classes: number,
  most: number,
): number[] {
  const all = Array.from({ length: classes }, (_, k) => k);
  if (classes <= most) return all;
  if (p) all.sort((a, b) => (p[b] as number) - (p[a] as number) || a - b);
  return all.slice(0, most);
}

function sumOfOthers(p: readonly number[], shown: readonly number[]): number {
  const isShown = new Set(shown);
  return p.reduce((sum, x, k) => (isShown.has(k) ? sum : sum + x), 0);
}

/** Kept columns and results of one value. */
function columnsOf(
  { file, copiedColumns, run }: ResultsPart,
  { batch, k }: Example,
): ShownRow["columns"] {
  const ofBlocks = ["row", "i", "j", "value"];
  const single = file.schema.fields.flatMap(
    ({ name, type, children }, place) =>
      (run.emit.some((emit) => emit === name) || /^dropped_/.test(name)) &&
      children.length === 0 &&
      type.kind !== "FixedSizeList" &&
      !ofBlocks.includes(name)
        ? [{ name, place }]
        : [],
  );
  const columns = [...copiedColumns, ...single];
  const places = columns.map(({ place }) => place);
  const values = new KeptValues(file, places).read(batch, k);
  return columns.map(({ name }, n) => ({ name, value: values[n] ?? null }));
}

async function blockOf(
  { path, run, inner }: ResultsPart,
  key: number,
  {
    shown,
    p,
    example,
  }: { shown: number[]; p: number[] | null; example: Example | null },
): Promise<Pick<ShownRow, "result" | "blockFrom" | "block">> {
  const result = run.emit.includes("jacobian")
    ? "jacobian"
    : run.emit.includes("log_jacobian")
      ? "log_jacobian"
      : null;
  if (!result) {
    const { winner, uncertainty } = example ?? {
      winner: -1,
      uncertainty: Number.NaN,
    };
    const made = blockOfP(
      { p, classes: shown, winner, uncertainty },
      run.temperature,
    );
    return made
      ? {
          result: "jacobian",
          blockFrom: "p",
          block: rowsOf(made, shown.length, false),
        }
      : { result: null, blockFrom: null, block: null };
  }
  const reader = await openJacobian(path, { result });
  try {
    const part = await reader.part(rowOfKey(inner, key), shown);
    const leavesOut = isEntriesLayout(run.layout);
    const block = part && rowsOf(part, shown.length, leavesOut);
    return { result, blockFrom: block ? "output" : null, block };
  } finally {
    await reader.close();
  }
}

/** Entries that a layout of entries does not have are null: left out, or 0. */
function rowsOf(
  block: Float64Array,
  classes: number,
  leavesOut: boolean,
): (number | null)[][] {
  return Array.from({ length: classes }, (_, a) =>
    Array.from(block.subarray(a * classes, (a + 1) * classes), (value) =>
      leavesOut && value === 0 ? null : value,
    ),
  );
}
