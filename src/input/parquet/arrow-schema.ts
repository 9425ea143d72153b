import type { Field } from "../../arrow/field.js";
import { decodeMessage } from "../arrow-metadata.js";
import type { ColumnPath } from "../column-spans.js";
import { MalformedFlatbuffer } from "../flatbuffer.js";
import { OverLimit } from "../limits.js";
import { pathsByChild } from "./column-paths.js";

// Writers that know Arrow leave its schema in the footer, as base64 under the key ARROW:schema (a message of an Arrow
// stream; Schema.fbs, Message.fbs). Readers give columns the types of that schema where they can. We change it in two
// ways, byte for byte in place, so that no offset in it moves:
//
//   dictionaries and views   become their values' types: in Parquet a dictionary is an encoding and differs from row group
//                            to row group, and views have buffers that vary in number
//   columns nobody reads     leave the vectors of fields

/** The Type union of Schema.fbs: views, and the types with the same values. */
const PLAIN = new Map([
  [23, 4],
  [24, 5],
  [25, 12],
  [26, 21],
]);

const HEADER_SLOT = 2;
const FIELDS_SLOT = 1;
const FIELD = { typeKind: 2, dictionary: 4, children: 5, metadata: 6 };

/** Offsets may point at a table more than once, so that a small schema would never end. */
const MAX_FIELDS = 1 << 20;

/** An Arrow schema without dictionaries and views. */
export interface ArrowSchema {
  fields: Field[];
  /** Returns the schema of some of its columns, as base64. */
  project(paths: readonly ColumnPath[]): string;
}

/** Reads the Arrow schema in a footer; null where it is not valid, or has more columns than are allowed. */
export function arrowSchema(text: string): ArrowSchema | null {
  const bytes = Buffer.from(text, "base64");
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const start = view.getUint32(0, true) === 0xffffffff ? 8 : 4;
    const message = start + view.getUint32(start, true);
    const header = pointed(view, message, HEADER_SLOT);
    if (header === 0) return null;
    usePlainTypes(view, header);
    const { schema } = decodeMessage(bytes.subarray(start));
    return (
      schema && {
        fields: schema.fields,
        project(paths) {
          keepFields(view, header, FIELDS_SLOT, paths, 0);
          return bytes.toString("base64");
        },
      }
    );
  } catch (error) {
    const known = [RangeError, MalformedFlatbuffer, OverLimit];
    if (known.some((kind) => error instanceof kind)) return null;
    throw error;
  }
}

/** @throws RangeError where the bytes are not a schema's */
function usePlainTypes(view: DataView, header: number): void {
  let left = MAX_FIELDS;
  const visit = (table: number, slot: number): void => {
    for (const { field } of fieldsOf(view, table, slot)) {
      if (left-- <= 0) throw new RangeError("fields without end");
      plainField(view, field);
      visit(field, FIELD.children);
    }
  };
  visit(header, FIELDS_SLOT);
}

/** Yields the positions of a vector's fields, and of the offsets that point at them. */
function* fieldsOf(
  view: DataView,
  table: number,
  slot: number,
): Generator<{ field: number; at: number }> {
  const vector = pointed(view, table, slot);
  const count = vector ? view.getUint32(vector, true) : 0;
  for (let k = 1; k <= count; k++) {
    const at = vector + 4 * k;
    yield { field: at + view.getUint32(at, true), at };
  }
}

/** Leaves the fields at these paths in a vector of fields. */
function keepFields(
  view: DataView,
  table: number,
  slot: number,
  paths: readonly ColumnPath[],
  depth: number,
): void {
  const vector = pointed(view, table, slot);
  const kept = pathsByChild(paths, depth);
  let [child, to] = [0, vector];
  for (const { field } of [...fieldsOf(view, table, slot)]) {
    const below = kept.get(child++);
    if (!below) continue;
    if (!below.some(({ length }) => length === depth + 1))
      keepFields(view, field, FIELD.children, below, depth + 1);
    to += 4;
    view.setUint32(to, field - to, true);
  }
  view.setUint32(vector, (to - vector) / 4, true);
}

function plainField(view: DataView, field: number): void {
  const kind = slotOf(view, field, FIELD.typeKind);
  if (kind) {
    const plain = PLAIN.get(view.getUint8(field + kind.offset));
    if (plain) view.setUint8(field + kind.offset, plain);
  }
  const dictionary = slotOf(view, field, FIELD.dictionary);
  if (!dictionary) return;
  // A slot of offset 0 is absent. Fields that share these offsets all have dictionaries.
  view.setUint16(dictionary.entry, 0, true);
  // The metadata describes the dictionary, such as the values of an enumeration.
  const metadata = slotOf(view, field, FIELD.metadata);
  if (metadata) view.setUint16(metadata.entry, 0, true);
}

/** A table's slot: the position of its offset, and the offset; null where it is absent. */
function slotOf(
  view: DataView,
  table: number,
  slot: number,
): { entry: number; offset: number } | null {
  const offsets = table - view.getInt32(table, true);
  const within = 4 + 2 * slot;
  if (within + 2 > view.getUint16(offsets, true)) return null;
  const entry = offsets + within;
  const offset = view.getUint16(entry, true);
  return offset ? { entry, offset } : null;
}

/** The position that a slot points at; 0 where it is absent. */
function pointed(view: DataView, table: number, slot: number): number {
  const found = slotOf(view, table, slot);
  if (!found) return 0;
  const at = table + found.offset;
  return at + view.getUint32(at, true);
}
