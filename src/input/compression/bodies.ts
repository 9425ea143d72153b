import type { ByteRange } from "../../io/present-blocks.js";
import type { ArrowContainer } from "../arrow-container.js";
import type { Block, MessageMetadata } from "../arrow-metadata.js";
import type { ColumnSpan } from "../column-spans.js";
import { dictionaryFields } from "../dictionaries.js";
import { dictionaryBatches, recordBatches } from "../record-batches.js";
import { type NeededBuffer, neededBuffers } from "./column-buffers.js";

/** A message whose bodies are decoded, and where that goes. */
export interface Body {
  where: string;
  message: MessageMetadata;
  bodyStart: number;
  needed: NeededBuffer[];
  /** Where its buffers go in the target, from `start` on; the others of the batch have no bytes. */
  start: number;
  end: number;
  placed: Map<number, { offset: number; length: number }>;
}

/** Of every record batch, the columns at `places`. */
export function batchBodies(
  container: ArrowContainer,
  places: readonly number[],
): [Block, Body][] {
  const blocks = container.recordBatches;
  return [...recordBatches(container)].map(({ context, batch, columns }, k) => {
    const block = blocks[k] as Block;
    const message = container.message(block, context.where);
    const spans = places.map((place) => columns[place] as ColumnSpan);
    const needed = spans.flatMap((span) => neededBuffers(batch, span));
    return [block, bodyOf(context.where, message, block, needed)];
  });
}

/** Of the dictionaries of these columns. */
export function dictionaryBodies(
  container: ArrowContainer,
  places: readonly number[],
): [Block, Body][] {
  const { path, schema } = container;
  const columns = places.flatMap((place) => schema.fields[place] ?? []);
  const fields = dictionaryFields(path, columns);
  return Array.from(
    dictionaryBatches(container, fields),
    ({ block, message, batch, context, columns: [span] }) => {
      const needed = neededBuffers(batch, span as ColumnSpan);
      return [block, bodyOf(context.where, message, block, needed)];
    },
  );
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

/** Where the buffers stand that are decoded. */
export function sourceBytes({ message, bodyStart, needed }: Body): ByteRange[] {
  const buffers = message.batch?.buffers ?? [];
  return needed.map(({ place }) => {
    const { offset, length } = buffers[place] as (typeof buffers)[number];
    const start = bodyStart + offset;
    return { start, end: start + length };
  });
}
