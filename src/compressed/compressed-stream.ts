import type { Field } from "../arrow/field.js";
import {
  decodeMessage,
  type MessageMetadata,
} from "../input/arrow-metadata.js";
import type { Sequential } from "../io/sequential.js";
import {
  type BlockPlace,
  type KeyValues,
  recordBatchMessage,
} from "../output/arrow-encode.js";
import {
  endOfStream,
  framed,
  layoutTail,
  magic,
  tailPiece,
} from "../output/jacobian-file.js";
import type { Compressors } from "./compressors.js";
import { type BodyTarget, MessageSplitter } from "./message-splitter.js";
import { CODECS, type Codec, mostCompressedBytes } from "./protocol.js";

export interface CompressedStreamSpec {
  codec: Codec;
  compressors: Compressors;
  /** Record batches that are compressed at once. */
  atOnce: number;
  /** Takes an Arrow file from its first byte, or what of it is a stream. */
  target: Sequential;
  /** What the footer tells; null: there is none, since the target takes a stream. */
  footer: { fields: Field[]; metadata: KeyValues } | null;
  /** Told of bytes that the target has taken. */
  wrote: (bytes: number) => void;
}

type Batch = NonNullable<MessageMetadata["batch"]>;

/**
 * Takes the plain stream that a writer makes, and writes the same with the bodies of record batches compressed, buffer by
 * buffer. As many as `atOnce` are in memory, and leave in order. Dictionaries stay as they are.
 */
export class CompressedStream {
  /** The record batches written so far. */
  readonly batches: BlockPlace[] = [];
  readonly #dictionaries: BlockPlace[] = [];
  readonly #splitter: MessageSplitter;
  readonly #slots: BodySlots;
  /** Of the batches on their way, in order: fulfilled once each has been written. */
  readonly #onTheirWay: Promise<void>[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(private readonly spec: CompressedStreamSpec) {
    this.#slots = new BodySlots(spec.atOnce);
    this.#splitter = new MessageSplitter(
      (metadata) => this.#message(metadata),
      () => this.#finish(),
    );
  }

  /** Bytes of the compressed file so far. */
  get position(): number {
    return this.spec.target.position;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#splitter.add(bytes);
  }

  /** Waits until nothing is being written, whatever becomes of it. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#onTheirWay);
    await this.spec.target.settled();
  }

  async #message(metadata: Uint8Array<ArrayBuffer>): Promise<BodyTarget> {
    const message = decodeMessage(metadata);
    if (message.header === "RecordBatch")
      return this.#batch(message.batch as Batch, message.bodyBytes);
    const { target } = this.spec;
    if (target.position === 0) await target.add(magic());
    const place = await this.#add(metadata, message.bodyBytes);
    if (message.header === "DictionaryBatch") this.#dictionaries.push(place);
    return {
      bytes: message.bodyBytes,
      add: (piece) => target.add(piece),
      end: async () => {},
    };
  }

  async #batch(batch: Batch, bodyBytes: number): Promise<BodyTarget> {
    while (this.#slots.free === 0) await this.#onTheirWay.shift();
    const most = mostCompressedBytes(batch.buffers);
    const slot = this.#slots.take(bodyBytes, most);
    const body = new Uint8Array(slot.source);
    let filled = 0;
    return {
      bytes: bodyBytes,
      add: (piece) => {
        body.set(piece, filled);
        filled += piece.byteLength;
      },
      end: async () => {
        const { codec, compressors } = this.spec;
        const compressed = compressors.run({
          ...slot,
          codec,
          buffers: batch.buffers,
        });
        // told in its turn
        compressed.catch(() => {});
        const before = this.#last;
        const written = (async () => {
          await before;
          const { buffers, bodyBytes } = await compressed;
          const compression = CODECS[codec];
          const message = { ...batch, buffers, bodyBytes, compression };
          const place = await this.#add(recordBatchMessage(message), bodyBytes);
          await this.spec.target.add(new Uint8Array(slot.target, 0, bodyBytes));
          this.batches.push(place);
          this.spec.wrote(place.metadataBytes + bodyBytes);
          this.#slots.give(slot);
        })();
        written.catch(() => {});
        this.#last = written;
        this.#onTheirWay.push(written);
      },
    };
  }

  /** Adds a message's metadata, framed for its place. */
  async #add(metadata: Uint8Array, bodyBytes: number): Promise<BlockPlace> {
    const { target } = this.spec;
    const offset = target.position;
    const bytes = framed(metadata, offset);
    await target.add(bytes);
    return { offset, metadataBytes: bytes.byteLength, bodyBytes };
  }

  async #finish(): Promise<void> {
    await this.#last;
    const { footer, target } = this.spec;
    const tail = tailPiece(
      layoutTail(
        footer ?? { fields: [], metadata: [] },
        this.#dictionaries,
        this.batches,
        target.position,
      ),
    );
    await target.add((footer ? tail : endOfStream(tail)).bytes);
    await target.finish();
  }
}

/** Memory for one record batch: its body, plain and compressed. */
interface BodySlot {
  source: SharedArrayBuffer;
  target: SharedArrayBuffer;
}

/** Reusable memory, since most record batches have one size. */
class BodySlots {
  readonly #free: (BodySlot | null)[];

  constructor(count: number) {
    this.#free = new Array(count).fill(null);
  }

  get free(): number {
    return this.#free.length;
  }

  /** Takes a free slot, which must exist, with room for `bytes`. */
  take(sourceBytes: number, targetBytes: number): BodySlot {
    const known = this.#free.pop();
    return {
      source: withRoom(known?.source, sourceBytes),
      target: withRoom(known?.target, targetBytes),
    };
  }

  give(slot: BodySlot): void {
    this.#free.push(slot);
  }
}

function withRoom(
  memory: SharedArrayBuffer | undefined,
  bytes: number,
): SharedArrayBuffer {
  return memory && memory.byteLength >= bytes
    ? memory
    : new SharedArrayBuffer(bytes);
}
