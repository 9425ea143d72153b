import { UsageError } from "../errors.js";
import * as code from "../kernels/portable/codes.js";
import {
  EMITS,
  type EmitName,
  type InputName,
  isEntriesLayout,
  type Layout,
} from "./catalogue.js";

/** One column of results in the output table. */
export interface ResultColumn {
  name: string;
  code: number;
  /** A class (column), the form of a covariance, or -1. */
  param: number;
  /** Values that a row's result has as the kernel stores it. */
  values: number;
  /** Values that a table row has: `values`, or a slab of the dense tensor. */
  listSize: number;
  list: boolean;
  type: "float32" | "float64" | "int32";
  /** Bytes per value. */
  width: 4 | 8;
  /** Stored by rows of the block, all of them full or (triangle) from the diagonal on; null: at once. */
  block: "square" | "triangle" | null;
  /** Shape and dimensions for arrow.fixed_shape_tensor. */
  tensor: { shape: number[]; dim_names: string[] } | null;
  /** Place among the run's inputs; the logits themselves are not one of them. */
  input: number;
}

export interface ResultOptions {
  emit: readonly EmitName[];
  layout: Layout;
  dtype: "float32" | "float64";
  /** The class of `column`, where it is not a column of the input. */
  class: number | undefined;
  /** Names of the classes, if they are given. */
  classNames?: readonly string[] | undefined;
  rows: number;
  classes: number;
  /** The inputs that there are, and how many values of them a row has. */
  inputs: readonly { option: InputName; values: number }[];
}

/**
 * Returns the columns of results, in order. `factored` has softmax, argmax and tail in place of a block; entries (`csr`,
 * `coo`) are no results of one size, and not among them.
 * @throws UsageError for a class that is not there, and for names that are not as many as the classes
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
      for (const part of ["softmax", "argmax"] as const)
        add(resultColumn(part, options));
      // The tail tells confident rows apart long after float32 has lost them.
      add({ ...resultColumn("tail", options), type: "float64", width: 8 });
    } else add(resultColumn(name, options));
  }
  if (options.class !== undefined && options.class >= classes)
    throw new UsageError(
      `class: expected a class from 0 to ${classes - 1}, found ${options.class}`,
      "class",
    );
  const { classNames } = options;
  if (classNames && classNames.length !== classes)
    throw new UsageError(
      `classNames: expected ${classes} names, one per class, found ${classNames.length}; write \\, for a comma in a name`,
      "classNames",
    );
  return columns;
}

function resultColumn(name: EmitName, options: ResultOptions): ResultColumn {
  const { classes, dtype, layout, inputs, rows } = options;
  const spec = EMITS[name];
  const packed = name === "jacobian" && layout === "packed";
  const values = packed
    ? (classes * (classes + 1)) / 2
    : { scalar: 1, vector: classes, block: classes * classes }[spec.shape];
  const dense = isJacobian(name) && layout === "dense";
  const input = inputs.findIndex(({ option }) => option === spec.input);
  const type = "type" in spec ? spec.type : dtype;
  return {
    name,
    code: packed ? code.PACKED : spec.code,
    param:
      name === "column" && options.class !== undefined
        ? options.class
        : spec.input === "covariance"
          ? covarianceForm(classes, inputs[input]?.values ?? 0)
          : -1,
    values,
    listSize: dense ? classes * rows * classes : values,
    list: spec.shape !== "scalar",
    type,
    width: type === "float64" ? 8 : 4,
    block: spec.shape !== "block" ? null : packed ? "triangle" : "square",
    tensor:
      spec.shape !== "block" || packed
        ? null
        : dense
          ? { shape: [classes, rows, classes], dim_names: ["i", "q", "j"] }
          : { shape: [classes, classes], dim_names: ["i", "j"] },
    input,
  };
}

/** Whether a result is stored as the layout says. */
export function isJacobian(name: string): name is "jacobian" | "log_jacobian" {
  return name === "jacobian" || name === "log_jacobian";
}

/** Returns how many values a row of an input may have. */
export function valuesAllowed(option: InputName, classes: number): number[] {
  if (option === "label" || option === "classColumn") return [1];
  if (option !== "covariance") return [classes];
  const forms = [classes, (classes * (classes + 1)) / 2, classes * classes];
  return [...new Set(forms)];
}

/** Returns the form as the kernels number it: 0 a diagonal, 1 an upper triangle, 2 a whole matrix. */
function covarianceForm(classes: number, values: number): number {
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
