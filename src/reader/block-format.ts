import type { Field } from "../arrow/field.js";
import {
  InputFormatError,
  InputUnsupportedError,
  UsageError,
} from "../errors.js";
import {
  type NumberColumn,
  productOf,
  tensorShapeOf,
} from "../input/number-column.js";
import type { Layout } from "../results/catalogue.js";
import { blockRowStart } from "../results/columns.js";
import type { RunMetadata } from "../results/run-metadata.js";
import type { BlockColumns, BlockResult } from "./block-columns.js";
import type { FloatType } from "./stored-column.js";

/** Properties that all blocks of a file share. */
export interface BlockFormat {
  layout: Layout;
  result: BlockResult;
  /** Number of rows M of the logits. */
  rows: number;
  /** Rows `[rowStart, rowEnd)` that the file covers: all, or those of a shard. */
  rowStart: number;
  rowEnd: number;
  /** Lengths of the axes of the positions; rows are numbered by keys (src/results/row-axes.ts). */
  inner: readonly number[];
  classes: number;
  dtype: FloatType;
  /** Temperature T; null if the file does not record it. */
  temperature: number | null;
}

/**
 * Determines the format of the blocks, and checks the columns against it.
 *
 * @param metadata metadata of the file, completed by the options
 * @param rows M
 * @throws InputFormatError, InputUnsupportedError; UsageError for an unknown number of classes
 */
export function blockFormat(
  path: string,
  fields: readonly Field[],
  { layout, result, parts, inner }: BlockColumns,
  metadata: RunMetadata,
  rows: number,
): BlockFormat {
  const { classes, rowStart = 0, rowEnd = rows, temperature = null } = metadata;
  const [first] = parts as [NumberColumn];
  if (classes === undefined)
    throw new UsageError(
      `classes: ${path} has no softjac.classes; give the number of classes as an option`,
      "classes",
    );
  if (layout === "packed" && result === "log_jacobian")
    throw new InputUnsupportedError(
      path,
      `column ${result}`,
      "layout packed cannot store log_jacobian, which is not symmetric",
    );
  const values = layout === "factored" ? first : (parts.at(-1) ?? first);
  const reject = ({ name }: NumberColumn, text: string): never => {
    throw new InputFormatError(path, `column ${name}`, text);
  };
  if (metadata.dtype !== undefined && values.type !== metadata.dtype)
    reject(
      values,
      `expected ${metadata.dtype} as in softjac.dtype, found ${values.type}`,
    );
  const dtype = values.type as FloatType;
  const range = { rows, rowStart, rowEnd, inner };
  const format = { layout, result, ...range, classes, dtype, temperature };
  const shape = listShape(format);
  const length = shape && productOf(shape);
  if (shape && first.values !== null && first.values !== length)
    reject(
      first,
      `expected lists of ${length} values for ${classes} classes in layout ${layout} (from softjac.layout, softjac.classes or the options), found lists of ${first.values}`,
    );
  const field = fields[first.columns[0] ?? -1] as Field;
  const extension = new Map(field.metadata);
  const isTensor =
    extension.get("ARROW:extension:name") === "arrow.fixed_shape_tensor";
  if (
    shape &&
    length &&
    isTensor &&
    String(tensorShapeOf(field)) !== `${shape}`
  )
    reject(
      first,
      `expected a tensor of shape ${shape.join(" x ")}, not permuted, found ${extension.get("ARROW:extension:metadata")}`,
    );
  return format;
}

/** Returns the shape of the lists in the first column of a block; null for csr and coo, whose lists have any length. */
export function listShape({
  layout,
  classes,
  rows,
}: Pick<BlockFormat, "layout" | "classes" | "rows">): number[] | null {
  switch (layout) {
    case "bsr":
      return [classes, classes];
    case "packed":
      return [blockRowStart("triangle", classes, classes)];
    case "dense":
      return [classes, rows, classes];
    case "factored":
      return [classes];
    default:
      return null;
  }
}
