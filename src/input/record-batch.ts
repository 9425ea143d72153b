import type { ColumnStorage, ValueBuffers } from "../arrow/column-storage.js";
import type { CopiedBuffers } from "../arrow/copied-nodes.js";
import {
  bufferBytes,
  buffersOf,
  type Field,
  storedType,
} from "../arrow/field.js";
import { withoutViews } from "../arrow/views.js";
import { InputFormatError } from "../errors.js";
import type {
  BatchMetadata,
  Block,
  MessageMetadata,
} from "./arrow-metadata.js";

/** Positions of one record batch in the file, as absolute byte offsets. */
export interface LogitsBatch {
  /** Rows of the batch, `[rowStart, rowEnd)`, numbered through the file. */
  rowStart: number;
  rowEnd: number;
  /** Buffers of the logits, then of the other columns of numbers. */
  sources: ValueBuffers[];
  kept: CopiedRows[];
}

/** Rows of a copied column in a batch. */
export interface CopiedRows {
  buffers: CopiedBuffers;
  /** Value of the buffers for the first row of the batch. */
  first: number;
  /** Table row of the first value, if a value is that of all rows of its table row; else null. */
  tableRow: number | null;
}

/** Rows of numbers that follow one another from a position on, all of them there. */
export function rowsAt(values: number[]): ValueBuffers {
  return {
    firstRow: 0,
    values,
    offsets: 0,
    valueCount: 0,
    validity: 0,
    valueValidity: [],
  };
}

/** What is needed to place and check one batch. */
export interface BatchContext {
  path: string;
  /** `record batch 3` */
  where: string;
  bodyStart: number;
  bodyBytes: number;
  /** Position of the message in the original file, which orders record batches and dictionaries of a stream. */
  position: number;
}

type MessageOfBatch = Pick<RecordBatch, "context" | "batch">;

/**
 * Checks that a batch's buffers lie in its body and that nodes and buffers are as many as the schema implies.
 * @throws InputFormatError
 */
export function checkBatchShape(
  { context, batch }: MessageOfBatch,
  { nodes, buffers, views }: Omit<SchemaSpans, "columns">,
): void {
  const { path, where, bodyBytes } = context;
  const fail = (text: string): never => {
    throw new InputFormatError(path, where, text);
  };
  if (batch.rows < 0) fail(`expected 0 or more rows, found ${batch.rows}`);
  if (batch.nodes.length !== nodes)
    fail(
      `expected ${nodes} field nodes as the schema implies, found ${batch.nodes.length}`,
    );
  if (batch.buffers.length !== buffers)
    fail(
      `expected ${buffers} buffers as the schema implies, found ${batch.buffers.length}`,
    );
  const { variadicCounts } = batch;
  if (variadicCounts.length !== views)
    fail(
      `expected ${views} counts of data buffers as the schema implies, found ${variadicCounts.length}`,
    );
  const negative = variadicCounts.find((count) => count < 0);
  if (negative !== undefined)
    fail(`expected a count of data buffers of 0 or more, found ${negative}`);
  batch.nodes.forEach(({ length, nullCount }, k) => {
    if (length < 0 || nullCount < 0 || nullCount > length)
      fail(
        `field node ${k}: expected 0 <= nulls <= length, found ${nullCount} nulls, length ${length}`,
      );
  });
  batch.buffers.forEach(({ offset, length }, k) => {
    if (offset < 0 || length < 0 || offset + length > bodyBytes)
      fail(
        `buffer ${k}: expected a range within the body of ${bodyBytes} bytes, found ${length} bytes at byte ${offset}`,
      );
    if (offset % 8 !== 0)
      fail(
        `buffer ${k}: expected an offset that is a multiple of 8, found ${offset}`,
      );
  });
}

/** Places the numbers of a column, or of one column for each class, in a batch. @throws InputFormatError */
export function placeValues(
  record: MessageOfBatch & { columns: ColumnSpan[] },
  { form, columns }: { form: ColumnStorage; columns: readonly number[] },
): ValueBuffers {
  const whole = columns.map((place) =>
    placeColumn(record, record.columns[place] as ColumnSpan),
  );
  const [{ offsets, validity, children }] = whole as [CopiedBuffers];
  const parts = form === "columns" ? whole : children;
  return {
    firstRow: 0,
    values: parts.map(({ values }) => values),
    offsets,
    valueCount: parts[0]?.length ?? 0,
    validity: form === "columns" ? 0 : validity,
    valueValidity: parts.map(({ validity }) => validity),
  };
}

/** Returns the buffers of `length` values, none of them null, that start at `values`. */
export function plainBuffers(
  length: number,
  values: number,
  valuesBytes: number,
): CopiedBuffers {
  return {
    length,
    nullCount: 0,
    validity: 0,
    offsets: 0,
    sizes: 0,
    values,
    valuesBytes,
    data: null,
    children: [],
    firstCode: 0,
  };
}

