import type { ColumnStorage } from "../arrow/column-storage.js";
import { describeField, type Field } from "../arrow/field.js";
import {
  InputFormatError,
  InputUnsupportedError,
  UsageError,
} from "../errors.js";
import { listColumns } from "../input/column-names.js";
import {
  listedNumbers,
  type NumberColumn,
  type NumberKind,
  singleNumbers,
} from "../input/number-column.js";
import { positionNames } from "../printable.js";
import type { Layout } from "../results/catalogue.js";
import type { RunMetadata } from "../results/run-metadata.js";
import type { IndexColumns } from "./stored-table.js";

/** Columns that store blocks. */
export interface BlockColumns extends IndexColumns {
  layout: Layout;
  result: BlockResult;
  /** Columns of PARTS, or the column of lists. */
  parts: NumberColumn[];
}

type Part = [name: string, isList: boolean, kind: NumberKind];
/** Columns of blocks; absent for bsr, packed and dense, which have one column of lists, named after the result. */
const PARTS: Partial<Record<Layout, Part[]>> = {
  csr: [
    ["indices", true, "whole"],
    ["values", true, "float"],
  ],
  coo: [
    ["i", false, "whole"],
    ["j", false, "whole"],
    ["value", false, "float"],
  ],
  factored: [
    ["softmax", true, "float"],
    ["argmax", false, "whole"],
    ["tail", false, "float"],
  ],
};

/**
 * Finds the index columns and the columns of the blocks, in any order.
 * @throws InputFormatError if the columns of the stated layout are missing; InputUnsupportedError for other types, or if
 * the file has no blocks; UsageError for a missing result
 */
export function selectBlockColumns(
  path: string,
  fields: readonly Field[],
  metadata: BlockMetadata,
): BlockColumns {
  const names = new Set(fields.map(({ name }) => name));
  const numbers = (part: Part) => numbersOf(path, fields, part);
  const inner = metadata.rowShape?.slice(1) ?? [];
  const index = ["row", ...positionNames(inner)].map((name) =>
    numbers([name, false, "whole"]),
  );
  const layout = layoutOf(path, fields, metadata, names);
  const result = resultOf(path, layout, metadata, names);
  const parts = PARTS[layout] ?? [[result, true, "float"]];
  return { layout, result, index, inner, parts: parts.map(numbers) };
}

function layoutOf(
  path: string,
  fields: readonly Field[],
  { layout }: BlockMetadata,
  names: ReadonlySet<string>,
): Layout {
  const lists = BLOCK_RESULTS.find((name) => names.has(name));
  const others = (["csr", "coo", "factored"] as const).filter((layout) =>
    PARTS[layout]?.every(([name]) => names.has(name)),
  );
  if (layout && (PARTS[layout] ? others.includes(layout as never) : lists))
    return layout;
  if (!layout && lists)
    throw new UsageError(
      `layout: ${path} has no softjac.layout; give the layout of column ${lists} as an option`,
      "layout",
    );
  if (!layout && others[0]) return others[0];
  const found = listColumns(fields);
  if (!layout)
    throw new InputUnsupportedError(
      path,
      "schema",
      `expected a column jacobian or log_jacobian, or columns indices and values, or i, j and value, or softmax, argmax and tail, found ${found}`,
    );
  const columns = PARTS[layout]?.map(([name]) => name).join(", ");
  throw new InputFormatError(
    path,
    "schema",
    `expected ${columns ? `columns ${columns}` : "a column jacobian or log_jacobian"} for layout ${layout} (from softjac.layout or the option), found ${found}`,
  );
}

function resultOf(
  path: string,
  layout: Layout,
  { result, emit }: BlockMetadata,
  names: ReadonlySet<string>,
): BlockResult {
  const has = (name: BlockResult) => {
    if (!PARTS[layout]) return names.has(name);
    // The factors determine both blocks.
    return layout === "factored" || (emit?.includes(name) ?? true);
  };
  if (result !== undefined && !has(result))
    throw new UsageError(`result: ${path} has no result ${result}`, "result");
  const isLog = PARTS[layout]
    ? emit?.includes("log_jacobian") && !emit.includes("jacobian")
    : !has("jacobian");
  return result ?? (isLog ? "log_jacobian" : "jacobian");
}

const READABLE = new Set<ColumnStorage>(["fixed-size-list", "list", "columns"]);

function numbersOf(
  path: string,
  fields: readonly Field[],
  [name, isList, kind]: Part,
): NumberColumn {
  const indices = fields.flatMap((f, k) => (f.name === name ? [k] : []));
  const [index = -1] = indices;
  const field = fields[index];
  if (!field || indices.length > 1)
    throw new InputUnsupportedError(
      path,
      "schema",
      `expected one column ${name}, found ${field ? indices.length : listColumns(fields)}`,
    );
  const column = (isList ? listedNumbers : singleNumbers)(field, index, kind);
  const isReadable = column && READABLE.has(column.storage);
  if (isReadable && (column.width >= 4 || kind !== "float")) return column;
  const numbers = kind === "whole" ? "whole numbers" : "float32 or float64";
  throw new InputUnsupportedError(
    path,
    `column ${name}`,
    `expected ${isList ? `fixed_size_list or list of ${numbers}` : numbers}, found ${describeField(field)}`,
  );
}

/** Metadata of a file, completed by options. */
export interface BlockMetadata extends RunMetadata {
  result?: BlockResult | undefined;
}

/** Function whose block is stored: softmax (`jacobian`) or log-softmax (`log_jacobian`). */
export type BlockResult = "jacobian" | "log_jacobian";

export const BLOCK_RESULTS: readonly BlockResult[] = [
  "jacobian",
  "log_jacobian",
];
