import { DROPPED, type EntriesLayout, isDropped } from "./catalogue.js";
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

/** The columns, in the order in which the results were asked for: entries stand where their block was named. */
export function tableColumns(
  emit: readonly RunEmit[],
  layout: EntriesLayout,
  dtype: "float32" | "float64",
  results: readonly ResultColumn[],
): TableColumn[] {
  const width = dtype === "float32" ? 4 : 8;
  const columns: TableColumn[] = [];
  const add = (
    name: string,
    source: TableColumn["source"],
    like: Partial<TableColumn> = {},
  ) =>
    columns.push({
      name,
      type: dtype,
      width,
      list: false,
      listSize: 1,
      tensor: null,
      ...like,
      source,
    });
  const whole = { type: "int32", width: 4 } as const;
  const entries = { list: true, listSize: null };
  const addDropped = (name: (typeof DROPPED)[number]) =>
    add(
      name,
      { kind: name === "dropped_max" ? "droppedMax" : "droppedSum" },
      { type: "float64", width: 8 },
    );
  for (const name of emit) {
    if (isDropped(name)) addDropped(name);
    else if (!isJacobian(name)) {
      const n = results.findIndex((result) => result.name === name);
      add(name, { kind: "result", n }, pick(results[n] as ResultColumn));
    } else if (layout === "coo") {
      add("i", { kind: "indices" }, whole);
      add("j", { kind: "columns" }, whole);
      add("value", { kind: "values" });
    } else {
      add("indices", { kind: "indices" }, { ...whole, ...entries });
      add("values", { kind: "values" }, entries);
      for (const other of DROPPED) if (!emit.includes(other)) addDropped(other);
    }
  }
  return columns;
}

function pick({ type, width, list, listSize, tensor }: ResultColumn) {
  return { type, width, list, listSize, tensor };
}

/** The index columns after `row`. */
export function positionColumns(names: readonly string[]): TableColumn[] {
  return names.map((name, n) => ({
    name,
    type: "int32",
    width: 4,
    list: false,
    listSize: 1,
    tensor: null,
    source: { kind: "position", n },
  }));
}

/** Columns of an example's own values: in coo they are repeated with each of its entries. */
export function isOfExample({
  source,
}: {
  source: { kind: TableColumn["source"]["kind"] };
}): boolean {
  return (
    source.kind === "position" ||
    source.kind === "result" ||
    source.kind === "droppedMax" ||
    source.kind === "droppedSum"
  );
}
