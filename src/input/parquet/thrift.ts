// Thrift's compact protocol (thrift-compact-protocol.md), in which Parquet's metadata is written: read field by field,
// without a copy, and without believing it.

const STOP = 0;
const TRUE = 1;
const LAST_BOOLEAN = 2;
const BYTE = 3;
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

/** Integers of 64 bits have ten groups of seven at most. */
const MOST_FACTOR = 128 ** 10;

/** What was found in metadata that cannot be. */
export class MalformedThrift extends Error {}

export class ThriftReader {
  /** Of the next byte. */
  position = 0;
  #depth = 0;
  /** Type of the value that is read next, as its field or list states it. */
  #type = STRUCT;

  constructor(private readonly bytes: Uint8Array) {}

  /**
   * Reads a struct; `field` reads the value of a field, or returns false for one that is to be skipped. `flag` gets the
   * boolean fields.
   */
  struct(
    field: (id: number) => boolean,
    flag: (id: number, value: boolean) => void = () => {},
  ): void {
    this.#expect(STRUCT, STRUCT);
    this.#nested(() => {
      for (let id = 0; ; ) {
        const head = this.#byte();
        const type = head & 15;
        if (type === STOP) return;
        const step = head >> 4;
        // A step of 0: the number itself follows.
        id = step ? id + step : this.#zigzag();
        this.#type = type;
        if (type <= LAST_BOOLEAN) flag(id, type === TRUE);
        else if (!field(id)) this.#skip(type);
      }
    });
  }

  /** Reads a list; `element` reads each of its elements. */
  list(element: (type: number) => void): void {
    this.#expect(LIST, SET);
    this.#nested(() => {
      const head = this.#byte();
      const short = head >> 4;
      const count = short === LONG_COUNT ? this.#varint() : short;
      for (let k = 0; k < count; k++) {
        this.#type = head & 15;
        element(this.#type);
      }
    });
  }

  /** Reads an integer of 32 or 64 bits, exact to 2^53. Parquet's metadata has others only where they are not read. */
  integer(): number {
    this.#expect(I32, I64);
    return this.#zigzag();
  }

  #zigzag(): number {
    const zigzag = this.#varint();
    return zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
  }

  /** Returns the bytes from a position to the next byte. */
  since(position: number): Uint8Array {
    return this.bytes.subarray(position, this.position);
  }

  text(): string {
    this.#expect(BINARY, BINARY);
    const start = this.#advance(this.#varint());
    return utf8.decode(this.bytes.subarray(start, this.position));
  }

  #skip(type: number): void {
    if (type <= BYTE) this.#advance(1);
    else if (type <= I64) this.#varint();
    else if (type === DOUBLE) this.#advance(8);
    else if (type === BINARY) this.#advance(this.#varint());
    else if (type === LIST || type === SET) this.list((of) => this.#skip(of));
    else if (type === STRUCT) this.struct(() => false);
    else throw new MalformedThrift(`values of type ${type}`);
  }

  /** Bytes of another type than the one expected would be read as numbers that nobody wrote. */
  #expect(...types: number[]): void {
    if (!types.includes(this.#type))
      throw new MalformedThrift(`a value of type ${this.#type}`);
  }

  #nested(read: () => void): void {
    if (++this.#depth > MAX_DEPTH)
      throw new MalformedThrift(`structs nested more than ${MAX_DEPTH} deep`);
    read();
    this.#depth--;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; factor < MOST_FACTOR; factor *= 128) {
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
