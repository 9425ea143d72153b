import type { ArrowType, Field } from "../../arrow/field.js";
import { decodeMessage } from "../arrow-metadata.js";
import { MalformedFlatbuffer } from "../flatbuffer.js";
import { OverLimit } from "../limits.js";

// Writers that know Arrow leave its schema in the footer, as base64 under the key ARROW:schema (a message of an Arrow
// stream; Schema.fbs, Message.fbs). Readers give columns the types of that schema where they can. Dictionaries and views
// become the types of their values: in Parquet a dictionary is an encoding and differs from row group to row group, and
// views have buffers that vary in number.

const PLAIN: Partial<Record<ArrowType["kind"], ArrowType>> = {
  BinaryView: { kind: "Binary" },
  Utf8View: { kind: "Utf8" },
  ListView: { kind: "List" },
  LargeListView: { kind: "LargeList" },
};

/** Returns the columns of the Arrow schema in a footer; null if it is not valid, or has more columns than are allowed. */
export function arrowFields(text: string): Field[] | null {
  const bytes = Buffer.from(text, "base64");
  try {
    const start = bytes.readUInt32LE(0) === 0xffffffff ? 8 : 4;
    const { schema } = decodeMessage(bytes.subarray(start));
    return schema?.fields.map(valueField) ?? null;
  } catch (error) {
    const known = [RangeError, MalformedFlatbuffer, OverLimit];
    if (known.some((kind) => error instanceof kind)) return null;
    throw error;
  }
}

function valueField(field: Field): Field {
  return {
    ...field,
    type: PLAIN[field.type.kind] ?? field.type,
    dictionary: null,
    children: field.children.map(valueField),
    // The metadata of a dictionary describes it, such as the values of an enumeration.
    metadata: field.dictionary ? [] : field.metadata,
  };
}
