import { tmpdir } from "node:os";
import { InputFormatError } from "../../errors.js";
import { AnonymousFile } from "../../io/anonymous-file.js";
import type { ByteRange } from "../../io/fetched-ranges.js";
import { checkLimit } from "../../io/limits.js";
import {
  checkSpace,
  inputError,
  ioError,
  outputCall,
  systemErrorOf,
} from "../../io/system-error.js";
import type { DecompressTask } from "../../tasks/decompress-tasks.js";
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
  neededBuffers,
  PADDING,
  padded,
  taskOf,
} from "./decode-task.js";
import { decompressAll, type FailedReply } from "./decompressors.js";

/**
 * Returns the container with plain bodies: the columns at `places`, and their dictionaries, are decoded into an anonymous
 * file. A container in which nothing is compressed is returned unchanged.
 *
 * The length that a compressed buffer declares must be what its type demands, before a byte of it is decoded.
 * @throws InputFormatError, IoError where there is no space, AbortedError
 */
export async function decompressed(
  container: ArrowContainer,
  places: readonly number[],
  options: Pick<OpenOptions, "scratch" | "signal">,
): Promise<ArrowContainer> {
  const { path, schema } = container;
  const batches = Array.from(recordBatches(container), (found) =>
    bodyOf(
      found,
      places.map((place) => found.columns[place] as ColumnSpan),
    ),
  );
  const fields = dictionaryFields(
    path,
    places.flatMap((place) => schema.fields[place] ?? []),
  );
  const dictionaries = Array.from(
    dictionaryBatches(container, fields),
    (found) => bodyOf(found, found.columns),
  );
  const bodies = [...batches, ...dictionaries];
  if (bodies.every(({ batch }) => !batch.compression)) return container;
  requireInput(container, bodies.flatMap(sourceBytes));
  const target = outputCall(
    path,
    KEPT,
    () => new AnonymousFile(options.scratch),
  );
  try {
    // An offset of 0 means that a buffer is absent.
    target.reserve(PADDING);
    // A dictionary's body is copied as a whole: its buffers stay together.
    for (const group of [batches, ...dictionaries.map((body) => [body])])
      await decodeGroup(container, target, group, options);
    return plainContainer(container, target, bodies);
  } catch (error) {
    target.close();
    throw error;
  }
}

const KEPT = "could not be decompressed to a temporary file";

function bodyOf(found: RecordBatch, spans: ColumnSpan[]): Body {
  const needed = spans.flatMap((span) => neededBuffers(found.batch, span));
  return { ...found, needed, start: 0, end: 0, placed: new Map() };
}

/** Returns where the needed buffers are in the input. */
function sourceBytes({ batch, context, needed }: Body): ByteRange[] {
  return needed.map(({ place }) => {
    const { offset = 0, length = 0 } = batch.buffers[place] ?? {};
    const start = context.bodyStart + offset;
    return { start, end: start + length };
  });
}

/** Decodes the needed buffers of some bodies: first those of known size, then texts, whose size their offsets state. */
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
    const wheres: string[] = [];
    let free = target.bytes;
    for (const body of bodies)
      for (const needed of body.needed) {
        if ((needed.bytes !== null) !== isKnown) continue;
        const where = `${body.context.where}, column ${needed.column}`;
        const task = taskOf(container, target.fd, body, needed, where);
        if (!task) continue;
        task.target = free;
        const length = task.decodedBytes;
        body.placed.set(needed.place, { offset: free, length });
        free = padded(free + length);
        tasks.push(task);
        wheres.push(where);
      }
    checkLimit(container, "bodies", "maxDecodedBytes", "decoded bytes", free);
    checkSpace(path, scratch, free - target.bytes);
    target.reserve(free - target.bytes);
    const setup = { source: fd, target: target.fd };
    const failed = await decompressAll(setup, tasks, signal);
    if (failed)
      throw failure(path, wheres[failed.task] as string, failed.reply);
  }
  for (const body of bodies) Object.assign(body, { start, end: target.bytes });
}

function failure(path: string, where: string, reply: FailedReply): Error {
  if (reply.kind === "damaged")
    return new InputFormatError(path, where, reply.text);
  const cause = systemErrorOf(reply);
  return reply.side === "output"
    ? ioError(path, KEPT, cause)
    : inputError(path, "could not be read", cause);
}

/** Returns the decoded bodies as a container, whose buffers are at positions of the target. */
function plainContainer(
  container: ArrowContainer,
  target: AnonymousFile,
  bodies: Body[],
): ArrowContainer {
  const messages = new Map<Block, MessageMetadata>();
  const blocks = new Map<Block, Block>();
  for (const { block: old, message, batch, placed, start, end } of bodies) {
    const block = {
      offset: start,
      metadataBytes: 0,
      bodyBytes: end - start,
      originalOffset: positionOf(old),
    };
    blocks.set(old, block);
    const buffers = batch.buffers.map((_, place) => {
      const { offset, length } = placed.get(place) ?? {
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
  const decoded = (block: Block) => blocks.get(block) ?? [];
  return {
    ...container,
    fd: target.fd,
    bytes: target.bytes,
    present: null,
    recordBatches: container.recordBatches.flatMap(decoded),
    dictionaries: container.dictionaries.flatMap(decoded),
    message: (block) => messages.get(block) as MessageMetadata,
    close: () => {
      target.close();
      container.close();
    },
  };
}
