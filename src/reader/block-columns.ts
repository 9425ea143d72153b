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
  /** `lists` stands for bsr, packed or dense, which the length of the lists distinguishes. */
  storage: "lists" | Exclude<Layout, "bsr" | "packed" | "dense">;
  result: BlockResult;
  /** Column of the block for `lists`; else the columns of PARTS. */
  parts: NumberColumn[];
}

type Part = [name: string, isList: boolean, kind: NumberKind];
const PARTS: Record<Exclude<BlockColumns["storage"], "lists">, Part[]> = {
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
  const storage = storageOf(path, fields, metadata, names);
  const result = resultOf(path, storage, metadata, names);
  const parts: Part[] =
    storage === "lists" ? [[result, true, "float"]] : PARTS[storage];
  return { storage, result, index, inner, parts: parts.map(numbers) };
}

function storageOf(
  path: string,
  fields: readonly Field[],
  { layout }: BlockMetadata,
  names: ReadonlySet<string>,
): BlockColumns["storage"] {
  const isList = layout === "bsr" || layout === "packed" || layout === "dense";
  const candidates = (["lists", "csr", "coo", "factored"] as const).filter(
    (storage) =>
      storage === "lists"
        ? names.has("jacobian") || names.has("log_jacobian")
        : PARTS[storage].every(([name]) => names.has(name)),
  );
  const stated = isList ? "lists" : layout;
  const storage = stated
    ? candidates.find((storage) => storage === stated)
    : candidates[0];
  if (storage) return storage;
  const found = listColumns(fields);
  if (!stated)
    throw new InputUnsupportedError(
      path,
      "schema",
      `expected a column jacobian or log_jacobian, or columns indices and values, or i, j and value, or softmax, argmax and tail, found ${found}`,
    );
  const expected =
    stated === "lists"
      ? "a column jacobian or log_jacobian"
      : `columns ${PARTS[stated].map(([name]) => name).join(", ")}`;
  throw new InputFormatError(
    path,
    "schema",
    `expected ${expected} for layout ${layout} (from softjac.layout or the option), found ${found}`,
  );
}

function resultOf(
  path: string,
  storage: BlockColumns["storage"],
  { result, emit }: BlockMetadata,
  names: ReadonlySet<string>,
): BlockResult {
  const has = (name: BlockResult) => {
    if (storage === "lists") return names.has(name);
    // The factors determine both blocks.
    return storage === "factored" || (emit?.includes(name) ?? true);
  };
  if (result !== undefined && !has(result))
    throw new UsageError(`result: ${path} has no result ${result}`, "result");
  const isLog =
    storage === "lists"
      ? !has("jacobian")
      : emit?.includes("log_jacobian") && !emit.includes("jacobian");
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