/** Finds the parts of a dictionary that precede a message. */
export type PartsOfDictionary = (
  id: number,
  context: BatchContext,
) => CopiedBuffers[];

/**
 * Places a column, and all that is nested in it, in a batch.
 * @throws InputFormatError
 */
export function placeColumn(
  record: MessageOfBatch,
  span: ColumnSpan,
  partsOf: PartsOfDictionary = () => [],
): CopiedBuffers {
  checkRows(record, span);
  return placeNode(record, span, span.field.name, 0, partsOf);
}

/** @throws InputFormatError where a column has more or fewer values than the batch has rows */
export function checkRows(
  record: MessageOfBatch,
  span: ColumnSpan,
  name = span.field.name,
): void {
  const { length } = nodeOf(record, span);
  const { rows } = record.batch;
  if (length !== rows)
    throw error(
      record,
      `column ${name}: expected ${rows} values, one per row, found ${length}`,
    );
}

/** @param least number of values that the node must have */
function placeNode(
  record: MessageOfBatch,
  span: ColumnSpan,
  name: string,
  least: number,
  partsOf: PartsOfDictionary,
): CopiedBuffers {
  const { context, batch } = record;
  const { field } = span;
  const type = storedType(field);
  const node = nodeOf(record, span);
  const { length } = node;
  if (length < least)
    throw error(
      record,
      `column ${name}: expected at least ${least} values, found ${length}`,
    );
  const placed = plainBuffers(length, 0, 0);
  const layout = buffersOf(type);
  for (const [k, buffer] of layout.entries()) {
    const { role, bits } = buffer;
    const bytes = bufferBytes(buffer, node);
    const start = placeBuffer(record, span, k, bytes);
    if (role !== "validity") placed[role] = start;
    else if (node.nullCount > 0) placed.validity = start;
    if (role === "values")
      placed.valuesBytes = bits
        ? bytes
        : (batch.buffers[span.buffer + k]?.length as number);
  }
  if (layout.some(({ role }) => role === "validity"))
    placed.nullCount = node.nullCount;
  if (withoutViews(type)) {
    placed.data = batch.buffers
      .slice(span.buffer + layout.length, span.buffer + span.buffers)
      .map(({ offset, length }) => ({
        position: context.bodyStart + offset,
        bytes: length,
      }));
    for (const { bytes } of placed.data) placed.valuesBytes += bytes;
  }
  const perValue =
    type.kind === "FixedSizeList"
      ? type.listSize
      : Number(type.kind === "Struct");
  placed.children = field.dictionary
    ? partsOf(field.dictionary.id, context)
    : span.children.map((child) =>
        placeNode(
          record,
          child,
          `${name}.${child.field.name || "item"}`,
          length * perValue,
          partsOf,
        ),
      );
  return placed;
}

/** Returns the number of values of a column, and of nulls among them. */
export function nodeOf(
  { batch }: Pick<MessageOfBatch, "batch">,
  { node }: ColumnSpan,
): BatchMetadata["nodes"][number] {
  return batch.nodes[node] as BatchMetadata["nodes"][number];
}

/** The absolute offset of the span's k-th buffer, which must hold `bytes` at least. */
export function placeBuffer(
  record: MessageOfBatch,
  { field, buffer }: ColumnSpan,
  k: number,
  bytes: number,
): number {
  const { context, batch } = record;
  const { offset, length } = batch.buffers[
    buffer + k
  ] as BatchMetadata["buffers"][number];
  if (length < bytes)
    throw error(
      record,
      `column ${field.name}: expected a buffer of at least ${bytes} bytes, found ${length}`,
    );
  return context.bodyStart + offset;
}

function error({ context }: MessageOfBatch, text: string): InputFormatError {
  return new InputFormatError(context.path, context.where, text);
}

/** One record batch of a file: where its body stands, what it says of itself, and which parts are which column's. */
export interface RecordBatch {
  context: BatchContext;
  block: Block;
  message: MessageMetadata;
  batch: BatchMetadata;
  columns: ColumnSpan[];
}

/** Where a column's field nodes and buffers stand in the flat lists of a record batch (pre-order, as the format says). */
export interface ColumnSpan {
  field: Field;
  node: number;
  buffer: number;
  /** Buffers of its own, children not counted. */
  buffers: number;
  children: ColumnSpan[];
  /** Structs around a nested column, the outermost first. */
  parents: ColumnSpan[];
}

export interface SchemaSpans {
  columns: ColumnSpan[];
  nodes: number;
  buffers: number;
  /** Columns of view types, nested ones included: as many variadic counts a batch has. */
  views: number;
}
