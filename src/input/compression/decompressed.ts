import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { InputFormatError, IoError } from "../../errors.js";
import type { ByteRange } from "../../io/present-blocks.js";
import { UnnamedFile } from "../../io/unnamed-file.js";
import type { ArrowContainer } from "../arrow-container.js";
import type { Block, MessageMetadata } from "../arrow-metadata.js";
import { type ColumnSpan, columnSpans } from "../column-spans.js";
import { checkLimit } from "../limits.js";
import type { OpenOptions } from "../logits-file.js";
import { readInput, requireInput } from "../read-input.js";
import { checkBatchShape } from "../record-batch.js";
import { recordBatches } from "../record-batches.js";
import { type NeededBuffer, neededBuffers } from "./column-buffers.js";
import { decompressAll, type FailedReply } from "./decompressors.js";
import type { DecompressTask } from "./protocol.js";

/** A message whose bodies are decoded, and where that goes. */
interface Body {
  where: string;
  message: MessageMetadata;
  bodyStart: number;
  needed: NeededBuffer[];
  /** Where its buffers go in the target, from `start` on; the others of the batch have no bytes. */
  start: number;
  end: number;
  placed: Map<number, { offset: number; length: number }>;
}

/** Buffers are padded to so many bytes by most writers, before they are compressed too. */
const PADDING = 64;

/**
 * The same container with plain bodies: the columns at `places` (of dictionaries those with ids in `dictionaryIds`) are
 * decoded into a file without a name. A container in which nothing is compressed is given back as it is.
 *
 * What a compressed buffer says of its length must be what its type demands, before a byte of it is decoded.
 * @throws InputFormatError, IoError where there is no room, AbortedError
 */
export async function decompressed(
  container: ArrowContainer,
  places: readonly number[],
  options: Pick<OpenOptions, "scratch" | "signal">,
): Promise<ArrowContainer> {
  const batches = batchBodies(container, places);
  const dictionaries = dictionaryBodies(container, places);
  const bodies = [...batches, ...dictionaries];
  if (bodies.every(([, { message }]) => !message.batch?.compression))
    return container;
  requireInput(
    container,
    bodies.flatMap(([, body]) => sourceBytes(body)),
  );
  const target = openTarget(container.path, options.scratch);
  try {
    // Nothing stands at 0, which means that there is nothing.
    target.reserve(PADDING);
    await decodeAll(
      container,
      target,
      // A dictionary's body is copied as a whole: its buffers stay together.
      [
        batches.map(([, body]) => body),
        ...dictionaries.map(([, body]) => [body]),
      ],
      options,
    );
    return plainContainer(container, target, bodies);
  } catch (error) {
    target.close();
    throw error;
  }
}

function openTarget(path: string, scratch?: string): UnnamedFile {
  try {
    return new UnnamedFile(scratch);
  } catch (cause) {
    throw keepError(path, (cause as NodeJS.ErrnoException).code ?? "unknown");
  }
}

function keepError(path: string, code: string): IoError {
  return new IoError(path, `could not be kept while it is decoded: ${code}`);
}

function batchBodies(
  container: ArrowContainer,
  places: readonly number[],
): [Block, Body][] {
  const blocks = container.recordBatches;
  return [...recordBatches(container)].map(({ context, batch, columns }, k) => {
    const block = blocks[k] as Block;
    const message = container.message(block, context.where);
    const spans = places.map((place) => columns[place] as ColumnSpan);
    const needed = spans.flatMap((span) =>
      neededBuffers(container.path, batch, span),
    );
    return [block, bodyOf(context.where, message, block, needed)];
  });
}

