import {
  DROPPED,
  type DroppedName,
  type EntriesLayout,
  isDropped,
} from "./catalogue.js";
import { isJacobian, type ResultColumn } from "./columns.js";
import type { RunEmit } from "./emit-options.js";

/** Column of a csr or coo table, after `row` and the copied columns. */
export interface TableColumn {
  name: string;
  type: "int32" | "float32" | "float64";
  /** Bytes per value. */
  width: 4 | 8;
  list: boolean;
  /** Values per table row; null for the entries of an example (csr). */
  listSize: number | null;
  tensor: ResultColumn["tensor"];
  /** Source of the values in the slot. */
  source:
    | { kind: "position"; n: number }
    | { kind: "indices" | "columns" | "values" | "droppedMax" | "droppedSum" }
    | { kind: "result"; n: number };
}

const SINGLE = { list: false, listSize: 1, tensor: null };
const INT32 = { ...SINGLE, type: "int32", width: 4 } as const;
const FLOAT64 = { ...SINGLE, type: "float64", width: 8 } as const;
const FLOAT32 = { ...SINGLE, type: "float32", width: 4 } as const;
const ENTRIES = { list: true, listSize: null };

/** Returns the columns in the order of `emit`; entries take the place of their block. */
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

/** Whether a column has one value per example, which coo repeats for each entry. */
export function isPerExample({
  source,
}: {
  source: { kind: TableColumn["source"]["kind"] };
}): boolean {
  return !["indices", "columns", "values"].includes(source.kind);
}
