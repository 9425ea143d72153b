import type { KeptBuffers, KeptNode } from "../arrow/kept-nodes.js";
import { isView, offsetWidth, type SourceForm } from "../arrow/source-form.js";
import { VIEW_BYTES } from "../arrow/views.js";
import { InputFormatError } from "../errors.js";
import type { BatchMetadata } from "./arrow-metadata.js";
import type { ColumnSpan, SchemaSpans } from "./column-spans.js";

/** Positions of one record batch in the file, as absolute byte offsets. */
export interface LogitsBatch {
  /** Rows of the batch, `[rowStart, rowEnd)`, numbered through the file. */
  rowStart: number;
  rowEnd: number;
  /** Buffers of the logits, then of the other columns of numbers. */
  sources: ValueBuffers[];
  /** Buffers of the copied columns. */
  kept: KeptBuffers[];
  /** For each of `kept`: the value of the buffers that the first row of the batch has; absent: the first. */
  keptFirst?: readonly number[];
  /** For each of `kept`: the table row of its first value, if a value stands for all rows of its table row; else null. */
  keptTableRows?: readonly (number | null)[];
}

/** Positions of the buffers of a column of numbers; 0 for a buffer that does not exist. */
export interface ValueBuffers {
  /** The row of the buffers that the first row of the batch is. */
  first: number;
  /** Start of the values: one buffer, or one per class. */
  values: number[];
  /** Start of the offsets of lists (rows + 1 of them, or rows for list views), and number of values in the values buffer. */
  offsets: number;
  valueCount: number;
  /** Start of the sizes of list views. */
  sizes: number;
  /** Start of the validity bitmap of the rows. */
  validity: number;
  /** Starts of the validity bitmaps of the values, one per buffer. */
  valueValidity: number[];
}

/** Rows of numbers that follow one another from a position on, all of them there. */
export function rowsAt(values: number[]): ValueBuffers {
  return {
    first: 0,
    values,
    offsets: 0,
    valueCount: 0,
    sizes: 0,
    validity: 0,
    valueValidity: [],
  };
}

