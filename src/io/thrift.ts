// Thrift's compact protocol (thrift-compact-protocol.md), the encoding of Parquet's metadata. A shape lists the fields to read
// or write; other fields are skipped. Input is untrusted.

/** Type of a value; `struct` means the encoded bytes of a struct. */
type Shape =
  | "integer"
  | "flag"
  | "text"
  | "struct"
  | readonly [Shape]
  | StructShape;

/** Fields of a struct: ids (at most 15 apart), names and shapes. */
export interface StructShape {
  readonly [id: number]: readonly [name: string, shape: Shape];
}

/** Value of a shape. Any field of a struct may be missing. */
export type Shaped<S> = S extends "integer"
  ? number
  : S extends "flag"
    ? boolean
    : S extends "text"
      ? string
      : S extends "struct"
        ? Uint8Array
        : S extends readonly [infer Element]
          ? Shaped<Element>[]
          : {
              [Id in keyof S as NameOf<S[Id]>]?: ShapeOf<S[Id]> | undefined;
            };

type NameOf<F> = F extends readonly [infer N extends string, Shape] ? N : never;
type ShapeOf<F> = F extends readonly [string, infer S] ? Shaped<S> : never;

const STOP = 0;
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I32 = 5;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

/** Value of the 4-bit element count if the count follows as a varint. */
const LONG_COUNT = 15;
/** Limit on nesting; Parquet's metadata has about eight levels. */
const MAX_DEPTH = 32;
/** Limit on varints: 64 bits are at most ten groups of seven. */
const MAX_FACTOR = 128 ** 10;

/** Metadata is not valid Thrift; the message gives the reason. */
export class MalformedThrift extends Error {}

/** Decodes a struct at the start of `bytes`; `end` is the offset after it. @throws MalformedThrift */
export function decodeThrift<S extends StructShape>(
  bytes: Uint8Array,
  shape: S,
): { value: Shaped<S>; end: number } {
  const decoder = new Decoder(bytes);
  const value = decoder.value(STRUCT, shape) as Shaped<S>;
  return { value, end: decoder.position };
}

class Decoder {
  /** Offset of the next byte. */
  position = 0;
  #depth = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** Reads a value of a wire type; skips it if there is no shape. */
  value(type: number, shape?: Shape): unknown {
    if (shape !== undefined && !typesOf(shape).includes(type))
      throw new MalformedThrift(`a value of type ${type}`);
    switch (type) {
      case TRUE:
      case FALSE:
        return type === TRUE;
      case BYTE:
        return this.#advance(1);
      case I16:
      case I32:
      case I64:
        return this.#integer();
      case DOUBLE:
        return this.#advance(8);
      case BINARY: {
        const start = this.#advance(this.#varint());
        return shape && utf8.decode(this.bytes.subarray(start, this.position));
      }
      case LIST:
      case SET:
        return this.#nested(() => this.#list(shape as [Shape] | undefined));
      case STRUCT: {
        const start = this.position;
        const isWhole = shape === "struct";
        const fields = isWhole ? undefined : (shape as StructShape | undefined);
        const value = this.#nested(() => this.#struct(fields));
        return isWhole ? this.bytes.slice(start, this.position) : value;
      }
      default:
        throw new MalformedThrift(`values of type ${type}`);
    }
  }

  #struct(shape: StructShape | undefined): Record<string, unknown> {
    const struct: Record<string, unknown> = {};
    for (let id = 0; ; ) {
      const head = this.#byte();
      const type = head & 15;
      if (type === STOP) return struct;
      const step = head >> 4;
      // If the difference of ids is 0, the id follows.
      id = step ? id + step : this.#integer();
      const field = shape?.[id];
      const value = this.value(type, field?.[1]);
      if (field) struct[field[0]] = value;
    }
  }

  #list(shape: readonly [Shape] | undefined): unknown[] {
    const list: unknown[] = [];
    const head = this.#byte();
    const short = head >> 4;
    const count = short === LONG_COUNT ? this.#varint() : short;
    // Booleans in lists take a byte each.
    const type = Math.max(head & 15, BYTE);
    for (let k = 0; k < count; k++) {
      const value = this.value(type, shape?.[0]);
      if (shape) list.push(value);
    }
    return list;
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH)
      throw new MalformedThrift(`structs nested more than ${MAX_DEPTH} deep`);
    const value = read();
    this.#depth--;
    return value;
  }

  /** Reads a zigzag integer, exact up to 2^53. The fields that softjac reads have no larger ones. */
  #integer(): number {
    const zigzag = this.#varint();
    return zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; factor < MAX_FACTOR; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new MalformedThrift("an integer of more than 64 bits");
  }

  #byte(): number {
    return this.bytes[this.#advance(1)] as number;
  }

  /** Skips bytes; returns their offset. */
  #advance(bytes: number): number {
    const start = this.position;
    this.position += bytes;
    if (this.position > this.bytes.byteLength)
      throw new MalformedThrift("an end too early");
    return start;
  }
}

const utf8 = new TextDecoder();

/** Returns the wire types that a shape accepts, the one to write first. */
function typesOf(shape: Shape): readonly number[] {
  if (shape === "integer") return [I64, I32];
  if (shape === "flag") return [TRUE, FALSE];
  if (shape === "text") return [BINARY];
  return Array.isArray(shape) ? [LIST, SET] : [STRUCT];
}

export function encodeThrift<S extends StructShape>(
  shape: S,
  fields: Shaped<S>,
): Buffer {
  return encoded(shape, fields);
}

function encoded(shape: Shape, value: unknown): Buffer {
  if (shape === "integer") return integer(value as number);
  if (shape === "struct") return Buffer.from(value as Uint8Array);
  if (shape === "text") {
    const text = Buffer.from(value as string);
    return Buffer.concat([varint(text.length), text]);
  }
  if (Array.isArray(shape)) {
    const [element] = shape as unknown as [Shape];
    const values = (value as unknown[]).map((each) => encoded(element, each));
    // Integer lists in Parquet's metadata are lists of enums (i32).
    const type = element === "integer" ? I32 : (typesOf(element)[0] as number);
    const head = Buffer.of((LONG_COUNT << 4) | type);
    return Buffer.concat([head, varint(values.length), ...values]);
  }
  const parts: Uint8Array[] = [];
  let last = 0;
  for (const [id, [name, inner]] of Object.entries(shape as StructShape)) {
    const found = (value as Record<string, unknown>)[name];
    if (found === undefined) continue;
    const head = ((Number(id) - last) << 4) | (typesOf(inner)[0] as number);
    parts.push(Buffer.of(head), encoded(inner, found));
    last = Number(id);
  }
  return Buffer.concat([...parts, Buffer.of(STOP)]);
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
