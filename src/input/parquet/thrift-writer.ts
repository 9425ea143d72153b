// Thrift's compact protocol, written: only what a Parquet footer of fewer columns needs.

/** Types of fields and list elements, as stored. */
export const I32 = 5;
export const I64 = 6;
export const BINARY = 8;
export const LIST = 9;
export const STRUCT = 12;

/** A field of a struct: its number, its type and its encoded value. */
export type EncodedField = readonly [
  id: number,
  type: number,
  value: Uint8Array,
];

/** Encodes a struct; the numbers of its fields ascend by at most 15. */
export function encodeStruct(fields: readonly EncodedField[]): Buffer {
  let last = 0;
  const parts = fields.flatMap(([id, type, value]) => {
    const head = ((id - last) << 4) | type;
    last = id;
    return [Uint8Array.of(head), value];
  });
  return Buffer.concat([...parts, Uint8Array.of(0)]);
}

/** Encodes a list of encoded elements. */
export function encodeList(
  type: number,
  elements: readonly Uint8Array[],
): Buffer {
  return Buffer.concat([
    Uint8Array.of(0xf0 | type),
    varint(elements.length),
    ...elements,
  ]);
}

/** Encodes a whole number of 32 or 64 bits. */
export function encodeInteger(value: number): Buffer {
  return varint(value < 0 ? -2 * value - 1 : 2 * value);
}

export function encodeBytes(bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(bytes.byteLength), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128))
    bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
