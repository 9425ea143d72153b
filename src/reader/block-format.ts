import type { Field } from "../arrow/field.js";
import {
  InputFormatError,
  InputUnsupportedError,
  UsageError,
} from "../errors.js";
import { type NumberColumn, tensorShapeOf } from "../input/number-column.js";
import type { Layout } from "../results/catalogue.js";
import type { RunMetadata } from "../results/run-metadata.js";
import type { BlockColumns, BlockResult } from "./block-columns.js";
import { ReadAhead } from "./byte-source.js";
import type { FloatType, StoredColumn } from "./stored-column.js";
import type { StoredTable } from "./stored-table.js";

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

export interface BlockFacts {
  path: string;
  fields: readonly Field[];
  columns: BlockColumns;
  table: StoredTable;
  /** Shape of the lists if their column is an arrow.fixed_shape_tensor; else null. */
  tensor: readonly number[] | null;
  /** Metadata of the file, completed by the options. */
  metadata: RunMetadata;
}

/**
 * Determines the layout, Q and type of the blocks from the columns, the metadata and the options, which must agree.
 *
 * @param rows M
 * @throws InputFormatError, InputUnsupportedError, UsageError
 */
export async function blockFormat(
  facts: BlockFacts,
  rows: number,
): Promise<BlockFormat> {
  const { path, columns, metadata } = facts;
  const { storage, result, parts, inner } = columns;
  const { layout, classes } =
    storage === "lists"
      ? await listLayout(facts, rows)
      : { layout: storage, classes: await statedClasses(facts) };
  if (layout === "packed" && result === "log_jacobian")
    throw new InputUnsupportedError(
      path,
      `column ${result}`,
      "layout packed cannot store log_jacobian, which is not symmetric",
    );
  const values = parts.at(storage === "factored" ? 0 : -1) as NumberColumn;
  if (metadata.dtype !== undefined && values.type !== metadata.dtype)
    throw new InputFormatError(
      path,
      `column ${values.name}`,
      `expected ${metadata.dtype} as in softjac.dtype, found ${values.type}`,
    );
  const { rowStart = 0, rowEnd = rows, temperature = null } = metadata;
  const dtype = values.type as FloatType;
  const range = { rows, rowStart, rowEnd, inner };
  return { layout, classes, result, ...range, dtype, temperature };
}

/**
 * Returns the shape of the column of lists if it is an arrow.fixed_shape_tensor; else null.
 * @throws InputFormatError for a permuted shape, or one that differs from the length of the lists
 */
export function declaredTensor(
  path: string,
  fields: readonly Field[],
  { storage, parts }: BlockColumns,
): readonly number[] | null {
  const field = fields[parts[0]?.columns[0] ?? -1];
  const metadata = new Map(field?.metadata);
  const name = metadata.get("ARROW:extension:name");
  const isTensor = storage === "lists" && name === "arrow.fixed_shape_tensor";
  if (!field || !isTensor || parts[0]?.values === 0) return null;
  const shape = tensorShapeOf(field);
  if (shape) return shape;
  throw new InputFormatError(
    path,
    `column ${field.name}`,
    `expected the shape of a tensor of ${parts[0]?.values} values, not permuted, found ${metadata.get("ARROW:extension:metadata")}`,
  );
}

type ListLayout = "bsr" | "packed" | "dense";
const LIST_LAYOUTS = ["bsr", "packed", "dense"] as const;

interface ListFormat {
  layout: ListLayout;
  classes: number;
}

