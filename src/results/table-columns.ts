import {
  DROPPED,
  type DroppedName,
  type EntriesLayout,
  isDropped,
} from "./catalogue.js";
import { isJacobian, type ResultColumn } from "./columns.js";
import type { RunEmit } from "./emit-options.js";

/** A column of a table of entries, behind `row` and the kept ones. */
export interface TableColumn {
  name: string;
  type: "int32" | "float32" | "float64";
  /** Bytes per value. */
  width: 4 | 8;
  list: boolean;
  /** Values of a table row; null: the entries of an example (csr). */
  listSize: number | null;
  tensor: ResultColumn["tensor"];
  /** What stands in the slot for it. */
  source:
    | { kind: "position"; n: number }
    | { kind: "indices" | "columns" | "values" | "droppedMax" | "droppedSum" }
    | { kind: "result"; n: number };
}

/** Defaults of a column: one value of a table row. */
const SINGLE = { list: false, listSize: 1, tensor: null };
const INT32 = { ...SINGLE, type: "int32", width: 4 } as const;
const FLOAT64 = { ...SINGLE, type: "float64", width: 8 } as const;
const FLOAT32 = { ...SINGLE, type: "float32", width: 4 } as const;
const ENTRIES = { list: true, listSize: null };

/** Returns the columns in the order of the results; entries are where their block was named. */
export function tableColumns(
  emit: readonly RunEmit[],
  layout: EntriesLayout,
  dtype: "float32" | "float64",
  results: readonly ResultColumn[],
): TableColumn[] {
  const float = dtype === "float32" ? FLOAT32 : FLOAT64;
  return emit.flatMap((name): TableColumn[] => {
    if (isDropped(name)) return [droppedColumn(name)];
    if (!isJacobian(name)) {
      const n = results.findIndex((result) => result.name === name);
      const { type, width, list, listSize, tensor } = results[
        n
      ] as ResultColumn;
      const source = { kind: "result", n } as const;
      return [{ name, type, width, list, listSize, tensor, source }];
    }
    if (layout === "coo")
      return [
        { ...INT32, name: "i", source: { kind: "indices" } },
        { ...INT32, name: "j", source: { kind: "columns" } },
        { ...float, name: "value", source: { kind: "values" } },
      ];
    return [
      { ...INT32, ...ENTRIES, name: "indices", source: { kind: "indices" } },
      { ...float, ...ENTRIES, name: "values", source: { kind: "values" } },
      ...DROPPED.filter((other) => !emit.includes(other)).map(droppedColumn),
    ];
  });
}

function droppedColumn(name: DroppedName): TableColumn {
  const kind = name === "dropped_max" ? "droppedMax" : "droppedSum";
  return { ...FLOAT64, name, source: { kind } };
}

/** Returns the index columns after `row`. */
export function positionColumns(names: readonly string[]): TableColumn[] {
  return names.map((name, n) => ({
    ...INT32,
    name,
    source: { kind: "position", n },
  }));
}

/** Whether a column has one value per example: in coo it is repeated with each of its entries. */
export function isOfExample({
  source,
}: {
  source: { kind: TableColumn["source"]["kind"] };
}): boolean {
  return !["indices", "columns", "values"].includes(source.kind);
}