function dictionaryBodies(
  container: ArrowContainer,
  places: readonly number[],
): [Block, Body][] {
  const { path, schema, dictionaries } = container;
  const ofId = new Map(
    places.flatMap((place) => {
      const field = schema.fields[place];
      return field?.dictionary ? [[field.dictionary.id, field] as const] : [];
    }),
  );
  return dictionaries.flatMap((block, k): [Block, Body][] => {
    const where = `dictionary batch ${k}`;
    const message = container.message(block, where);
    const field = message.dictionary && ofId.get(message.dictionary.id);
    if (!field || !message.batch) return [];
    const plain = { ...field, dictionary: null };
    const spans = columnSpans([plain], message.batch.variadicCounts);
    const bodyStart = block.offset + block.metadataBytes;
    const { bodyBytes } = block;
    const context = { path, where, bodyStart, bodyBytes };
    checkBatchShape(context, message.batch, spans);
    const [span] = spans.columns as [ColumnSpan];
    const needed = neededBuffers(path, message.batch, span);
    return [[block, bodyOf(where, message, block, needed)]];
  });
}

function bodyOf(
  where: string,
  message: MessageMetadata,
  block: Block,
  needed: NeededBuffer[],
): Body {
  const bodyStart = block.offset + block.metadataBytes;
  const placed: Body["placed"] = new Map();
  return { where, message, bodyStart, needed, start: 0, end: 0, placed };
}

/** Decodes every needed buffer, group by group: those first whose size is known, then the texts, whose offsets tell it. */
async function decodeAll(
  container: ArrowContainer,
  target: UnnamedFile,
  groups: Body[][],
  { scratch = tmpdir(), signal }: Pick<OpenOptions, "scratch" | "signal">,
): Promise<void> {
  const { path, fd } = container;
  const setup = { source: fd, target: target.fd };
  const decode = async (
    bodies: Body[],
    wanted: (of: NeededBuffer) => boolean,
  ) => {
    const tasks: DecompressTask[] = [];
    const places: string[] = [];
    let free = target.bytes;
    for (const body of bodies)
      for (const needed of body.needed.filter(wanted)) {
        const where = `${body.where}, column ${needed.column}`;
        const task = taskOf(container, target.fd, body, needed, where);
        if (!task) continue;
        task.target = free;
        const length = task.decodedBytes;
        body.placed.set(needed.place, { offset: free, length });
        free = padded(free + length);
        tasks.push(task);
        places.push(where);
      }
    checkLimit(container, "bodies", "maxDecodedBytes", "decoded bytes", free);
    checkRoom(path, scratch, free - target.bytes);
    target.reserve(free - target.bytes);
    const failed = await decompressAll(setup, tasks, signal);
    if (failed)
      throw failure(path, places[failed.task] as string, failed.reply);
  };
  for (const bodies of groups) {
    const start = target.bytes;
    await decode(bodies, ({ bytes }) => bytes !== null);
    await decode(bodies, ({ bytes }) => bytes === null);
    for (const body of bodies)
      Object.assign(body, { start, end: target.bytes });
  }
}

/** Where the buffers stand that are decoded. */
function sourceBytes({ message, bodyStart, needed }: Body): ByteRange[] {
  const buffers = message.batch?.buffers ?? [];
  return needed.map(({ place }) => {
    const { offset, length } = buffers[place] as (typeof buffers)[number];
    const start = bodyStart + offset;
    return { start, end: start + length };
  });
}

function failure(path: string, where: string, reply: FailedReply): Error {
  if (reply.kind === "damaged")
    return new InputFormatError(path, where, reply.text);
  return reply.side === "kept"
    ? keepError(path, reply.code)
    : new IoError(path, `could not be read: ${reply.code}`);
}

