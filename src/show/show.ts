import { RowMissingError, UsageError } from "../errors.js";
import { whileUnchanged } from "../input/input-state.js";
import { interpreting } from "../input/interpreting.js";
import { resolve } from "../options/check-options.js";
import type { OptionsOf } from "../options/options-table.js";
import { shortList } from "../printable.js";
import { copiedValues } from "../reader/copied-values.js";
import type { Example } from "../reader/example-decoder.js";
import type { BlockResult } from "../reader/read-block.js";
import { openResultsFile, type ResultsFile } from "../reader/results-file.js";
import { isEntriesLayout, type Layout } from "../results/catalogue.js";
import {
  checkPositions,
  indexOfKey,
  keyOfIndex,
  nameOfKey,
  rowOfKey,
} from "../results/row-axes.js";
import { type FoundResults, findResults } from "./find-results.js";

/** Options of `show`. Only `results` and `row` are required. */
export interface ShowOptions extends OptionsOf<"show"> {}

/** One row of an output. */
export interface ShownRow {
  /** Path of the file, or of the shard of a dataset. */
  path: string;
  row: number;
  /** Positions of the row along further axes; empty for rows of one axis. */
  positions: readonly number[];
  /** Input of the row in a dataset; null for a file. */
  input: string | null;
  /** Number of rows and classes of the logits. */
  rows: number;
  classes: number;
  layout: Layout;
  dtype: "float32" | "float64";
  temperature: number;
  /** Copied columns and results with one value, as text. */
  columns: { name: string; value: string | null }[];
  /** Whether the row is a bad row, without results. */
  isNull: boolean;
  /** Uncertainty 1 - max p, without cancellation; null if the output does not determine it. */
  uncertainty: number | null;
  /** Classes of `p` and `block`: all in order, or those with the largest p in decreasing order. */
  shown: number[];
  /** Probabilities of the shown classes, `[shown]`; null if the output does not determine them. */
  p: number[] | null;
  /** Sum of p over the classes that are not shown. */
  restOfP: number | null;
  /** Function whose block is shown. */
  result: BlockResult | null;
  /** Origin of the block: stored in the output, or computed from p. */
  blockFrom: "output" | "p" | null;
  /** Block of the shown classes, `[shown, shown]`: i is the input, j the output; null for an entry that is not stored. */
  block: (number | null)[][] | null;
}

const DEFAULT_CLASSES = 100;

/**
 * Returns one row of an output: its copied columns, p and the block of the classes with the largest p. Reads only that row.
 *
 * @throws UsageError for an invalid option; RowMissingError for a row that the output does not have; InputMissingError,
 * InputFormatError, IoError
 */
export async function show(options: ShowOptions): Promise<ShownRow> {
  resolve("show", options);
  const { results, row, position = [], classes = DEFAULT_CLASSES } = options;
  const files = findFiles(findResults(results), options);
  let missing: RowMissingError | null = null;
  for (const { path, input } of files) {
    const shown = await whileUnchanged([path], async () => {
      const file = await openResultsFile(path);
      try {
        checkPositions(path, file.inner, position);
        const key = keyOfIndex(file.inner, [row, ...position]);
        const example = await file.find(key);
        const isLast = path === files.at(-1)?.path;
        if (!example && !(file.run.layout === "coo" && isLast)) {
          const { rows } = file.run;
          const reason =
            row < rows || file.inner.length > 0
              ? "no results in this file: the row was skipped, or is in another shard"
              : rows === 0
                ? "the output has no rows"
                : `the output has rows 0 to ${rows - 1}`;
          missing ??= new RowMissingError(path, [row, ...position], reason);
          return null;
        }
        return await interpreting(path, nameOfKey(file.inner, key), () =>
          shownRow(file, key, example, input, classes),
        );
      } finally {
        await file.close();
      }
    });
    if (shown) return shown;
  }
  throw missing;
}

