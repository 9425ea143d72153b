import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { AnonymousFile } from "../../io/anonymous-file.js";
import type { ByteRange } from "../../io/fetched-ranges.js";
import { checkLimit } from "../../io/limits.js";
import { checkSpace, outputCall } from "../../io/system-error.js";
import type { DecompressTask } from "../../tasks/decompress-tasks.js";
import { failureError } from "../../tasks/failure.js";
import {
  type Block,
  type MessageMetadata,
  positionOf,
} from "../arrow-metadata.js";
import { dictionaryFields } from "../dictionaries.js";
import type { OpenOptions } from "../logits-file.js";
import { requireInput } from "../read-input.js";
import type { ColumnSpan, RecordBatch } from "../record-batch.js";
import {
  type ArrowContainer,
  dictionaryBatches,
  recordBatches,
} from "../record-batches.js";
import {
  type Body,
  decompressTask,
  neededBuffers,
  PADDING,
  padded,
} from "./decode-task.js";
import { decompressAll } from "./decompress-all.js";

/**
 * Decompresses the columns at `indices` and their dictionaries to an anonymous file, and returns the container with these
 * bodies. Returns a container without compressed bodies unchanged. Declared lengths are checked before decompression.
 * @throws InputFormatError, IoError if there is no space, AbortedError
 */
export async function decompressBodies(
  container: ArrowContainer,
  indices: readonly number[],
  options: Pick<OpenOptions, "scratch" | "signal">,
): Promise<ArrowContainer> {
  const { path, schema } = container;
  const batches = Array.from(recordBatches(container), (record) =>
    bodyOf(
      record,
      indices.map((index) => record.columns[index] as ColumnSpan),
    ),
  );
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
  const target = outputCall(
    path,
    COPY_FAILED,
    () => new AnonymousFile(options.scratch),
  );
  try {
    // An offset of 0 means that a buffer is absent.
    target.reserve(PADDING);
    // Decoded one by one, so that the buffers of a dictionary are contiguous: its body is copied whole.
    for (const group of [batches, ...dictionaries.map((body) => [body])])
      await decodeGroup(container, target, group, options);
    return plainContainer(container, target, bodies);
  } catch (error) {
    target.close();
    throw error;
  }
}

const COPY_FAILED = "could not be decompressed to a temporary file";

function bodyOf(record: RecordBatch, spans: ColumnSpan[]): Body {
  const needed = spans.flatMap((span) => neededBuffers(record.batch, span));
  return { ...record, needed, start: 0, end: 0, decoded: new Map() };
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
  { scratch = tmpdir(), signal }: Pick<OpenOptions, "scratch" | "signal">,
): Promise<void> {
  const { path, fd } = container;
  const start = target.bytes;
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
        free = padded(free + length);
        tasks.push(task);
      }
    checkLimit(container, "bodies", "maxDecodedBytes", "decoded bytes", free);
    // The temporary file is elsewhere if the directory does not exist yet.
    if (existsSync(scratch)) checkSpace(path, scratch, free - target.bytes);
    target.reserve(free - target.bytes);
    const setup = { source: fd, target: target.fd };
    const failed = await decompressAll(setup, tasks, signal);
    if (failed)
      throw failureError(failed.failure, {
        input: path,
        output: path,
        writing: COPY_FAILED,
      });
  }
  for (const body of bodies) Object.assign(body, { start, end: target.bytes });
}

function plainContainer(
  container: ArrowContainer,
  target: AnonymousFile,
  bodies: Body[],
): ArrowContainer {
  const messages = new Map<Block, MessageMetadata>();
  const blocks = new Map<Block, Block>();
  for (const body of bodies) {
    const { block: original, message, batch, decoded, start, end } = body;
    const block = {
      offset: start,
      metadataBytes: 0,
      bodyBytes: end - start,
      originalOffset: positionOf(original),
    };
    blocks.set(original, block);
    const buffers = batch.buffers.map((_, index) => {
      const { offset, length } = decoded.get(index) ?? {
        offset: start,
        length: 0,
      };
      return { offset: offset - start, length };
    });
    messages.set(block, {
      ...message,
      bodyBytes: block.bodyBytes,
      batch: { ...batch, compression: null, buffers },
    });
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
    close: () => {
      target.close();
      container.close();
    },
  };
}
