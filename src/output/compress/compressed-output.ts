import {
  framed,
  type KeyValues,
  type MessageBlock,
  recordBatchMessage,
} from "../../arrow/encode-messages.js";
import type { Field } from "../../arrow/field.js";
import {
  type BatchMetadata,
  decodeMessage,
} from "../../input/arrow-metadata.js";
import type { Sequential } from "../../io/sequential.js";
import { checkPackageFile } from "../../io/system-error.js";
import { openThreads, type Threads } from "../../pool/piscina-threads.js";
import {
  CODECS,
  type Codec,
  type CompressReply,
  type CompressTask,
  maxCompressedBytes,
} from "../../tasks/compress-tasks.js";
import { layoutTail, magic, tailPiece } from "../jacobian-file.js";
import { openSequential, type PendingOutput } from "../output-target.js";
import { openStreamedOutput } from "../streamed-output.js";

/** The built worker, next to the bundle that contains this module. */
const WORKER_URL = new URL("./compress.js", import.meta.url);

export interface CompressedOutputSpec {
  codec: Codec;
  /** Fields and metadata in the footer of a file. */
  file: { fields: Field[]; metadata: KeyValues };
  /** Ring buffer of the plain output, in bytes (output/streamed-output.ts). */
  ringBytes: number;
  /** Number of compression threads; 0 compresses on the main thread. */
  threads: number;
}

/**
 * Opens an output that takes the plain stream of a writer, compresses the bodies of record batches, and passes it to
 * `pending`.
 */
export async function openCompressedOutput(
  { codec, file, ringBytes, threads }: CompressedOutputSpec,
  pending: PendingOutput,
): Promise<PendingOutput> {
  const compressors = await openCompressors(threads, codec);
  const target = openSequential(pending);
  const stream = new CompressedStream(
    { codec, file, compressors, pending, target },
    Math.max(1, threads),
  );
  const plain = openStreamedOutput(ringBytes, {
    write: (bytes) => stream.write(bytes),
    end: () => pending.commit(),
    destroy: () => pending.stop?.(),
  });
  return {
    ...plain,
    bytes: () => target.position,
    async discard() {
      await plain.discard();
      await compressors.close();
      await stream.settled();
      await pending.discard();
    },
    async commit() {
      await plain.commit();
      await compressors.close();
    },
  };
}

/**
 * Opens threads for compression; 0 compresses on the main thread. They do not take cores from the kernel's threads, which
 * mostly wait: compression has a tenth of the kernel's speed.
 */
async function openCompressors(
  threads: number,
  codec: Codec,
): Promise<Threads<CompressTask, CompressReply>> {
  checkPackageFile(
    codec === "zstd" ? "wasm-zstd.wasm" : "lz4_wasm_nodejs_bg.wasm",
  );
  if (threads > 0) return openThreads(WORKER_URL, threads);
  const { default: compress } = await import("../../../workers/compress.js");
  return { run: compress, close: async () => {} };
}

interface CompressedStreamSpec
  extends Pick<CompressedOutputSpec, "codec" | "file"> {
  compressors: Threads<CompressTask, CompressReply>;
  pending: PendingOutput;
  /** Destination of the compressed bytes. */
  target: Sequential;
}

/** Memory for the plain and the compressed body of one record batch. */
type BodySlot = Pick<CompressTask, "source" | "target">;

/**
 * Compresses the bodies of record batches in an Arrow stream, buffer by buffer. Several batches are compressed concurrently and
 * written in order. Dictionaries stay uncompressed.
 *
 * A message of the stream is FFFFFFFF, the length of its metadata, the metadata (which contains the length of the body), and
 * the body. A length of 0 ends the stream.
 */
class CompressedStream {
  readonly #batches: MessageBlock[] = [];
  readonly #dictionaries: MessageBlock[] = [];
  /** Memory that no batch uses; null if not allocated yet. */
  readonly #free: (BodySlot | null)[];
  /** One promise for each batch that is not written yet, in order. */
  readonly #writing: Promise<void>[] = [];
  #last: Promise<void> = Promise.resolve();
  /** Bytes of the last write that are not read yet. */
  #rest: Uint8Array = new Uint8Array(0);
  readonly #messages = this.#read();

  constructor(
    private readonly spec: CompressedStreamSpec,
    atOnce: number,
  ) {
    this.#free = new Array(atOnce).fill(null);
  }

