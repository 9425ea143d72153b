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
import { failing } from "./read-input.js";

/** Rows of one record batch, and the absolute byte offsets of their buffers. */
export interface LogitsBatch {
  /** Row range `[rowStart, rowEnd)` of the batch in the file. */
  rowStart: number;
  rowEnd: number;
  /** Buffers of the logits, then of the other columns of numbers. */
  sources: ValueBuffers[];
  copied: CopiedRows[];
}

/** Rows of a copied column in a batch. */
export interface CopiedRows {
  buffers: CopiedBuffers;
  /** Index, in the buffers, of the value of the batch's first row. */
  first: number;
  /** Table row of the first value if values repeat for all rows of a table row; otherwise null. */
  tableRow: number | null;
}

/** Returns the buffers of contiguous rows of numbers without nulls. */
export function rowsAt(values: number[]): ValueBuffers {
  return {
    ...{ firstRow: 0, values, offsets: 0, valueCount: 0 },
    ...{ validity: 0, valueValidity: [] },
  };
}

/** Location of one batch, for offsets and messages. */
export interface BatchContext {
  path: string;
  /** Name for messages, such as `record batch 3`. */
  where: string;
  bodyStart: number;
  bodyBytes: number;
  /** Position of the message in the original file; orders record batches and dictionaries of a stream. */
  position: number;
}

type BatchMessage = Pick<RecordBatch, "context" | "batch">;

/**
 * Checks that a batch's buffers lie in its body and that it has the numbers of nodes and buffers that the schema implies.
 * @throws InputFormatError
 */
export function checkBatchShape(
  { context, batch }: BatchMessage,
  { nodes, buffers, views }: Omit<SchemaSpans, "columns">,
): void {
  const { bodyBytes } = context;
  const fail = failing(context, context.where);
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

/** Locates the numbers of a column, or of one column per class, in a batch. @throws InputFormatError */
export function locateValues(
  record: BatchMessage & { columns: ColumnSpan[] },
  { storage, columns }: { storage: ColumnStorage; columns: readonly number[] },
): ValueBuffers {
  const located = columns.map((index) =>
    locateColumn(record, record.columns[index] as ColumnSpan),
  );
  const [{ offsets, validity, children }] = located as [CopiedBuffers];
  const parts = storage === "columns" ? located : children;
  return {
    firstRow: 0,
    values: parts.map(({ values }) => values),
    offsets,
    valueCount: parts[0]?.length ?? 0,
    validity: storage === "columns" ? 0 : validity,
    valueValidity: parts.map(({ validity }) => validity),
  };
}

/** Returns the buffers of `length` values without nulls, stored from byte `values` on. */
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

/** Returns the batches of a dictionary that precede a message. */
export type PartsOfDictionary = (
  id: number,
  context: BatchContext,
) => CopiedBuffers[];

/** Locates the buffers of a column and of its children in a batch. @throws InputFormatError */
export function locateColumn(
  record: BatchMessage,
  span: ColumnSpan,
  dictionaryParts: PartsOfDictionary = () => [],
): CopiedBuffers {
  checkRows(record, span);
  return locateNode(record, span, span.field.name, 0, dictionaryParts);
}

/** Checks that a column has one value per row of the batch. @throws InputFormatError */
export function checkRows(record: BatchMessage, span: ColumnSpan): void {
  const { name } = span.field;
  const { length } = nodeOf(record, span);
  const { rows } = record.batch;
  if (length !== rows)
    throw error(
      record,
      `column ${name}: expected ${rows} values, one per row, found ${length}`,
    );
}

function locateNode(
  record: BatchMessage,
  span: ColumnSpan,
  name: string,
  minLength: number,
  dictionaryParts: PartsOfDictionary,
): CopiedBuffers {
  const { context, batch } = record;
  const { field } = span;
  const type = storedType(field);
  const node = nodeOf(record, span);
  const { length } = node;
  if (length < minLength)
    throw error(
      record,
      `column ${name}: expected at least ${minLength} values, found ${length}`,
    );
  const located = plainBuffers(length, 0, 0);
  const layout = buffersOf(type);
  for (const [k, buffer] of layout.entries()) {
    const { role, bits } = buffer;
    const bytes = bufferBytes(buffer, node);
    const start = locateBuffer(record, span, k, bytes);
    if (role !== "validity") located[role] = start;
    else if (node.nullCount > 0) located.validity = start;
    if (role === "values")
      located.valuesBytes = bits
        ? bytes
        : (batch.buffers[span.buffer + k]?.length as number);
  }
  if (layout.some(({ role }) => role === "validity"))
    located.nullCount = node.nullCount;
  if (withoutViews(type)) {
    located.data = batch.buffers
      .slice(span.buffer + layout.length, span.buffer + span.buffers)
      .map(({ offset, length }) => ({
        position: context.bodyStart + offset,
        bytes: length,
      }));
    for (const { bytes } of located.data) located.valuesBytes += bytes;
  }
  const perValue =
    type.kind === "FixedSizeList"
      ? type.listSize
      : Number(type.kind === "Struct");
  located.children = field.dictionary
    ? dictionaryParts(field.dictionary.id, context)
    : span.children.map((child) =>
        locateNode(
          record,
          child,
          `${name}.${child.field.name || "item"}`,
          length * perValue,
          dictionaryParts,
        ),
      );
  return located;
}

/** Returns the field node of a column: its number of values, and of nulls. */
export function nodeOf(
  { batch }: Pick<BatchMessage, "batch">,
  { node }: ColumnSpan,
): BatchMetadata["nodes"][number] {
  return batch.nodes[node] as BatchMetadata["nodes"][number];
}

/** Returns the absolute offset of the column's k-th buffer, which must have at least `bytes` bytes. @throws InputFormatError */
function locateBuffer(
  record: BatchMessage,
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

function error({ context }: BatchMessage, text: string): InputFormatError {
  return new InputFormatError(context.path, context.where, text);
}

/** Record batch of a file: the location of its body, its metadata, and the spans of its columns. */
export interface RecordBatch {
  context: BatchContext;
  block: Block;
  message: MessageMetadata;
  batch: BatchMetadata;
  columns: ColumnSpan[];
}

/** Indices of a column's field node and first buffer in the flat lists of a record batch, which are in pre-order. */
export interface ColumnSpan {
  field: Field;
  node: number;
  buffer: number;
  /** Number of buffers, without those of its children. */
  buffers: number;
  children: ColumnSpan[];
  /** Structs around a nested column, outermost first. */
  parents: ColumnSpan[];
}

export interface SchemaSpans {
  columns: ColumnSpan[];
  nodes: number;
  buffers: number;
  /** Number of columns of view types, including nested ones; a batch has one variadic count for each. */
  views: number;
}
