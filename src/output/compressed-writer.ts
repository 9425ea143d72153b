import { framed, recordBatchMessage } from "../arrow/encode-messages.js";
import { ConfigurationError } from "../errors.js";
import { checkPackageFile } from "../io/system-error.js";
import { openThreads, type Threads } from "../pool/piscina-threads.js";
import { CODECS, type Codec } from "../results/catalogue.js";
import {
  type CompressReply,
  type CompressTask,
  maxCompressedBytes,
} from "../tasks/compress-tasks.js";
import { ArrowWriter } from "./arrow-writer.js";
import {
  type BatchNulls,
  batchFields,
  type Piece,
  type PositionedBatch,
} from "./jacobian-file.js";

/** The built worker, next to the bundle that contains this module. */
const WORKER_URL = new URL("./compress.js", import.meta.url);

type Compressors = Threads<CompressTask, CompressReply>;

/** Opens a writer that compresses the bodies of record batches on `threads` threads, or with 0 on the main thread. */
export async function openCompressedWriter(
  codec: Codec,
  threads: number,
  ...target: ConstructorParameters<typeof ArrowWriter>
): Promise<ArrowWriter> {
  const compressors = await openCompressors(threads, codec);
  const atOnce = Math.max(1, threads);
  return new CompressedWriter(codec, compressors, atOnce, ...target);
}

/** Opens threads that take no cores from the kernel's, which mostly wait: compression has a tenth of the kernel's speed. */
async function openCompressors(
  threads: number,
  codec: Codec,
): Promise<Compressors> {
  checkPackageFile(CODECS[codec].file);
  const compressors =
    threads > 0
      ? await openThreads<CompressTask, CompressReply>(WORKER_URL, threads)
      : await thisThread();
  return {
    run: (task) =>
      compressors.run(task).catch((cause) => {
        // An error from another thread has only its message.
        if (cause?.message !== "ENOMEM") throw cause;
        throw new ConfigurationError(
          `${codec}: the system gives no memory for WebAssembly, which reserves about 10 GB of address space for each thread; raise the limit (ulimit -v), use fewer --threads, or write without --compress`,
          { cause },
        );
      }),
    close: () => compressors.close(),
  };
}

async function thisThread(): Promise<Compressors> {
  const { default: run } = await import("../../workers/compress.js");
  return { run, close: async () => {} };
}

/** Memory for the plain and the compressed body of one record batch. */
type BodySlot = Pick<CompressTask, "source" | "target">;

/**
 * Compresses the bodies of record batches, buffer by buffer. Several batches are compressed concurrently and written in order.
 * Dictionaries stay uncompressed.
 */
class CompressedWriter extends ArrowWriter {
  /** Memory that no batch uses; null if not allocated yet. */
  readonly #free: (BodySlot | null)[];
  /** One promise for each batch that is not written yet, in order. */
  readonly #writing: Promise<void>[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(
    private readonly codec: Codec,
    private readonly compressors: Compressors,
    atOnce: number,
    ...target: ConstructorParameters<typeof ArrowWriter>
  ) {
    super(...target);
    this.#free = new Array(atOnce).fill(null);
  }

  override async batch(
    batch: PositionedBatch,
    nulls: BatchNulls,
    pieces: Iterable<Piece>,
  ): Promise<void> {
    while (this.#free.length === 0) await this.#writing.shift();
    const memory = this.#free.pop();
    const { buffers } = batch.layout;
    const slot = {
      source: atLeast(memory?.source, batch.bodyBytes),
      target: atLeast(memory?.target, maxCompressedBytes(buffers)),
    };
    const source = new Uint8Array(slot.source);
    for (const { offset, bytes } of pieces) source.set(bytes, offset);
    const task = { ...slot, codec: this.codec, buffers };
    const compressed = this.compressors.run(task);
    compressed.catch(() => {});
    const writing = this.#write(batch, nulls, slot, compressed, this.#last);
    // Later writes and the end of the file await this promise and throw its error.
    writing.catch(() => {});
    this.#last = writing;
    this.#writing.push(writing);
  }

  async #write(
    batch: PositionedBatch,
    nulls: BatchNulls,
    slot: BodySlot,
    compressed: Promise<CompressReply>,
    before: Promise<void>,
  ): Promise<void> {
    await before;
    const { buffers, bodyBytes } = await compressed;
    const metadata = recordBatchMessage({
      ...batchFields(batch, nulls),
      buffers,
      bodyBytes,
      compression: CODECS[this.codec].method,
    });
    const offset = this.position;
    const message = framed(metadata, offset);
    await this.file.add(message);
    await this.file.add(new Uint8Array(slot.target, 0, bodyBytes));
    const metadataBytes = message.byteLength;
    this.written({ offset, metadataBytes, bodyBytes });
    super.reportWritten(metadataBytes + bodyBytes);
    this.#free.push(slot);
  }

  /** Does nothing, because compressed bytes are reported. */
  override reportWritten(): void {}

  override async end(): Promise<number> {
    await this.#last;
    return super.end();
  }

  override async close(): Promise<void> {
    await this.compressors.close();
    await Promise.allSettled([...this.#writing, this.#last]);
    await super.close();
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
