// Thrift's compact protocol, written: only what a Parquet footer needs.

/** Integers, texts, encoded structs, and lists of structs or small integers, by field number (at most 15 apart). */
export type EncodedFields = {
  [id: number]: number | string | Uint8Array | List | null;
};
type List = readonly Uint8Array[] | Int32Array;

const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

export function encodeStruct(fields: EncodedFields): Buffer {
  const parts: Uint8Array[] = [];
  let last = 0;
  for (const [id, value] of Object.entries(fields)) {
    if (value === null) continue;
    const add = (type: number, ...bytes: Uint8Array[]) =>
      parts.push(Uint8Array.of(((Number(id) - last) << 4) | type), ...bytes);
    // An integer of 32 bits is read from one of 64, too.
    if (typeof value === "number") add(I64, integer(value));
    else if (typeof value === "string")
      add(BINARY, varint(Buffer.byteLength(value)), Buffer.from(value));
    else if (value instanceof Uint8Array) add(STRUCT, value);
    else if (value instanceof Int32Array)
      add(LIST, ...list(I32, Array.from(value, integer)));
    else add(LIST, ...list(STRUCT, value));
    last = Number(id);
  }
  return Buffer.concat([...parts, Uint8Array.of(0)]);
}

function list(type: number, elements: readonly Uint8Array[]): Uint8Array[] {
  return [Uint8Array.of(0xf0 | type), varint(elements.length), ...elements];
}

function integer(value: number): Buffer {
  return varint(value < 0 ? -2 * value - 1 : 2 * value);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128))
    bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