/** How a buffer is decoded, once what it says of itself is what its type demands; null: it has no bytes. */
function taskOf(
  container: ArrowContainer,
  targetFd: number,
  { message, bodyStart, placed }: Body,
  needed: NeededBuffer,
  where: string,
): DecompressTask | null {
  const { path } = container;
  const { buffers, compression } = message.batch as NonNullable<
    MessageMetadata["batch"]
  >;
  const { offset, length } = buffers[needed.place] as (typeof buffers)[number];
  const fail = (text: string): never => {
    throw new InputFormatError(path, where, text);
  };
  const known = needed.offsets
    ? lastOffset(path, targetFd, needed.offsets, placed)
    : needed.bytes;
  if (known === 0 || (known === null && length === 0)) return null;
  if (known !== null && known < 0)
    fail(`expected offsets of 0 or more, found ${known} at their end`);
  if (![null, "LZ4_FRAME", "ZSTD"].includes(compression))
    fail(
      `expected LZ4_FRAME or ZSTD compression, found ${compression} compression`,
    );
  const start = bodyStart + offset;
  const declared =
    compression === null ? -1 : lengthInFront(container, start, length, where);
  const [position, bytes] =
    compression === null ? [start, length] : [start + 8, length - 8];
  const demanded = known ?? (declared === -1 ? bytes : declared);
  if (declared === -1) {
    if (bytes < demanded)
      fail(`expected a buffer of ${demanded} bytes, found ${bytes}`);
    return {
      position,
      bytes: demanded,
      codec: null,
      target: 0,
      decodedBytes: demanded,
    };
  }
  if (declared < Math.max(demanded, 0) || declared > padded(demanded))
    fail(
      `expected ${demanded} decoded bytes as its values need, found a length of ${declared}`,
    );
  return {
    position,
    bytes,
    codec: compression as "LZ4_FRAME" | "ZSTD",
    target: 0,
    decodedBytes: declared,
  };
}

/** What a compressed buffer says of its length before; -1: it is stored as it was. */
function lengthInFront(
  container: ArrowContainer,
  position: number,
  length: number,
  where: string,
): number {
  if (length < 8)
    throw new InputFormatError(
      container.path,
      where,
      `expected a length in front of compressed bytes, found ${length} bytes`,
    );
  const prefix = new BigInt64Array(1);
  readInput(container, new Uint8Array(prefix.buffer), position);
  return Number(prefix[0]);
}

/** The end of a text column's last value, of offsets that are decoded. */
function lastOffset(
  path: string,
  fd: number,
  { place, width, count }: NonNullable<NeededBuffer["offsets"]>,
  placed: Body["placed"],
): number {
  if (count === 0) return 0;
  const at = placed.get(place)?.offset ?? 0;
  const bytes = new DataView(new ArrayBuffer(8));
  const last = new Uint8Array(bytes.buffer, 0, width);
  readInput({ path, fd, present: null }, last, at + (count - 1) * width);
  return width === 4
    ? bytes.getInt32(0, true)
    : Number(bytes.getBigInt64(0, true));
}

function padded(bytes: number): number {
  return Math.ceil(bytes / PADDING) * PADDING;
}

function checkRoom(path: string, directory: string, bytes: number): void {
  let free: number;
  try {
    const { bavail, bsize } = statfsSync(directory);
    free = bavail * bsize;
  } catch {
    // Where it cannot be asked, writing tells.
    return;
  }
  if (free < bytes)
    throw new IoError(
      path,
      `expected ${bytes} bytes free in ${directory}, to decode it, found ${free}`,
    );
}

/** What was decoded, as a container: batches have their buffers at absolute places of the file. */
function plainContainer(
  container: ArrowContainer,
  target: UnnamedFile,
  bodies: [Block, Body][],
): ArrowContainer {
  const messages = new Map<Block, MessageMetadata>();
  const blocks = new Map<Block, Block>();
  for (const [old, { message, placed, start, end }] of bodies) {
    const batch = message.batch as NonNullable<MessageMetadata["batch"]>;
    const bodyBytes = end - start;
    const block = { offset: start, metadataBytes: 0, bodyBytes };
    blocks.set(old, block);
    messages.set(block, {
      ...message,
      bodyBytes,
      batch: {
        ...batch,
        compression: null,
        buffers: batch.buffers.map((_, place) => {
          const found = placed.get(place);
          return found
            ? { offset: found.offset - start, length: found.length }
            : { offset: 0, length: 0 };
        }),
      },
    });
  }
  return {
    ...container,
    fd: target.fd,
    bytes: target.bytes,
    present: null,
    recordBatches: container.recordBatches.map(
      (block) => blocks.get(block) as Block,
    ),
    dictionaries: container.dictionaries.flatMap(
      (block) => blocks.get(block) ?? [],
    ),
    message: (block) => messages.get(block) as MessageMetadata,
    close: () => {
      target.close();
      container.close();
    },
  };
}
