import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { aligned } from "../../arrow/encode-messages.js";
import {
  bufferBytes,
  buffersOf,
  offsetBytes,
  storedType,
} from "../../arrow/field.js";
import { integerAt, viewOf } from "../../arrow/read-window.js";
import type { AnonymousFile } from "../../io/anonymous-file.js";
import type { ByteRange } from "../../io/fetched-ranges.js";
import { checkLimit } from "../../io/limits.js";
import { checkSpace } from "../../io/system-error.js";
import type { DecompressTask } from "../../tasks/decompress-tasks.js";
import type {
  BatchMetadata,
  Block,
  MessageMetadata,
} from "../arrow-metadata.js";
import { dictionaryFields } from "../dictionaries.js";
import type { Opening } from "../logits-file.js";
import { failing, inputReader, requireInput } from "../read-input.js";
import type { ColumnSpan, RecordBatch } from "../record-batch.js";
import {
  type ArrowContainer,
  dictionaryBatches,
  recordBatches,
} from "../record-batches.js";
import { decompressAll } from "./decompress-all.js";

/**
 * Decompresses the columns at `indices` and their dictionaries to an anonymous file, and returns the container with these
 * bodies. Returns a container without compressed bodies unchanged. Declared lengths are checked before decompression.
 * @throws InputFormatError, IoError if there is no space, AbortedError
 */
export async function decompressBodies(
  container: ArrowContainer,
  indices: readonly number[],
  options: Pick<Opening, "temporary" | "signal">,
): Promise<ArrowContainer> {
  const { path, schema } = container;
  const batches = Array.from(recordBatches(container), (record) => {
    const spans = indices.map((index) => record.columns[index] as ColumnSpan);
    return bodyOf(record, spans);
  });
  const fields = dictionaryFields(
    path,
    indices.flatMap((index) => schema.fields[index] ?? []),
  );
  const dictionaries = Array.from(
    dictionaryBatches(container, fields),
    (record) => bodyOf(record, record.columns),
  );
  const bodies = [...batches, ...dictionaries];
  if (bodies.every(({ batch }) => !batch.compression)) return container;
  requireInput(container, bodies.flatMap(sourceBytes));
  const target = options.temporary.open(path);
  const blocks = new Map<Block, Block>();
  const messages = new Map<Block, MessageMetadata>();
  // An offset of 0 means that a buffer is absent.
  target.reserve(64);
  // Decoded one by one, so that the buffers of a dictionary are contiguous: its body is copied whole.
  for (const group of [batches, ...dictionaries.map((body) => [body])]) {
    const offset = target.bytes;
    await decodeGroup(container, target, group, options);
    const bodyBytes = target.bytes - offset;
    for (const { block: original, context, message, ...body } of group) {
      const originalOffset = context.position;
      const block = { offset, metadataBytes: 0, bodyBytes, originalOffset };
      blocks.set(original, block);
      const batch = plainBatch(body, offset);
      messages.set(block, { ...message, bodyBytes, batch });
    }
  }
  const decodedBlock = (block: Block) => blocks.get(block) ?? [];
  return {
    ...container,
    fd: target.fd,
    bytes: target.bytes,
    present: null,
    recordBatches: container.recordBatches.flatMap(decodedBlock),
    dictionaries: container.dictionaries.flatMap(decodedBlock),
    message: (block) => messages.get(block) as MessageMetadata,
  };
}

function bodyOf(record: RecordBatch, spans: ColumnSpan[]): Body {
  const needed = spans.flatMap((span) => neededBuffers(record.batch, span));
  return { ...record, needed, decoded: new Map() };
}

function sourceBytes({ batch, context, needed }: Body): ByteRange[] {
  return needed.map(({ index }) => {
    const { offset = 0, length = 0 } = batch.buffers[index] ?? {};
    const start = context.bodyStart + offset;
    return { start, end: start + length };
  });
}

/** Decodes the needed buffers of bodies: first buffers of known size, then values whose size the decoded offsets state. */
async function decodeGroup(
  container: ArrowContainer,
  target: AnonymousFile,
  bodies: Body[],
  { temporary, signal }: Pick<Opening, "temporary" | "signal">,
): Promise<void> {
  const { path, fd } = container;
  const { directory = tmpdir() } = temporary;
  for (const isKnown of [true, false]) {
    const tasks: DecompressTask[] = [];
    let free = target.bytes;
    for (const body of bodies)
      for (const needed of body.needed) {
        if ((needed.bytes !== null) !== isKnown) continue;
        const where = `${body.context.where}, column ${needed.column}`;
        const task = decompressTask(container, target.fd, body, needed, where);
        if (!task) continue;
        task.target = free;
        const length = task.decodedBytes;
        body.decoded.set(needed.index, { offset: free, length });
        free = aligned(free + length);
        tasks.push(task);
      }
    checkLimit(container, "bodies", "maxDecodedBytes", free);
    // The temporary file is elsewhere if the directory does not exist yet.
    if (existsSync(directory)) checkSpace(path, directory, free - target.bytes);
    target.reserve(free - target.bytes);
    const setup = { source: fd, target: target.fd };
    await decompressAll(path, setup, tasks, signal);
  }
}

