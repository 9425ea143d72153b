import { describeField, type Field } from "../arrow/field.js";
import {
  listedNumbers,
  type NumberColumn,
  singleNumbers,
} from "../input/number-column.js";
import { positionNames } from "../printable.js";
import { type InputUse, isEntriesLayout } from "../results/catalogue.js";
import {
  type ResultColumn,
  resultColumns,
  type TableColumn,
  tableColumns,
} from "../results/columns.js";
import { resultsOf } from "../results/emit-options.js";
import type { StoredRun } from "../results/run-metadata.js";
import type { IndexColumns } from "./stored-table.js";

/** Called for each column that is missing, or not as expected. */
type OnProblem = (text: string) => void;

/** Column that the metadata of an output implies. */
export interface OutputColumn extends TableColumn {
  /** Result in the column; null for the entries of blocks and the numbers about dropped entries. */
  result: ResultColumn | null;
  /** Whether a table row is a slab of the dense tensor: a block among zeros. */
  isSlab: boolean;
}

/** Expected column that the file has. */
export interface PresentColumn extends OutputColumn {
  stored: NumberColumn;
}

/** Returns the columns of results that emit and layout imply. @throws UsageError for a class that does not exist */
export function expectedColumns(
  run: StoredRun,
  inputs: readonly { option: InputUse; values: number }[],
): OutputColumn[] {
  const { emit, layout, dtype } = run;
  const results = resultColumns({ ...run, emit: resultsOf(emit), inputs });
  const columns = isEntriesLayout(layout)
    ? tableColumns(emit, layout, dtype, results)
    : results.map((result, n) => {
        const source = { kind: "result", n } as const;
        return { ...result, source };
      });
  return columns.map((column) => {
    const { source } = column;
    const result = source.kind === "result" ? results[source.n] : null;
    const isSlab = result ? result.listSize !== result.values : false;
    return { ...column, result: result ?? null, isSlab };
  });
}

export function findColumns(
  fields: readonly Field[],
  expected: readonly OutputColumn[],
  onProblem: OnProblem,
): PresentColumn[] {
  return expected.flatMap((column) => {
    const stored = findColumn(fields, column, onProblem);
    return stored ? [{ ...column, stored }] : [];
  });
}

/** Returns the names of the index columns and of the expected columns. */
export function resultNames(
  rowShape: StoredRun["rowShape"],
  expected: readonly OutputColumn[],
): string[] {
  return [...indexNames(rowShape), ...expected.map(({ name }) => name)];
}

function indexNames(rowShape: StoredRun["rowShape"]): string[] {
  return ["row", ...positionNames(rowShape?.slice(1) ?? [])];
}

/** Returns the index columns, `row` of int64 and positions of int32; null if one is missing. */
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

function findColumn(
  fields: readonly Field[],
  column: Pick<OutputColumn, "name" | "list" | "listSize"> & {
    type: OutputColumn["type"] | "int64";
  },
  onProblem: OnProblem,
): NumberColumn | null {
  const { name, type, list, listSize } = column;
  const expected = !list
    ? type
    : listSize === null
      ? `list<${type}>`
      : `fixed_size_list<${type}>[${listSize}]`;
  const indices = fields.flatMap((field, k) =>
    field.name === name ? [k] : [],
  );
  const index = indices[0] ?? -1;
  const field = fields[index];
  const found = field ? describeField(field) : "no such column";
  if (field && indices.length === 1 && found === expected)
    return (list ? listedNumbers : singleNumbers)(field, index);
  onProblem(
    `column ${name}: expected ${expected}, found ${indices.length > 1 ? `${indices.length} of that name` : found}`,
  );
  return null;
}
