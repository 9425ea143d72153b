import { describeField, type Field } from "../arrow/field.js";
import type { SourceForm } from "../arrow/source-form.js";
import {
  InputFormatError,
  InputUnsupportedError,
  UsageError,
} from "../errors.js";
import { listed } from "../input/logits-column.js";
import {
  listedNumbers,
  type NumberColumn,
  type NumberKind,
  singleNumbers,
} from "../input/number-column.js";
import type { Layout } from "../results/catalogue.js";
import { positionNames } from "../results/row-axes.js";
import type { BlockResult } from "./block-result.js";
import type { KnownOfFile } from "./reader-options.js";

/** The columns that blocks are in. */
export interface BlockColumns {
  /** `lists`: bsr, packed or dense, as the lists' length says. */
  form: "lists" | Exclude<Layout, "bsr" | "packed" | "dense">;
  result: BlockResult;
  /** `row`, then the positions. */
  index: NumberColumn[];
  /** Lengths of the axes of the positions. */
  inner: readonly number[];
  /** `lists`: the block; the others: see PARTS. */
  parts: NumberColumn[];
}

type Part = [name: string, listed: boolean, kind: NumberKind];
const PARTS: Record<Exclude<BlockColumns["form"], "lists">, Part[]> = {
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
 * Finds `row` and the columns of the blocks, wherever they stand.
 * @throws InputFormatError where the metadata names a layout whose columns are not there; InputUnsupportedError for
 * other types, or no such columns at all; UsageError for a result that is not there
 */
export function selectBlockColumns(
  path: string,
  fields: readonly Field[],
  known: KnownOfFile,
): BlockColumns {
  const has = (name: string) => fields.some((field) => field.name === name);
  const inner = known.rowShape?.slice(1) ?? [];
  const index = ["row", ...positionNames(inner)].map((name) =>
    numbersOf(path, fields, [name, false, "whole"]),
  );
  const form = formOf(path, fields, known, has);
  const result = resultOf(path, form, known, has);
  const parts: Part[] =
    form === "lists" ? [[result, true, "float"]] : PARTS[form];
  const columns = parts.map((part) => numbersOf(path, fields, part));
  return { form, result, index, inner, parts: columns };
}

function formOf(
  path: string,
  fields: readonly Field[],
  { layout }: KnownOfFile,
  has: (name: string) => boolean,
): BlockColumns["form"] {
  const blocks = has("jacobian") || has("log_jacobian");
  const wanted =
    layout === "bsr" || layout === "packed" || layout === "dense"
      ? "lists"
      : layout;
  const forms = (["csr", "coo", "factored"] as const).filter((form) =>
    PARTS[form].every(([name]) => has(name)),
  );
  const form = wanted ?? (blocks ? "lists" : forms[0]);
  const there = form === "lists" ? blocks : forms.some((name) => name === form);
  if (form && there) return form;
  const named = listed([...fields]);
  if (layout === undefined || form === undefined)
    throw new InputUnsupportedError(
      path,
      "schema",
      `expected a column jacobian or log_jacobian, or columns indices and values, or i, j and value, or softmax, argmax and tail, found ${named}`,
    );
  const names =
    form === "lists"
      ? "a column jacobian or log_jacobian"
      : `columns ${PARTS[form].map(([name]) => name).join(", ")}`;
  throw new InputFormatError(
    path,
    "schema",
    `expected ${names} for layout ${layout} (from softjac.layout or the option), found ${named}`,
  );
}

function resultOf(
  path: string,
  form: BlockColumns["form"],
  { result, emit }: KnownOfFile,
  has: (name: string) => boolean,
): BlockResult {
  const there = (name: BlockResult) => {
    if (form === "lists") return has(name);
    // Factors are what both are made of.
    return form === "factored" || (emit?.includes(name) ?? true);
  };
  if (result !== undefined) {
    if (there(result)) return result;
    throw new UsageError(`result: ${path} has no result ${result}`, "result");
  }
  if (form === "lists") return has("jacobian") ? "jacobian" : "log_jacobian";
  return emit?.includes("log_jacobian") && !emit.includes("jacobian")
    ? "log_jacobian"
    : "jacobian";
}

const READ_FORMS: readonly SourceForm[] = [
  "fixed-size-list",
  "list",
  "columns",
];

function numbersOf(
  path: string,
  fields: readonly Field[],
  [name, isList, kind]: Part,
): NumberColumn {
  const places = fields.flatMap((field, k) => (field.name === name ? [k] : []));
  const place = places[0];
  if (place === undefined || places.length > 1)
    throw new InputUnsupportedError(
      path,
      "schema",
      `expected one column ${name}, found ${place === undefined ? listed([...fields]) : places.length}`,
    );
  const field = fields[place] as Field;
  const column = (isList ? listedNumbers : singleNumbers)(field, place, kind);
  const numbers = kind === "whole" ? "whole numbers" : "float32 or float64";
  if (
    !column ||
    !READ_FORMS.includes(column.form) ||
    (column.width < 4 && kind === "float")
  )
    throw new InputUnsupportedError(
      path,
      `column ${name}`,
      `expected ${isList ? `fixed_size_list or list of ${numbers}` : numbers}, found ${describeField(field)}`,
    );
  return column;
}