/** Returns the metadata of a batch whose decoded body starts at `bodyStart` of the target file. */
function plainBatch(
  { batch, decoded }: Pick<Body, "batch" | "decoded">,
  bodyStart: number,
): BatchMetadata {
  const buffers = batch.buffers.map((_, index) => {
    const { offset = bodyStart, length = 0 } = decoded.get(index) ?? {};
    return { offset: offset - bodyStart, length };
  });
  return { ...batch, compression: null, buffers };
}

/** Buffer that a run may read. */
interface NeededBuffer {
  /** Index of the buffer in the batch. */
  index: number;
  column: string;
  /**
   * Size in bytes that the type and the number of values imply. Null if the last of its `offsets` states the size, or without
   * offsets (the data of views) only the buffer itself.
   */
  bytes: number | null;
  offsets: { index: number; width: number; count: number } | null;
}

/** Returns the buffers of a column, its children and the structs around it. */
function neededBuffers(batch: BatchMetadata, span: ColumnSpan): NeededBuffer[] {
  const { field, node, parents, children } = span;
  const { length, nullCount } = batch.nodes[node] as BatchMetadata["nodes"][0];
  const type = storedType(field);
  const layouts = buffersOf(type);
  const width = offsetBytes(type);
  const count = length === 0 ? 0 : length + 1;
  const buffers = Array.from({ length: span.buffers }, (_, k): NeededBuffer => {
    const index = span.buffer + k;
    const layout = layouts[k];
    const isKnown = layout !== undefined && layout.bits > 0;
    const isText = layout !== undefined && !isKnown && width > 0;
    return {
      index,
      column: field.name,
      bytes: isKnown ? bufferBytes(layout, { length, nullCount }) : null,
      offsets: isText ? { index: index - 1, width, count } : null,
    };
  });
  const inner = children.flatMap((child) => neededBuffers(batch, child));
  // Structs around a nested column have validity bitmaps.
  const outer = parents.flatMap((parent) =>
    neededBuffers(batch, { ...parent, children: [] }),
  );
  return [...outer, ...buffers, ...inner];
}

/**
 * Returns the task that decodes a buffer; null for an empty buffer. Its declared length must match its type.
 * @param targetFd file with the offsets that were decoded already
 * @throws InputFormatError
 */
function decompressTask(
  container: ArrowContainer,
  targetFd: number,
  { batch, context, decoded }: Body,
  { index, bytes, offsets }: NeededBuffer,
  where: string,
): DecompressTask | null {
  const { buffers, compression } = batch;
  const { offset, length } = buffers[index] as BatchMetadata["buffers"][number];
  const fail = failing(container, where);
  const expected = offsets
    ? lastOffset(container.path, targetFd, offsets, decoded)
    : bytes;
  if (expected === 0 || (expected === null && length === 0)) return null;
  if (expected !== null && expected < 0)
    fail(`expected a last offset of 0 or more, found ${expected}`);
  if (![null, "LZ4_FRAME", "ZSTD"].includes(compression))
    fail("only LZ4_FRAME and ZSTD compression are supported");
  const start = context.bodyStart + offset;
  // A compressed buffer starts with an int64: its decoded length, or -1 if it is stored uncompressed.
  let declared = -1;
  const prefix = compression === null ? 0 : 8;
  if (prefix > 0) {
    if (length < prefix)
      fail(`expected at least 8 bytes of compressed data, found ${length}`);
    const header = inputReader(container)(start, prefix);
    declared = Number(new BigInt64Array(header.buffer)[0]);
  }
  const position = start + prefix;
  const stored = { where, position, bytes: length - prefix, target: 0 };
  const required = expected ?? (declared === -1 ? stored.bytes : declared);
  if (declared === -1) {
    if (stored.bytes < required)
      fail(
        `expected a buffer of at least ${required} bytes, found ${stored.bytes}`,
      );
    return { ...stored, bytes: required, codec: null, decodedBytes: required };
  }
  // Most writers pad buffers before compression.
  if (declared < Math.max(required, 0) || declared > aligned(required))
    fail(
      `expected a decompressed length of ${required} bytes, found ${declared}`,
    );
  const codec = compression as "LZ4_FRAME" | "ZSTD";
  return { ...stored, codec, decodedBytes: declared };
}

/** Returns the last offset of a text column, which is the size of its values. */
function lastOffset(
  path: string,
  fd: number,
  { index, width, count }: NonNullable<NeededBuffer["offsets"]>,
  decoded: Body["decoded"],
): number {
  if (count === 0) return 0;
  const start = decoded.get(index)?.offset ?? 0;
  const read = inputReader({ path, fd, present: null });
  const last = viewOf(read(start + (count - 1) * width, width));
  return integerAt(last, 0, width);
}

/** Batch, and the location of its decoded buffers. */
interface Body extends RecordBatch {
  needed: NeededBuffer[];
  /** Location of each decoded buffer in the target file, by index in the batch. */
  decoded: Map<number, { offset: number; length: number }>;
}
