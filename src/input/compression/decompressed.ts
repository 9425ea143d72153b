import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { InputFormatError, IoError } from "../../errors.js";
import { UnnamedFile } from "../../io/unnamed-file.js";
import {
  inputError,
  ioError,
  outputCall,
  systemErrorOf,
} from "../../system-error.js";
import type { ArrowContainer } from "../arrow-container.js";
import {
  type Block,
  type MessageMetadata,
  positionOf,
} from "../arrow-metadata.js";
import { checkLimit } from "../limits.js";
import type { OpenOptions } from "../logits-file.js";
import { requireInput } from "../read-input.js";
import {
  type Body,
  batchBodies,
  dictionaryBodies,
  sourceBytes,
} from "./bodies.js";
import type { NeededBuffer } from "./column-buffers.js";
import { PADDING, padded, taskOf } from "./decode-task.js";
import { decompressAll, type FailedReply } from "./decompressors.js";
import type { DecompressTask } from "./protocol.js";

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
  return outputCall(path, KEPT, () => new UnnamedFile(scratch));
}

const KEPT = "could not be decompressed to a temporary file";

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

function failure(path: string, where: string, reply: FailedReply): Error {
  if (reply.kind === "damaged")
    return new InputFormatError(path, where, reply.text);
  const cause = systemErrorOf(reply);
  return reply.side === "kept"
    ? ioError(path, KEPT, cause)
    : inputError(path, "could not be read", cause);
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
      `not enough space in ${directory} to decompress it: ${bytes} bytes needed, ${free} free`,
      { cause: systemErrorOf({ code: "ENOSPC" }) },
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
    const originalOffset = positionOf(old);
    const block = {
      offset: start,
      metadataBytes: 0,
      bodyBytes,
      originalOffset,
    };
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
