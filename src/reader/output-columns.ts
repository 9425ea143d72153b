import { describeField, type Field } from "../arrow/field.js";
import {
  listedNumbers,
  type NumberColumn,
  singleNumbers,
} from "../input/number-column.js";
import { positionNames, shortName } from "../printable.js";
import {
  type AuxiliaryName,
  currentName,
  isEntriesLayout,
} from "../results/catalogue.js";
import { type ResultColumn, resultColumns } from "../results/columns.js";
import { resultsOf } from "../results/emit-options.js";
import type { StoredRun } from "../results/run-metadata.js";
import { type TableColumn, tableColumns } from "../results/table-columns.js";
import type { IndexColumns } from "./stored-table.js";

/** Is called for each column that is not as it should be. */
type OnProblem = (text: string) => void;

/** A column that the run must have written. */
export interface OutputColumn
  extends Pick<TableColumn, "name" | "type" | "list" | "listSize" | "source"> {
  /** The result that it has; null for entries of blocks and numbers about dropped ones. */
  result: ResultColumn | null;
  /** Whether a table row is a slab of the dense tensor: all of its values but a block are 0. */
  isSlab: boolean;
}

/** A column that is there as it should be. */
export interface FoundColumn extends OutputColumn {
  stored: NumberColumn;
}

/** Returns the columns after `row` that emit and layout imply. @throws UsageError for a class that is not there */
export function expectedColumns(
  run: StoredRun,
  inputs: readonly { option: AuxiliaryName; values: number }[],
): OutputColumn[] {
  const { emit, layout, dtype } = run;
  const results = resultColumns({ ...run, emit: resultsOf(emit), inputs });
  const columns = isEntriesLayout(layout)
    ? tableColumns(emit, layout, dtype, results)
    : results.map((result, n) => {
        const source = { kind: "result", n } as const;
        return { ...result, source };
      });
  return columns.map(({ name, type, list, listSize, source }) => {
    const result = source.kind === "result" ? results[source.n] : null;
    const isSlab = result ? result.listSize !== result.values : false;
    const own = { name, type, list, listSize, source };
    return { ...own, result: result ?? null, isSlab };
  });
}

/** Returns those of the expected columns that the file has. */
export function findColumns(
  fields: readonly Field[],
  expected: readonly OutputColumn[],
  onProblem: OnProblem,
): FoundColumn[] {
  return expected.flatMap((column) => {
    const stored = findColumn(fields, column, onProblem);
    return stored ? [{ ...column, stored }] : [];
  });
}

/**
 * Names of the columns that are no results: copies of the input's, whose values only a comparison of bytes looks at. One
 * that the metadata does not list is a finding.
 */
export function otherColumns(
  fields: readonly Field[],
  expected: readonly OutputColumn[],
  { keep = [], onBadRow, rowShape }: StoredRun,
  onProblem: OnProblem,
): string[] {
  const own = [...indexNames(rowShape), ...expected.map(({ name }) => name)];
  const others = fields
    .map(({ name }) => name)
    .filter((name) => !own.some((result) => holdsResult(fields, name, result)));
  // Files of version 0.1.0, which have no such key, do not list their copies.
  if (onBadRow !== undefined)
    for (const name of others)
      if (!keep.includes(name))
        onProblem(
          `column ${shortName(name)}: the column is listed neither in softjac.emit nor in softjac.keep`,
        );
  return others;
}

/** Returns the names of the index columns: `row`, then the positions. */
export function indexNames(rowShape: StoredRun["rowShape"]): string[] {
  return ["row", ...positionNames(rowShape?.slice(1) ?? [])];
}

/** The index columns: `row` of int64, positions of int32; null if one is missing. */
export function findIndexColumns(
  fields: readonly Field[],
  { rowShape }: StoredRun,
  onProblem: OnProblem,
): IndexColumns | null {
  const index = indexNames(rowShape).flatMap((name, n) => {
    const type = n === 0 ? "int64" : "int32";
    const column = { name, type, list: false, listSize: 1 } as const;
    return findColumn(fields, column, onProblem) ?? [];
  });
  const inner = rowShape?.slice(1) ?? [];
  return index.length === 1 + inner.length ? { index, inner } : null;
}

/** Whether a column holds a result: it has its name, or in an old file, which has none of that name, its old name. */
function holdsResult(
  fields: readonly Field[],
  column: string,
  result: string,
): boolean {
  if (column === result) return true;
  return (
    currentName(column) === result &&
    !fields.some(({ name }) => name === result)
  );
}

function findColumn(
  fields: readonly Field[],
  column: {
    name: string;
    type: OutputColumn["type"] | "int64";
    list: boolean;
    listSize: number | null;
  },
  onProblem: OnProblem,
): NumberColumn | null {
  const { name, type, list, listSize } = column;
  const expected = !list
    ? type
    : listSize === null
      ? `list<${type}>`
      : `fixed_size_list<${type}>[${listSize}]`;
  const places = fields.flatMap((field, k) =>
    holdsResult(fields, field.name, name) ? [k] : [],
  );
  const place = places[0] ?? -1;
  const field = fields[place];
  const found = field ? describeField(field) : "no such column";
  if (field && places.length === 1 && found === expected)
    return (list ? listedNumbers : singleNumbers)(field, place, "any");
  onProblem(
    `column ${name}: expected ${expected}, found ${places.length > 1 ? `${places.length} of that name` : found}`,
  );
  return null;
}
