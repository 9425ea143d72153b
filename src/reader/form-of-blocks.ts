import type { Field } from "../arrow/field.js";
import {
  InputFormatError,
  InputUnsupportedError,
  UsageError,
} from "../errors.js";
import type { NumberColumn } from "../input/number-column.js";
import type { RunMetadata } from "../results/run-metadata.js";
import type { BlockColumns } from "./block-columns.js";
import { blockShape } from "./block-shape.js";
import type { ByteSource } from "./byte-source.js";
import type { BlockForm } from "./example-parts.js";
import type { FileBatch } from "./file-batches.js";
import type { FloatType } from "./float-array.js";
import { ReadAhead } from "./read-ahead.js";
import type { StoredColumn } from "./stored-column.js";

/** What an opened file says of its blocks. */
export interface BlockFacts {
  path: string;
  fields: readonly Field[];
  columns: BlockColumns;
  batches: readonly FileBatch[];
  /** The shape of arrow.fixed_shape_tensor, where the block's column is one. */
  tensor: readonly number[] | null;
  /** What its metadata and the caller say. */
  known: RunMetadata;
  /** M. */
  rows: number;
}

/**
 * The layout, Q and type of a file's blocks, from its columns and what is said of them, which must agree.
 * @throws InputFormatError, InputUnsupportedError, UsageError
 */
export async function formOfBlocks(
  facts: BlockFacts,
  source: ByteSource,
): Promise<BlockForm> {
  const { path, columns, known, rows } = facts;
  const { form, result, parts } = columns;
  const layoutAndClasses =
    form === "lists"
      ? await shapeOfLists(facts, source)
      : { layout: form, classes: await classesOf(facts, source) };
  const { layout } = layoutAndClasses;
  if (layout === "packed" && result === "log_jacobian")
    throw new InputUnsupportedError(
      path,
      `column ${result}`,
      "layout packed cannot store log_jacobian, which is not symmetric",
    );
  const values = (
    form === "factored" ? parts[0] : parts.at(-1)
  ) as NumberColumn;
  if (known.dtype !== undefined && values.type !== known.dtype)
    throw new InputFormatError(
      path,
      `column ${values.name}`,
      `expected ${known.dtype} as in softjac.dtype, found ${values.type}`,
    );
  return {
    ...layoutAndClasses,
    result,
    rows,
    inner: columns.inner,
    rowStart: known.rowStart ?? 0,
    rowEnd: known.rowEnd ?? rows,
    dtype: values.type as FloatType,
    temperature: known.temperature ?? null,
  };
}

async function shapeOfLists(
  { path, columns, batches, tensor, known, rows }: BlockFacts,
  source: ByteSource,
) {
  const { name, values } = columns.parts[0] as NumberColumn;
  const layout = known.layout as "bsr" | "packed" | "dense" | undefined;
  const { classes } = known;
  const size = values ?? (await firstLength(batches, source));
  if (size) {
    const facts = { path, name, size, tensor, layout, classes, rows };
    return blockShape(facts);
  }
  // A dense tensor of no rows has lists of no values; lists that are all null have none either.
  if (classes !== undefined && (values === null || batches.length === 0))
    return { layout: layout ?? ("bsr" as const), classes };
  throw new InputFormatError(
    path,
    `column ${name}`,
    "the number of classes is unknown: there is no softjac.classes and no list of values; give the option classes",
  );
}

async function classesOf(
  { path, fields, columns, batches, known }: BlockFacts,
  source: ByteSource,
): Promise<number> {
  const softmax = fields.find(({ name }) => name === "softmax")?.type;
  const length = softmax?.kind === "FixedSizeList" ? softmax.listSize : null;
  const stored =
    length ??
    (columns.form === "factored" ? await firstLength(batches, source) : null);
  const classes = known.classes ?? stored;
  if (!classes)
    throw new UsageError(
      `classes: ${path} has no softjac.classes; give the number of classes as an option`,
      "classes",
    );
  if (stored !== null && stored !== classes)
    throw new InputFormatError(
      path,
      "column softmax",
      `expected lists of ${classes} values (from softjac.classes or the option), found lists of ${stored}`,
    );
  return classes;
}

/** The length of the first list that is not null; every other must be the same, which is checked where it is read. */
async function firstLength(
  batches: readonly FileBatch[],
  source: ByteSource,
): Promise<number | null> {
  for (const { count, parts } of batches) {
    const lists = parts[0] as StoredColumn;
    const ahead = new ReadAhead(source);
    for (let k = 0; k < count; k++) {
      if (await lists.isNull(ahead, k)) continue;
      const { start, end } = await lists.span(ahead, k);
      return end - start;
    }
  }
  return null;
}
