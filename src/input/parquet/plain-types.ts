// Writers that know Arrow leave its schema in the footer, as base64 under the key ARROW:schema (a message of an Arrow
// stream; Schema.fbs, Message.fbs). Readers give columns the types of that schema where they can. For two kinds of type
// we do not want them to:
//
//   dictionary   every row group comes with a dictionary of its own; in Parquet it is an encoding, not a type
//   views        their buffers vary in number from batch to batch, and nothing else of ours has them
//
// Such columns are told to be of their values' type. It is done in place, byte for byte, since the lengths of all that
// stands around it must not change; what cannot be made sense of stays as it is, for the decoder to complain about.

const KEY = "ARROW:schema";
/** Thrift's compact protocol: the field after the last one, of type binary. */
const NEXT_BINARY = 0x18;

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

/** Tables may be pointed at more than once, so that a small schema could be walked for ever. */
const MOST_FIELDS = 1 << 20;

/** Changes a Parquet footer so that its Arrow schema, where it has one, knows neither dictionaries nor views. */
export function usePlainTypes(footer: Uint8Array): void {
  const place = schemaText(footer);
  if (!place) return;
  const text = Buffer.from(footer.buffer, footer.byteOffset, footer.byteLength)
    .subarray(...place)
    .toString("latin1");
  const schema = Buffer.from(text, "base64");
  if (schema.toString("base64") !== text) return;
  try {
    plainSchema(
      new DataView(schema.buffer, schema.byteOffset, schema.byteLength),
    );
  } catch (error) {
    if (error instanceof RangeError) return;
    throw error;
  }
  footer.set(Buffer.from(schema.toString("base64"), "latin1"), place[0]);
}

/** Where the base64 of the Arrow schema stands in a footer. */
function schemaText(footer: Uint8Array): [start: number, end: number] | null {
  const key = Buffer.from(footer.buffer, footer.byteOffset, footer.byteLength);
  let at = key.indexOf(KEY);
  if (at < 0) return null;
  at += KEY.length;
  if (footer[at++] !== NEXT_BINARY) return null;
  let length = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = footer[at++];
    if (byte === undefined) return null;
    length += (byte & 127) * factor;
    if (byte < 128) break;
  }
  return at + length <= footer.byteLength ? [at, at + length] : null;
}

/** @throws RangeError where the bytes are not a schema's */
function plainSchema(view: DataView): void {
  const marked = view.getUint32(0, true) === 0xffffffff;
  const start = marked ? 8 : 4;
  const message = start + view.getUint32(start, true);
  const header = pointed(view, message, HEADER_SLOT);
  if (!header) return;
  let left = MOST_FIELDS;
  const visit = (table: number, slot: number): void => {
    const vector = pointed(view, table, slot);
    if (!vector) return;
    const count = view.getUint32(vector, true);
    for (let k = 1; k <= count; k++) {
      if (left-- <= 0) throw new RangeError("fields without end");
      const at = vector + 4 * k;
      const field = at + view.getUint32(at, true);
      plainField(view, field);
      visit(field, FIELD.children);
    }
  };
  visit(header, FIELDS_SLOT);
}

function plainField(view: DataView, field: number): void {
  const kind = slotOf(view, field, FIELD.typeKind);
  if (kind) {
    const plain = PLAIN.get(view.getUint8(field + kind.offset));
    if (plain) view.setUint8(field + kind.offset, plain);
  }
  const dictionary = slotOf(view, field, FIELD.dictionary);
  if (!dictionary) return;
  // A slot of offset 0 is one that is absent. Fields may share these offsets: those that do have dictionaries, all.
  view.setUint16(dictionary.entry, 0, true);
  // What is said there is of the dictionary: the values that an enumeration may have, and the like.
  const metadata = slotOf(view, field, FIELD.metadata);
  if (metadata) view.setUint16(metadata.entry, 0, true);
}

/** A table's slot: where its offset is noted, and the offset; null where it is absent. */
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

/** What a slot points at; 0 where it is absent. */
function pointed(view: DataView, table: number, slot: number): number {
  const found = slotOf(view, table, slot);
  if (!found) return 0;
  const at = table + found.offset;
  return at + view.getUint32(at, true);
}
