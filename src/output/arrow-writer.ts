import type { CopiedDictionary } from "../arrow/copied-nodes.js";
import {
  dictionaryMessage,
  framed,
  type MessageBlock,
} from "../arrow/encode-messages.js";
import type { Read } from "../arrow/read-window.js";
import { PositionalFile, type Sequential } from "../io/sequential.js";
import {
  type BatchNulls,
  batchMetadata,
  encodeTail,
  type JacobianFileHead,
  type JacobianFileHeadSpec,
  type Piece,
  type PositionedBatch,
  STREAM_START,
} from "./jacobian-file.js";
import type { OutputTarget } from "./output-target.js";

/** Writes the messages of an Arrow file: its head, its record batches in order, and its end. */
export class ArrowWriter {
  #dictionaries: MessageBlock[] = [];
  readonly #batches: MessageBlock[] = [];

  constructor(
    private readonly output: OutputTarget,
    private readonly spec: Pick<JacobianFileHeadSpec, "fields" | "metadata">,
    protected readonly file: Sequential,
  ) {}

  /** Whether all bytes are written in order; otherwise workers write columns to their offsets in the file. */
  get isOrdered(): boolean {
    return !(this.file instanceof PositionalFile);
  }

  /** Offset of the next message. */
  get position(): number {
    return this.file.position;
  }

  /** Writes magic, schema and dictionaries; `read` reads the bodies from the input. */
  async begin(
    head: JacobianFileHead,
    sources: readonly CopiedDictionary[],
    read: Read,
  ): Promise<void> {
    this.#dictionaries = head.dictionaries;
    for (const { offset, bytes } of headPieces(head, sources, read))
      await this.file.add(bytes, offset);
    await this.padTo(head.end);
  }

  /**
   * Writes a record batch. `pieces` are bytes of its body, by ascending offset from the start of the body. Resolves when their
   * memory may be changed.
   */
  async batch(
    batch: PositionedBatch,
    nulls: BatchNulls,
    pieces: Iterable<Piece>,
  ): Promise<void> {
    const { bodyStart, bodyBytes } = batch;
    const { offset, bytes } = batchMetadata(batch, nulls);
    await this.file.add(bytes, offset);
    for (const { offset, bytes } of pieces)
      await this.file.add(bytes, bodyStart + offset);
    await this.padTo(bodyStart + bodyBytes);
    this.written(batch);
  }

  /** Reports written bytes of bodies to the output. */
  reportWritten(bytes: number): void {
    this.output.reportWritten(bytes);
  }

  /** Writes the end of the file. Returns the size of the output. */
  async end(): Promise<number> {
    const { file, spec, output } = this;
    const isStream = output.stream !== undefined;
    const blocks = [this.#dictionaries, this.#batches] as const;
    await file.add(encodeTail(spec, ...blocks, isStream), file.position);
    await file.finish();
    return file.position - (isStream ? STREAM_START : 0);
  }

  /** Waits until nothing is being written; ignores errors. */
  async close(): Promise<void> {
    await this.file.settled();
  }

  /** Adds a written batch to those of the footer. */
  protected written(batch: MessageBlock): void {
    this.#batches.push(batch);
  }

  private padTo(position: number): Promise<void> {
    return this.file.add(new Uint8Array(0), position);
  }
}

const COPY_BYTES = 1 << 20;

/** Yields magic, schema and dictionaries. */
function* headPieces(
  head: JacobianFileHead,
  sources: readonly CopiedDictionary[],
  read: Read,
): Generator<Piece> {
  yield { offset: 0, bytes: head.start };
  for (const [k, { offset, metadataBytes }] of head.dictionaries.entries()) {
    const source = sources[k] as CopiedDictionary;
    yield { offset, bytes: framed(encodeDictionary(source), offset) };
    const start = offset + metadataBytes;
    if (source.body) {
      yield { offset: start, bytes: source.body };
      continue;
    }
    for (let done = 0; done < source.bodyBytes; done += COPY_BYTES) {
      const bytes = Math.min(COPY_BYTES, source.bodyBytes - done);
      yield {
        offset: start + done,
        bytes: read(source.bodyStart + done, bytes),
      };
    }
  }
}

/** Encodes the metadata of a dictionary from decoded fields, since the input's metadata is untrusted. */
export function encodeDictionary(source: CopiedDictionary): Uint8Array {
  const { id, isDelta, batch, bodyBytes } = source;
  const { rows, nodes, buffers } = batch;
  return dictionaryMessage(id, isDelta, { rows, nodes, buffers, bodyBytes });
}
