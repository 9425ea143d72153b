import type {
  CopiedBuffers,
  CopiedForm,
  CopiedNode,
} from "../arrow/copied-nodes.js";
import {
  type ArrowType,
  describeField,
  type Field,
  fixedBits,
} from "../arrow/field.js";
import { InputUnsupportedError } from "../errors.js";
import type { Partition } from "../results/run-metadata.js";
import { plainBuffers } from "./record-batch.js";

/** Input column that `keep` copies to the output. */
export interface CopiedColumn extends CopiedNode {
  /** Index of the column in the input. */
  index: number;
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

/** Form and number of child fields (for structs any number) of the types that can be copied, except fixed-width types. */
const FORMS: Partial<
  Record<ArrowType["kind"], [form: CopiedForm, count?: number]>
> = {
  Utf8: ["text", 0],
  Binary: ["text", 0],
  LargeUtf8: ["text", 0],
  LargeBinary: ["text", 0],
  Utf8View: ["views", 0],
  BinaryView: ["views", 0],
  List: ["list", 1],
  LargeList: ["list", 1],
  ListView: ["list-view", 1],
  LargeListView: ["list-view", 1],
  FixedSizeList: ["fixed-size-list", 1],
  Struct: ["struct"],
  Null: ["null", 0],
  RunEndEncoded: ["runs", 2],
};

/** Returns the node of a field; null if its type cannot be copied. */
function copiedNode(
  field: Field,
  name: string,
  decodes: boolean,
): CopiedNode | null {
  const { type, dictionary } = field;
  if (dictionary) return dictionaryNode(field, name, decodes);
  const bits = fixedBits(type);
  const [form, count = field.children.length] =
    bits === 1 || (bits > 0 && bits % 8 === 0)
      ? (["fixed-width", 0] as const)
      : (FORMS[type.kind] ?? []);
  const children = field.children.flatMap(
    (child) => copiedNode(child, `${name}.${child.name || "item"}`, true) ?? [],
  );
  const isWhole = field.children.length === count && children.length === count;
  const listSize = type.kind === "FixedSizeList" ? type.listSize : 0;
  if (!form || !isWhole || listSize < 0) return null;
  const hasOffsets = ["text", "views", "list", "list-view"].includes(form);
  const node: CopiedNode = {
    name,
    field: {
      ...field,
      type: { ...type, kind: type.kind.replace("View", "") } as ArrowType,
      children: children.map((child) => child.field),
    },
    form,
    fd: null,
    bits,
    signed: type.kind === "Int" && type.signed,
    offsetBytes: hasOffsets ? (type.kind.startsWith("Large") ? 8 : 4) : 0,
    listSize,
    dictionaryValues: null,
    children,
    constant: null,
  };
  if (form !== "runs") return node;
  const [ends, values] = children as [CopiedNode, CopiedNode];
  if (ends.form !== "fixed-width" || ends.field.type.kind !== "Int")
    return null;
  const nullable = field.nullable || values.field.nullable;
  const { type: valueType, children: inner } = values.field;
  const runField = { ...field, nullable, type: valueType, children: inner };
  return { ...node, field: runField };
}

/** Returns the node of a dictionary-encoded field: its codes, or with `decodes` and for nested values the values. */
function dictionaryNode(
  field: Field,
  name: string,
  decodes: boolean,
): CopiedNode | null {
  const values = copiedNode({ ...field, dictionary: null }, name, true);
  const indexType = field.dictionary?.indexType;
  if (!values || indexType?.kind !== "Int") return null;
  const { bitWidth: bits, signed } = indexType;
  const codes: CopiedNode = {
    ...values,
    ...{ bits, signed, offsetBytes: 0, listSize: 0 },
  };
  if (decodes || values.children.length > 0 || values.form === "null")
    return {
      ...codes,
      form: "codes",
      field: { ...values.field, nullable: true },
      children: [values],
    };
  return {
    ...codes,
    form: "fixed-width",
    field: { ...field, type: values.field.type },
    dictionaryValues: 0,
  };
}

/** Rows of a copied partition in memory; the output repeats them. */
const ROWS = 256;

/** Returns a copied column that repeats the value of a partition, with its buffers in memory. */
export function constantColumn(
  column: CopiedColumn,
  { value }: Partition,
): CopiedColumn & { constant: NonNullable<CopiedNode["constant"]> } {
  const text = Buffer.from(value ?? "");
  const isText = column.form === "text";
  const numbers = BigInt64Array.from({ length: ROWS }, () =>
    isText || value === null ? 0n : BigInt(value),
  );
  const length = ROWS + 1;
  const offsets = Int32Array.from({ length }, (_, k) => k * text.byteLength);
  const parts = isText
    ? [offsets, ...new Array<Buffer>(ROWS).fill(text)]
    : [numbers];
  // Layout: validity bits (all zero, used only if the value is null), offsets of texts, values.
  const memory = Buffer.concat([
    new Uint8Array(ROWS / 8),
    ...parts.map((part) =>
      Buffer.from(part.buffer, part.byteOffset, part.byteLength),
    ),
  ]);
  const start = ROWS / 8 + (isText ? offsets.byteLength : 0);
  const buffers: CopiedBuffers = {
    ...plainBuffers(ROWS, start, memory.byteLength - start),
    nullCount: value === null ? ROWS : 0,
    offsets: ROWS / 8,
  };
  return { ...column, constant: { memory: new Uint8Array(memory), buffers } };
}