/** Which columns hold a source's numbers, and how. */
export interface ValuePlaces {
  form: SourceForm;
  /** Places of the columns among the file's. */
  columns: number[];
  /** Bytes per value. */
  width: number;
  /** Values per row of a fixed-size list. */
  values: number | null;
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

/**
 * Checks that a batch's buffers lie in its body and that nodes and buffers are as many as the schema implies.
 * @throws InputFormatError
 */
export function checkBatchShape(
  context: BatchContext,
  batch: BatchMetadata,
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

/** Places a source's numbers in a batch. @throws InputFormatError */
export function placeValues(
  context: BatchContext,
  batch: BatchMetadata,
  spans: ColumnSpan[],
  { form, columns, width, values: listSize }: ValuePlaces,
): ValueBuffers {
  const { rows } = batch;
  const validityOf = (span: ColumnSpan) => {
    const { length, nullCount } = nodeOf(batch, span);
    return nullCount > 0
      ? placeBuffer(context, batch, span, 0, Math.ceil(length / 8))
      : 0;
  };
  const check = (span: ColumnSpan, name: string, length: number | null) =>
    checkNode(context, batch, span.node, name, length);
  const whole = columns.map((place) => spans[place] as ColumnSpan);
  for (const span of whole) check(span, span.field.name, rows);
  const [column] = whole as [ColumnSpan];
  const parts = form === "columns" ? whole : column.children;
  const offsetBytes = offsetWidth(form);
  const valueCount =
    offsetBytes > 0
      ? nodeOf(batch, parts[0] as ColumnSpan).length
      : form === "fixed-size-list"
        ? rows * (listSize as number)
        : rows;
  for (const span of parts)
    check(span, nameOf(column, span), offsetBytes > 0 ? null : valueCount);
  const offsets = isView(form) ? rows : rows + 1;
  return {
    first: 0,
    values: parts.map((span) =>
      placeBuffer(context, batch, span, 1, valueCount * width),
    ),
    offsets:
      offsetBytes > 0
        ? placeBuffer(
            context,
            batch,
            column,
            1,
            rows === 0 ? 0 : offsetBytes * offsets,
          )
        : 0,
    sizes: isView(form)
      ? placeBuffer(context, batch, column, 2, offsetBytes * rows)
      : 0,
    valueCount,
    validity: form === "columns" ? 0 : validityOf(column),
    valueValidity: parts.map(validityOf),
  };
}

function nameOf(column: ColumnSpan, part: ColumnSpan): string {
  return part === column
    ? column.field.name
    : `${column.field.name}.${part.field.name}`;
}

/** Returns the buffers of `length` values, none of them null, that start at `values`. */
export function plainBuffers(
  length: number,
  values: number,
  valuesBytes: number,
): KeptBuffers {
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
) => KeptBuffers[];

/**
 * Places a copied column, or a node of it, in a batch.
 * @param length number of values: exact for a column, else a minimum
 * @throws InputFormatError
 */
export function placeKept(
  context: BatchContext,
  batch: BatchMetadata,
  span: ColumnSpan,
  node: KeptNode,
  length: number,
  partsOf: PartsOfDictionary = () => [],
): KeptBuffers {
  const { bits, offsetBytes, form } = node;
  const { length: rows, nullCount } = nodeOf(batch, span);
  const isColumn = node.name === span.field.name;
  if (isColumn ? rows !== length : rows < length)
    throw new InputFormatError(
      context.path,
      context.where,
      isColumn
        ? `column ${node.name}: expected ${length} values, one per row, found ${rows}`
        : `column ${node.name}: expected at least ${length} values, found ${rows}`,
    );
  const buffer = (k: number, bytes: number) =>
    placeBuffer(context, batch, span, k, bytes);
  const hasBitmap = form !== "null" && form !== "runs";
  const placed = plainBuffers(rows, 0, 0);
  if (hasBitmap) {
    placed.nullCount = nullCount;
    placed.validity = buffer(0, nullCount > 0 ? Math.ceil(rows / 8) : 0);
  }
  const perChild =
    form === "struct"
      ? rows
      : form === "fixed-size-list"
        ? rows * node.listSize
        : 0;
  const offsets = offsetBytes * (rows === 0 ? 0 : rows + 1);
  if (form === "views") {
    placed.valuesBytes = VIEW_BYTES * rows;
    placed.values = buffer(1, placed.valuesBytes);
    placed.data = batch.buffers
      .slice(span.buffer + 2, span.buffer + span.buffers)
      .map(({ offset, length }) => ({
        position: context.bodyStart + offset,
        bytes: length,
      }));
    for (const { bytes } of placed.data) placed.valuesBytes += bytes;
  } else if (form === "text") {
    placed.offsets = buffer(1, offsets);
    placed.values = buffer(2, 0);
    placed.valuesBytes = batch.buffers[span.buffer + 2]?.length ?? 0;
  } else if (form === "list") placed.offsets = buffer(1, offsets);
  else if (form === "list-view") {
    placed.offsets = buffer(1, offsetBytes * rows);
    placed.sizes = buffer(2, offsetBytes * rows);
  } else if (bits > 0) {
    placed.valuesBytes = Math.ceil((rows * bits) / 8);
    placed.values = buffer(1, placed.valuesBytes);
  }
  const { dictionary } = span.field;
  placed.children =
    form === "codes" && dictionary
      ? partsOf(dictionary.id, context)
      : node.children.map((child, k) =>
          placeKept(
            context,
            batch,
            span.children[k] as ColumnSpan,
            child,
            perChild,
            partsOf,
          ),
        );
  return placed;
}

function nodeOf(
  batch: BatchMetadata,
  span: ColumnSpan,
): { length: number; nullCount: number } {
  return batch.nodes[span.node] as { length: number; nullCount: number };
}

/** @throws InputFormatError where a column has another number of values than `length` */
export function checkNode(
  { path, where }: BatchContext,
  batch: BatchMetadata,
  node: number,
  column: string,
  length: number | null,
): void {
  const found = batch.nodes[node] as { length: number; nullCount: number };
  if (length !== null && found.length !== length)
    throw new InputFormatError(
      path,
      where,
      `column ${column}: expected ${length} values, found ${found.length}`,
    );
}

/** The absolute offset of the span's k-th buffer, which must hold `bytes` at least. */
export function placeBuffer(
  { path, where, bodyStart }: BatchContext,
  batch: BatchMetadata,
  span: ColumnSpan,
  k: number,
  bytes: number,
): number {
  const found = batch.buffers[span.buffer + k] as {
    offset: number;
    length: number;
  };
  if (found.length < bytes)
    throw new InputFormatError(
      path,
      where,
      `column ${span.field.name}: expected a buffer of at least ${bytes} bytes, found ${found.length}`,
    );
  return bodyStart + found.offset;
}
