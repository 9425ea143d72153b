// Thrift's compact protocol (thrift-compact-protocol.md), in which Parquet's metadata is written. A shape lists the fields
// to read or write; other fields are skipped. Nothing that the bytes declare is trusted.

/** Form of a value; `struct` stands for the encoded bytes of a struct. */
type Shape =
  | "integer"
  | "flag"
  | "text"
  | "struct"
  | readonly [Shape]
  | StructShape;

/** Fields of a struct: their numbers (at most 15 apart), names and shapes. */
export interface StructShape {
  readonly [id: number]: readonly [name: string, shape: Shape];
}

/** The value of a shape. Every field of a struct may be missing. */
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

/** A count of elements in four bits that says that the count itself follows. */
const LONG_COUNT = 15;
/** Parquet's metadata nests about eight deep. */
const MAX_DEPTH = 32;
/** Integers of 64 bits have at most ten groups of seven. */
const MAX_FACTOR = 128 ** 10;

/** The reason why metadata is not valid. */
export class MalformedThrift extends Error {}

/** Reads a struct from the first byte on; `end` is the position of the byte after it. @throws MalformedThrift */
export function decodeThrift<S extends StructShape>(
  bytes: Uint8Array,
  shape: S,
): { value: Shaped<S>; end: number } {
  const decoder = new Decoder(bytes);
  const value = decoder.value(STRUCT, shape) as Shaped<S>;
  return { value, end: decoder.position };
}

class Decoder {
  /** Of the next byte. */
  position = 0;
  #depth = 0;

  constructor(private readonly bytes: Uint8Array) {}

  /** Reads a value of a type; without a shape it is skipped. */
  value(type: number, shape?: Shape): unknown {
    // Bytes of another type would be read as numbers that nobody wrote.
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
        const found = this.#nested(() => this.#struct(fields));
        return isWhole ? this.bytes.slice(start, this.position) : found;
      }
      default:
        throw new MalformedThrift(`values of type ${type}`);
    }
  }

  #struct(shape: StructShape | undefined): Record<string, unknown> {
    const found: Record<string, unknown> = {};
    for (let id = 0; ; ) {
      const head = this.#byte();
      const type = head & 15;
      if (type === STOP) return found;
      const step = head >> 4;
      // A step of 0: the number itself follows.
      id = step ? id + step : this.#integer();
      const field = shape?.[id];
      const value = this.value(type, field?.[1]);
      if (field) found[field[0]] = value;
    }
  }

  #list(shape: readonly [Shape] | undefined): unknown[] {
    const found: unknown[] = [];
    const head = this.#byte();
    const short = head >> 4;
    const count = short === LONG_COUNT ? this.#varint() : short;
    // A flag in a list is a byte.
    const type = Math.max(head & 15, BYTE);
    for (let k = 0; k < count; k++) {
      const value = this.value(type, shape?.[0]);
      if (shape) found.push(value);
    }
    return found;
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH)
      throw new MalformedThrift(`structs nested more than ${MAX_DEPTH} deep`);
    const value = read();
    this.#depth--;
    return value;
  }

  /** Reads an integer of 32 or 64 bits, exact to 2^53. Parquet's metadata has others only where they are not read. */
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

  /** Steps over bytes; returns where they start. */
  #advance(bytes: number): number {
    const start = this.position;
    this.position += bytes;
    if (this.position > this.bytes.byteLength)
      throw new MalformedThrift("an end too early");
    return start;
  }
}

const utf8 = new TextDecoder();

/** Types that a value of a shape may have, the one that is written first. An integer of 32 bits is read from one of 64, too. */
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
    // Parquet's lists of integers are lists of enumerations, which have 32 bits.
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
