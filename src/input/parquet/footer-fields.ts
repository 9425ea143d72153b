// A Parquet footer is one struct, FileMetaData (parquet.thrift), in Thrift's compact protocol
// (thrift-compact-protocol.md). Only which fields it has is asked here: the decoder reads the rest.

/** FileMetaData.encryption_algorithm: there in files whose columns are encrypted, but not the footer. */
export const ENCRYPTION_ALGORITHM = 8;

const STOP = 0;
const LAST_BOOLEAN = 2;
const BYTE = 3;
const LAST_INTEGER = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const STRUCT = 12;

/** A count of elements in four bits that says that the count itself follows. */
const LONG_COUNT = 15;
/** Footers nest about eight deep. */
const MAX_DEPTH = 32;

/** Numbers of the fields that a footer has, as far as it can be made sense of. */
export function footerFields(footer: Uint8Array): Set<number> {
  const found = new Set<number>();
  try {
    new Fields(footer).skipStruct(0, (id) => found.add(id));
  } catch (error) {
    // The decoder will say so, too.
    if (!(error instanceof RangeError)) throw error;
  }
  return found;
}

class Fields {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  skipStruct(depth: number, visit: (id: number) => void = () => {}): void {
    for (let id = 0; ; ) {
      const head = this.#byte();
      const type = head & 15;
      if (type === STOP) return;
      const step = head >> 4;
      // A step of 0: the number itself follows, zigzag.
      id = step ? id + step : this.#varint() / 2;
      visit(id);
      if (type > LAST_BOOLEAN) this.#skip(type, depth);
    }
  }

  #skip(type: number, depth: number): void {
    if (depth > MAX_DEPTH) throw new RangeError("structs without end");
    if (type <= BYTE) this.#advance(1);
    else if (type <= LAST_INTEGER) this.#varint();
    else if (type === DOUBLE) this.#advance(8);
    else if (type === BINARY) this.#advance(this.#varint());
    else if (type === LIST || type === SET) this.#skipList(depth + 1);
    else if (type === STRUCT) this.skipStruct(depth + 1);
    else throw new RangeError(`a type ${type} that footers do not have`);
  }

  #skipList(depth: number): void {
    const head = this.#byte();
    const short = head >> 4;
    const count = short === LONG_COUNT ? this.#varint() : short;
    for (let k = 0; k < count; k++) this.#skip(head & 15, depth);
  }

  #byte(): number {
    const byte = this.bytes[this.#at++];
    if (byte === undefined) throw new RangeError("the footer ends too early");
    return byte;
  }

  #advance(bytes: number): void {
    this.#at += bytes;
    if (this.#at > this.bytes.byteLength)
      throw new RangeError("the footer ends too early");
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }
}