  /** Accepts the bytes of the stream, in pieces of any size. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#rest = bytes;
    await this.#messages.next();
  }

  /** Waits until nothing is being written; ignores errors. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#writing, this.#last]);
    await this.spec.target.settled();
  }

  /** Reads messages; waits for the next `write` when all bytes are read. */
  async *#read(): AsyncGenerator<void> {
    const { target } = this.spec;
    const prefix = new Uint8Array(8);
    for (;;) {
      yield* this.#fill(prefix);
      const length = new DataView(prefix.buffer).getInt32(4, true);
      if (length === 0) return this.#finish();
      const metadata = new Uint8Array(length);
      yield* this.#fill(metadata);
      const { header, batch, bodyBytes } = decodeMessage(metadata);
      if (batch && header === "RecordBatch") {
        const slot = await this.#slotOf(batch, bodyBytes);
        yield* this.#fill(new Uint8Array(slot.source, 0, bodyBytes));
        this.#compress(batch, slot);
        continue;
      }
      if (target.position === 0) await target.add(magic());
      const block = await this.#add(metadata, bodyBytes);
      if (header === "DictionaryBatch") this.#dictionaries.push(block);
      for (let left = bodyBytes; left > 0; ) {
        const piece = yield* this.#take(left);
        await target.add(piece);
        left -= piece.byteLength;
      }
    }
  }

  async *#fill(memory: Uint8Array): AsyncGenerator<void> {
    for (let filled = 0; filled < memory.byteLength; ) {
      const piece = yield* this.#take(memory.byteLength - filled);
      memory.set(piece, filled);
      filled += piece.byteLength;
    }
  }

  /** Takes the next bytes, at most `max`. */
  async *#take(max: number): AsyncGenerator<void, Uint8Array> {
    while (this.#rest.byteLength === 0) yield;
    const piece = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(piece.byteLength);
    return piece;
  }

  async #slotOf(batch: BatchMetadata, bodyBytes: number): Promise<BodySlot> {
    while (this.#free.length === 0) await this.#writing.shift();
    const memory = this.#free.pop();
    return {
      source: atLeast(memory?.source, bodyBytes),
      target: atLeast(memory?.target, maxCompressedBytes(batch.buffers)),
    };
  }

  #compress(batch: BatchMetadata, slot: BodySlot): void {
    const { codec, compressors } = this.spec;
    const { buffers } = batch;
    const compressed = compressors.run({ ...slot, codec, buffers });
    const writing = this.#writeBatch(batch, slot, compressed, this.#last);
    // Later writes and the end of the stream await this promise and throw its error.
    writing.catch(() => {});
    this.#last = writing;
    this.#writing.push(writing);
  }

  async #writeBatch(
    batch: BatchMetadata,
    slot: BodySlot,
    compressed: Promise<CompressReply>,
    before: Promise<void>,
  ): Promise<void> {
    compressed.catch(() => {});
    await before;
    const { codec, pending, target } = this.spec;
    const { buffers, bodyBytes } = await compressed;
    const message = {
      ...batch,
      buffers,
      bodyBytes,
      compression: CODECS[codec],
    };
    const block = await this.#add(recordBatchMessage(message), bodyBytes);
    await target.add(new Uint8Array(slot.target, 0, bodyBytes));
    this.#batches.push(block);
    pending.reportWritten(block.metadataBytes + bodyBytes);
    this.#free.push(slot);
  }

  /** Writes the metadata of a message, with padding for its offset. */
  async #add(metadata: Uint8Array, bodyBytes: number): Promise<MessageBlock> {
    const { target } = this.spec;
    const offset = target.position;
    const bytes = framed(metadata, offset);
    await target.add(bytes);
    return { offset, metadataBytes: bytes.byteLength, bodyBytes };
  }

  async #finish(): Promise<void> {
    await this.#last;
    const { file, pending, target } = this.spec;
    const tail = layoutTail(
      file,
      this.#dictionaries,
      this.#batches,
      target.position,
    );
    const isStream = pending.stream !== undefined;
    await target.add(tailPiece(tail, isStream).bytes);
    await target.finish();
  }
}

function atLeast(
  memory: SharedArrayBuffer | undefined,
  bytes: number,
): SharedArrayBuffer {
  return memory && memory.byteLength >= bytes
    ? memory
    : new SharedArrayBuffer(bytes);
}