/** Determines the layout and Q from the length of lists: Q² for bsr, Q(Q+1)/2 for packed, Q·M·Q for dense. */
async function listLayout(
  facts: BlockFacts,
  rows: number,
): Promise<ListFormat> {
  const { path, columns, table, tensor, metadata } = facts;
  const { name, values } = columns.parts[0] as NumberColumn;
  const reject = (text: string): never => {
    throw new InputFormatError(path, `column ${name}`, text);
  };
  const stated = metadata.layout as ListLayout | undefined;
  const size = values ?? (await firstLength(table));
  if (!size) {
    // A dense tensor without rows has lists of length 0; nulls have no length.
    const isEmpty = values === null || table.count === 0;
    if (metadata.classes !== undefined && isEmpty)
      return { layout: stated ?? "bsr", classes: metadata.classes };
    return reject(
      "the number of classes is unknown: there is no softjac.classes and no list of values; give the option classes",
    );
  }
  const declared = tensor?.length === 3 ? "dense" : tensor && "bsr";
  const layout = stated ?? declared ?? layoutOfSize(facts, name, size, rows);
  const Q = layout && classesOf(layout, size, rows);
  if (tensor) {
    const shape = layout === "dense" ? [Q, rows, Q] : [Q, Q];
    if (layout === "packed" || String(tensor) !== String(shape))
      reject(
        `expected a tensor of shape ${layout === "dense" ? `Q x ${rows} x Q` : "Q x Q"}${stated ? ` of layout ${stated}` : ""}, found the shape ${tensor.join(" x ")}`,
      );
  }
  if (Q && (metadata.classes ?? Q) === Q) return { layout, classes: Q };
  const length = {
    bsr: "Q·Q",
    packed: "Q(Q+1)/2",
    dense: `Q·${rows}·Q`,
    none: "Q·Q or Q(Q+1)/2",
  }[layout ?? "none"];
  return reject(
    `expected lists of ${length} values${layout ? ` for layout ${layout}` : ""}${metadata.classes === undefined ? "" : ` of ${metadata.classes} classes`} (from softjac.layout, softjac.classes or the options), found lists of ${size}`,
  );
}

/** Returns the layout whose lists have this length; dense only if the number of classes is stated. */
function layoutOfSize(
  { path, metadata: { classes } }: BlockFacts,
  name: string,
  size: number,
  rows: number,
): ListLayout | undefined {
  const fits = LIST_LAYOUTS.filter((layout) => {
    const fitting = classesOf(layout, size, rows);
    return classes === undefined
      ? fitting !== null && layout !== "dense"
      : fitting === classes;
  });
  if (fits.length > 1 && size > 1 && classes === undefined)
    throw new UsageError(
      `layout: ${path} does not tell the layout of the lists of ${size} values in column ${name}: ${fits.map((fit) => `${fit} of ${classesOf(fit, size, rows)} classes`).join(" or ")}; give the option layout or classes`,
      "layout",
    );
  return fits[0];
}

/** Returns Q for lists of a layout; null if no Q gives their length. */
function classesOf(
  layout: ListLayout,
  size: number,
  rows: number,
): number | null {
  const classes =
    layout === "packed"
      ? Math.floor((Math.sqrt(8 * size + 1) - 1) / 2)
      : Math.round(Math.sqrt(layout === "dense" ? size / rows : size));
  const values = {
    bsr: classes * classes,
    packed: (classes * (classes + 1)) / 2,
    dense: classes * rows * classes,
  }[layout];
  return classes >= 1 && values === size ? classes : null;
}

/** Returns Q for csr, coo and factored. */
async function statedClasses(facts: BlockFacts): Promise<number> {
  const { path, fields, columns, table, metadata } = facts;
  const softmax = fields.find(({ name }) => name === "softmax")?.type;
  let stored = softmax?.kind === "FixedSizeList" ? softmax.listSize : null;
  if (columns.storage === "factored") stored ??= await firstLength(table);
  const classes = metadata.classes ?? stored;
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

/** Returns the length of the first list that is not null; reading checks the lengths of the others. */
async function firstLength(table: StoredTable): Promise<number | null> {
  for (const { count, columns } of table.batches) {
    const lists = columns[0] as StoredColumn;
    const ahead = new ReadAhead(table.source);
    for (let k = 0; k < count; k++) {
      if ((await lists.nulls(ahead, k, k + 1))?.[0]) continue;
      const [start = 0, end = 0] = await lists.bounds(ahead, k, k + 1);
      return end - start;
    }
  }
  return null;
}
