import { integerAt } from "./read-window.js";

/** Maximum ratio of bytes read to buffer size. Writers may share strings and tables, but not to this extent. */
const MAX_SHARING = 16;

/**
 * Reads untrusted flatbuffers (google.github.io/flatbuffers/internals). Every access is checked against the buffer, and the
 * total of bytes read is limited, so that cyclic or shared tables cannot cause unbounded work. A field's slot is its index in
 * the .fbs file.
 */
export class Flatbuffer {
  readonly #view: DataView;
  #bytesLeft: number;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#bytesLeft = MAX_SHARING * bytes.byteLength;
  }

  /** Counts bytes against the limit; shared bytes count each time they are read. */
  charge(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0)
      throw new MalformedFlatbuffer("tables or strings are shared too often");
  }

  root(): FlatTable {
    return this.tableAt(this.int(0, 4, false));
  }

  tableAt(position: number): FlatTable {
    this.charge(4);
    return new FlatTable(this, position);
  }

  check(position: number, bytes: number): void {
    if (position < 0 || position + bytes > this.#view.byteLength) {
      throw new MalformedFlatbuffer(
        `${bytes} bytes at byte ${position} lie outside its ${this.#view.byteLength} bytes`,
      );
    }
  }

  /** Reads a little-endian integer; rejects integers beyond ±2^53. */
  int(at: number, bytes: number, signed = true): number {
    this.check(at, bytes);
    const value = integerAt(this.#view, at, bytes, signed);
    if (!Number.isSafeInteger(value))
      throw new MalformedFlatbuffer(
        `${this.#view.getBigInt64(at, true)} is beyond 2^53`,
      );
    return value;
  }

  string(at: number): string {
    const length = this.int(at, 4, false);
    this.check(at + 4, length);
    this.charge(length);
    return utf8.decode(
      new Uint8Array(this.#view.buffer, this.#view.byteOffset + at + 4, length),
    );
  }
}

const utf8 = new TextDecoder();

/** Error for a flatbuffer that is invalid or exceeds the limit of sharing. */
export class MalformedFlatbuffer extends Error {}

export class FlatTable {
  readonly #buffer: Flatbuffer;
  readonly #position: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;
  /** Size of the table without the data that its fields point to. */
  readonly #bytes: number;

  constructor(buffer: Flatbuffer, position: number) {
    this.#buffer = buffer;
    this.#position = position;
    this.#vtable = position - buffer.int(position, 4);
    this.#vtableBytes = buffer.int(this.#vtable, 2, false);
    this.#bytes = buffer.int(this.#vtable + 2, 2, false);
    // vtable: uint16 vtable bytes | uint16 table bytes | uint16 offset per field. Table: int32 distance to the vtable | fields.
    if (this.#vtableBytes < 4 || this.#vtableBytes % 2 || this.#bytes < 4)
      throw new MalformedFlatbuffer(
        `a table of ${this.#bytes} bytes with a vtable of ${this.#vtableBytes} bytes`,
      );
    buffer.check(this.#vtable, this.#vtableBytes);
    buffer.check(position, this.#bytes);
  }

  /** Returns the position of a field of `bytes` bytes; 0 if it is absent. */
  #field(slot: number, bytes: number): number {
    const entry = 4 + 2 * slot;
    if (entry >= this.#vtableBytes) return 0;
    const offset = this.#buffer.int(this.#vtable + entry, 2, false);
    if (offset === 0) return 0;
    if (offset < 4 || offset + bytes > this.#bytes)
      throw new MalformedFlatbuffer(
        `a field at byte ${offset} in a table of ${this.#bytes} bytes`,
      );
    return this.#position + offset;
  }

  #indirect(slot: number): number {
    const at = this.#field(slot, 4);
    return at === 0 ? 0 : at + this.#buffer.int(at, 4, false);
  }

  /** Reads an integer of 1 to 8 bytes; a single byte is unsigned. */
  int(slot: number, bytes: number, absent = 0): number {
    const at = this.#field(slot, bytes);
    return at === 0 ? absent : this.#buffer.int(at, bytes, bytes > 1);
  }
  string(slot: number): string | null {
    const at = this.#indirect(slot);
    return at === 0 ? null : this.#buffer.string(at);
  }
  table(slot: number): FlatTable | null {
    const at = this.#indirect(slot);
    return at === 0 ? null : this.#buffer.tableAt(at);
  }
  tables(slot: number): FlatTable[] {
    return this.#vector(slot, 4, (at) =>
      this.#buffer.tableAt(at + this.#buffer.int(at, 4, false)),
    );
  }
  /** Reads a vector of structs or scalars of `bytes` bytes each. */
  structs<T>(
    slot: number,
    bytes: number,
    read: (buffer: Flatbuffer, at: number) => T,
  ): T[] {
    return this.#vector(slot, bytes, (at) => read(this.#buffer, at));
  }

  #vector<T>(slot: number, bytes: number, read: (at: number) => T): T[] {
    const at = this.#indirect(slot);
    if (at === 0) return [];
    const length = this.#buffer.int(at, 4, false);
    this.#buffer.check(at + 4, length * bytes);
    this.#buffer.charge(length * bytes);
    return Array.from({ length }, (_, k) => read(at + 4 + k * bytes));
  }
}
