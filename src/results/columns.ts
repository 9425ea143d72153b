import { UsageError } from "../errors.js";
import * as code from "../kernels/portable/codes.js";
import {
  DROPPED,
  type DroppedName,
  EMITS,
  type EmitName,
  type EntriesLayout,
  type InputUse,
  isDropped,
  isEntriesLayout,
  isJacobian,
  type Layout,
  valuesOf,
} from "./catalogue.js";
import type { RunEmit } from "./emit-options.js";

/** Result column of the output table. */
export type ResultColumn = ReturnType<typeof resultColumn>;

interface ResultOptions {
  emit: readonly EmitName[];
  layout: Layout;
  dtype: "float32" | "float64";
  /** Class of `column` for all rows. */
  class: number | undefined;
  classNames?: readonly string[] | undefined;
  rows: number;
  classes: number;
  /** Auxiliary input columns and their values per row. */
  inputs: readonly { option: InputUse; values: number }[];
}

/**
 * Returns the result columns of fixed size, in order. `factored` has softmax, argmax and tail in place of a block; the
 * entries of `csr` and `coo` are excluded.
 * @throws UsageError for a class out of range, and for a wrong number of class names
 */
export function resultColumns(options: ResultOptions): ResultColumn[] {
  const { emit, layout, classes } = options;
  const columns: ResultColumn[] = [];
  const add = (column: ResultColumn) => {
    if (!columns.some(({ name }) => name === column.name)) columns.push(column);
  };
  for (const name of emit) {
    if (isJacobian(name) && isEntriesLayout(layout)) continue;
    if (isJacobian(name) && layout === "factored") {
      for (const factor of ["softmax", "argmax", "tail"] as const)
        add(resultColumn(factor, options));
    } else add(resultColumn(name, options));
  }
  if (options.class !== undefined && options.class >= classes)
    throw new UsageError(
      `class: expected a class from 0 to ${classes - 1}, found ${options.class}`,
    );
  checkClassNames(options.classNames, classes);
  return columns;
}

/** Checks that there is one name for each class. @throws UsageError */
export function checkClassNames(
  names: readonly string[] | null | undefined,
  classes: number,
): void {
  if (names && names.length !== classes)
    throw new UsageError(
      `classNames: expected ${classes} names, one per class, found ${names.length}; write \\, for a comma in a name`,
    );
}

function resultColumn(name: EmitName, options: ResultOptions) {
  const { classes, dtype, layout, inputs, rows } = options;
  const spec = EMITS[name];
  const packed = name === "jacobian" && layout === "packed";
  const values = packed
    ? (classes * (classes + 1)) / 2
    : { scalar: 1, vector: classes, block: classes * classes }[spec.shape];
  const dense = isJacobian(name) && layout === "dense";
  const input = inputs.findIndex(({ option }) => option === spec.input);
  const isBlock = spec.shape === "block";
  // The tail that blocks are rebuilt from is float64, because in float32 the tails of very confident rows underflow to 0.
  const isFactor =
    name === "tail" && layout === "factored" && options.emit.some(isJacobian);
  const type: "float32" | "float64" | "int32" =
    "type" in spec ? spec.type : isFactor ? "float64" : dtype;
  const width: 4 | 8 = type === "float64" ? 8 : 4;
  /** Storage of a block: full rows (square), or rows from the diagonal on (triangle); null for other results. */
  const block = isBlock ? (packed ? "triangle" : "square") : null;
  return {
    name: name as string,
    code: packed ? code.PACKED : spec.code,
    /** Class of `column`, or storage of a covariance (see `covarianceStorage`); else -1. */
    param:
      name === "column" && options.class !== undefined
        ? options.class
        : spec.input === "covariance"
          ? covarianceStorage(classes, inputs[input]?.values ?? 0)
          : -1,
    /** Values per row, as the kernel stores them. */
    values,
    /** Values per table row: `values`, or the whole dense tensor. */
    listSize: dense ? classes * rows * classes : values,
    list: spec.shape !== "scalar",
    type,
    /** Bytes per value. */
    width,
    block: block as "square" | "triangle" | null,
    /** Shape and dimensions for arrow.fixed_shape_tensor. */
    tensor:
      !isBlock || packed
        ? null
        : dense
          ? { shape: [classes, rows, classes], dim_names: ["i", "q", "j"] }
          : { shape: [classes, classes], dim_names: ["i", "j"] },
    /** Index among the auxiliary input columns of the run; -1 for none. */
    input,
  };
}

/** Returns the possible numbers of values per row of an auxiliary column. */
export function auxiliaryLengths(option: InputUse, classes: number): number[] {
  if (option === "by" || option === "weight") return [1];
  if (valuesOf(option) === "class") return [1];
  if (option !== "covariance") return [classes];
  const forms = [classes, (classes * (classes + 1)) / 2, classes * classes];
  return [...new Set(forms)];
}

/** Returns the code of the kernels for the storage of a covariance: 0 diagonal, 1 upper triangle, 2 full matrix. */
function covarianceStorage(classes: number, values: number): number {
  if (values === classes * classes) return 2;
  return values === classes ? 0 : 1;
}

/** Returns the number of values before row i of a block. */
export function blockRowStart(
  block: "square" | "triangle",
  classes: number,
  i: number,
): number {
  return block === "square" ? i * classes : i * classes - (i * (i - 1)) / 2;
}

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