/** Finds the files that may contain a row: one file, or for a row with positions all shards of its input. */
function findFiles(
  { path, parts, manifest }: FoundResults,
  { row, position = [], input }: ShowOptions,
): FoundResults["parts"] {
  if (!manifest && input === undefined) return parts;
  if (!manifest)
    throw new UsageError(
      `input: only a dataset has several inputs; ${path} is a file`,
    );
  const names = manifest.inputs.map(({ name }) => name);
  const wanted = input ?? (names.length === 1 ? names[0] : undefined);
  const inputIndex = names.indexOf(wanted ?? "");
  if (inputIndex < 0)
    throw new UsageError(
      input === undefined
        ? `input: ${path} has several inputs; name one of ${shortList(names)}`
        : `input: expected one of the inputs of ${path} (${shortList(names)}), found ${input}`,
      "input",
    );
  const shards = parts.filter((_, n) => {
    const shard = manifest.parts[n];
    const isInside = shard && shard.rowStart <= row && row < shard.rowEnd;
    return shard?.input === inputIndex && (position.length > 0 || isInside);
  });
  if (shards.length > 0) return shards;
  const reason = `${wanted} has only ${manifest.inputs[inputIndex]?.rows} rows`;
  throw new RowMissingError(path, row, reason);
}

/** @param example null for a row of coo without entries */
async function shownRow(
  file: ResultsFile,
  key: number,
  example: Example | null,
  input: string | null,
  maxClasses: number,
): Promise<ShownRow> {
  const { path, run, inner } = file;
  const { rows, classes, layout, dtype, temperature } = run;
  const [row = key, ...positions] = indexOfKey(inner, key);
  const all = example?.p ? Array.from(example.p) : null;
  const shown = shownClasses(all, classes, maxClasses);
  const isShown = new Set(shown);
  const isNull = example?.isNull ?? false;
  const uncertainty = example?.uncertainty ?? Number.NaN;
  const p = all && shown.map((k) => all[k] as number);
  const restOfP =
    all?.reduce((sum, x, k) => (isShown.has(k) ? sum : sum + x), 0) ?? null;
  return {
    ...{ path, row, positions, input },
    ...{ rows, classes, layout, dtype, temperature },
    columns: example ? columnsOf(file, example) : [],
    isNull,
    uncertainty: Number.isNaN(uncertainty) ? null : uncertainty,
    ...{ shown, p, restOfP },
    ...(isNull
      ? { result: null, blockFrom: null, block: null }
      : await blockOf(file, key, shown, example)),
  };
}

/** Returns all classes in order, or the `max` ones with the largest p, the first ones if p is unknown. */
function shownClasses(
  p: readonly number[] | null,
  classes: number,
  max: number,
): number[] {
  const all = Array.from({ length: classes }, (_, k) => k);
  if (classes <= max) return all;
  if (p) all.sort((a, b) => (p[b] as number) - (p[a] as number) || a - b);
  return all.slice(0, max);
}

/** Returns the copied columns, and the results with one value per row. */
function columnsOf(
  { file, copiedColumns, run }: ResultsFile,
  { batch, k }: Example,
): ShownRow["columns"] {
  const single = file.schema.fields.flatMap(
    ({ name, type, children }, columnIndex) =>
      (run.emit.some((emit) => emit === name) || /^dropped_/.test(name)) &&
      children.length === 0 &&
      type.kind !== "FixedSizeList"
        ? [{ name, columnIndex }]
        : [],
  );
  const columns = [...copiedColumns, ...single];
  const indices = columns.map(({ columnIndex }) => columnIndex);
  const values = copiedValues(file, indices)(batch, k);
  return columns.map(({ name }, n) => ({ name, value: values[n] ?? null }));
}

async function blockOf(
  file: ResultsFile,
  key: number,
  shown: readonly number[],
  example: Example | null,
): Promise<Pick<ShownRow, "result" | "blockFrom" | "block">> {
  const { emit, layout } = file.run;
  const result = (["jacobian", "log_jacobian"] as const).find((name) =>
    emit.includes(name),
  );
  if (!result) {
    const entry = example?.entry;
    if (!entry) return { result: null, blockFrom: null, block: null };
    const block = shown.map((i) => shown.map((j) => entry(i, j)));
    return { result: "jacobian", blockFrom: "p", block };
  }
  const reader = await file.openBlocks(result);
  const block = await reader.part(rowOfKey(file.inner, key), shown);
  // Zeros of csr and coo are entries that are not stored.
  const shownEntry = (i: number, j: number) => {
    const value = block?.[i * shown.length + j] as number;
    return isEntriesLayout(layout) && value === 0 ? null : value;
  };
  return {
    result,
    blockFrom: block && "output",
    block: block && shown.map((_, i) => shown.map((_, j) => shownEntry(i, j))),
  };
}
