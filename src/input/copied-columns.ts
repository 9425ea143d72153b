import type { CopiedForm, CopiedNode } from "../arrow/copied-nodes.js";
import {
  type ArrowType,
  describeField,
  type Field,
  fixedBits,
  offsetBytes,
} from "../arrow/field.js";
import { withoutViews } from "../arrow/views.js";
import { InputUnsupportedError } from "../errors.js";
import { copiedIndices, namedColumns } from "./column-names.js";

/** Input column that `keep` copies to the output. */
export interface CopiedColumn extends CopiedNode {
  /** Index of the column in the input. */
  index: number;
}

/**
 * Returns the columns that `keep` names, in that order.
 * @param ownNames names of the output's other columns
 * @throws LogitsColumnError if a name has no column, several, or is an own name; UsageError if a column is named twice;
 * InputUnsupportedError if a type cannot be copied
 */
export function selectCopied(
  path: string,
  fields: Field[],
  keep: readonly string[],
  ownNames: readonly string[],
): CopiedColumn[] {
  return copiedIndices(namedColumns(path, fields), keep, ownNames).map(
    (index) => copiedColumn(path, fields[index] as Field, index),
  );
}

/**
 * Returns how a column is copied.
 * @param decodes whether to replace dictionary codes by their values
 * @throws InputUnsupportedError if the type cannot be copied
 */
export function copiedColumn(
  path: string,
  field: Field,
  index: number,
  decodes = false,
): CopiedColumn {
  const node = copiedNode(field, field.name, decodes);
  if (!node)
    throw new InputUnsupportedError(
      path,
      `column ${field.name}`,
      `unions, maps and unknown types cannot be copied, found ${describeField(field)}; join such columns to the output by row`,
    );
  return { ...node, index };
}

/** Returns the node of a field; null if its type cannot be copied. */
function copiedNode(
  field: Field,
  name: string,
  decodes: boolean,
): CopiedNode | null {
  const { type, dictionary } = field;
  const node = (
    form: CopiedForm,
    more: Partial<CopiedNode> = {},
  ): CopiedNode => ({
    name,
    field,
    form,
    fd: null,
    bits: 0,
    signed: false,
    offsetBytes: 0,
    listSize: 0,
    dictionaryValues: null,
    children: [],
    constant: null,
    ...more,
  });
  if (dictionary) {
    const values = copiedNode({ ...field, dictionary: null }, name, true);
    if (!values || dictionary.indexType.kind !== "Int") return null;
    const { bitWidth: bits, signed } = dictionary.indexType;
    if (decodes || values.children.length > 0 || values.form === "null")
      return node("codes", {
        field: { ...values.field, nullable: true },
        bits,
        signed,
        children: [values],
      });
    return node("fixed-width", {
      field: { ...field, type: values.field.type },
      bits,
      signed,
      dictionaryValues: 0,
    });
  }
  const bits = fixedBits(type);
  if (bits > 0) {
    const signed = type.kind === "Int" && type.signed;
    return bits === 1 || bits % 8 === 0
      ? node("fixed-width", { bits, signed })
      : null;
  }
  if (offsetBytes(type) > 0)
    return node("text", { offsetBytes: offsetBytes(type) });
  const plain = withoutViews(type);
  if (plain)
    return node("views", { field: { ...field, type: plain }, offsetBytes: 4 });
  const children = field.children.flatMap(
    (child) => copiedNode(child, `${name}.${child.name || "item"}`, true) ?? [],
  );
  const counts: Partial<Record<ArrowType["kind"], number>> = NESTED;
  const count =
    type.kind === "Struct" ? field.children.length : counts[type.kind];
  if (field.children.length !== count || children.length !== count) return null;
  if (type.kind === "RunEndEncoded") {
    const [ends, values] = children as [CopiedNode, CopiedNode];
    const nullable = field.nullable || values.field.nullable;
    const { type, children: inner } = values.field;
    return ends.form === "fixed-width" && ends.field.type.kind === "Int"
      ? node("runs", {
          field: { ...field, nullable, type, children: inner },
          children,
        })
      : null;
  }
  const copiedField = {
    ...field,
    children: children.map((child) => child.field),
  };
  switch (type.kind) {
    case "Null":
      return node("null");
    case "Struct":
      return node("struct", { field: copiedField, children });
    case "FixedSizeList":
      return type.listSize >= 0
        ? node("fixed-size-list", {
            field: copiedField,
            listSize: type.listSize,
            children,
          })
        : null;
    case "List":
    case "ListView":
      return node(type.kind === "List" ? "list" : "list-view", {
        field: { ...copiedField, type: { kind: "List" } },
        offsetBytes: 4,
        children,
      });
    default:
      return node(type.kind === "LargeList" ? "list" : "list-view", {
        field: { ...copiedField, type: { kind: "LargeList" } },
        offsetBytes: 8,
        children,
      });
  }
}

/** Number of child fields of nested types that can be copied, except structs. */
const NESTED = {
  Null: 0,
  List: 1,
  LargeList: 1,
  ListView: 1,
  LargeListView: 1,
  FixedSizeList: 1,
  RunEndEncoded: 2,
};
