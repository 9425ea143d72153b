import { buffersOf, type Field, storedType } from "../arrow/field.js";
import { withoutViews } from "../arrow/views.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import type { Block, MessageMetadata, Schema } from "./arrow-metadata.js";
import type { InputFile } from "./read-input.js";
import {
  type BatchContext,
  type ColumnSpan,
  checkBatchShape,
  type RecordBatch,
  type SchemaSpans,
} from "./record-batch.js";

/**
 * Yields the record batches of a file in order, with metadata checked against the schema. Bodies are not read.
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function* recordBatches(file: ArrowContainer): Generator<RecordBatch> {
  const { path } = file;
  const { fields } = file.schema;
  const fileColumns = fields.length - file.nested.length;
  const own = fields.slice(0, fileColumns);
  // Spans vary only with the numbers of data buffers of view columns.
  const usual = columnSpans(own, []);
  for (const [k, block] of file.recordBatches.entries()) {
    const where = `record batch ${k}`;
    const message = file.message(block, where);
    const { batch, header } = message;
    if (!batch || header !== "RecordBatch")
      throw new InputFormatError(
        path,
        where,
        `expected a record batch, found a message of type ${header}`,
      );
    const context = contextOf(file, block, where);
    const { variadicCounts: counts } = batch;
    const spans = counts.length ? columnSpans(own, counts) : usual;
    checkBatchShape({ context, batch }, spans);
    const nested = file.nested.map((path, n) =>
      nestedSpan(spans.columns, path, fields[fileColumns + n] as Field),
    );
    const columns = [...spans.columns, ...nested];
    yield { context, block, message, batch, columns };
  }
}

/** Batch of a dictionary; its only column has the values. */
export interface DictionaryBatch extends RecordBatch {
  id: number;
  isDelta: boolean;
  /** Field of the column that uses the dictionary, as a field of values. */
  field: Field;
}

/**
 * Yields the batches of some dictionaries in order, with checked metadata.
 * @param fields fields of the columns by dictionary id
 * @throws InputFormatError, InputUnsupportedError
 */
export function* dictionaryBatches(
  file: ArrowContainer,
  fields: ReadonlyMap<number, Field>,
): Generator<DictionaryBatch> {
  for (const [k, block] of file.dictionaries.entries()) {
    const where = `dictionary batch ${k}`;
    const message = file.message(block, where);
    const { batch, dictionary, header } = message;
    if (!batch || !dictionary)
      throw new InputUnsupportedError(
        file.path,
        where,
        `expected a dictionary batch, found a message of type ${header}`,
      );
    const { id, isDelta } = dictionary;
    const column = fields.get(id);
    if (!column) continue;
    const field = { ...column, dictionary: null };
    const { columns, ...spans } = columnSpans([field], batch.variadicCounts);
    const context = contextOf(file, block, where);
    checkBatchShape({ context, batch }, spans);
    yield { context, batch, columns, id, isDelta, block, message, field };
  }
}

/** Returns the batches of a dictionary that apply to a message: the last non-delta batch before it and the deltas after that. */
export function partsBefore<Part extends DictionaryBatch>(
  { format }: ArrowContainer,
  parts: readonly Part[],
  position: number,
): Part[] {
  const before = parts.filter(
    ({ context }) => format === "arrow-file" || context.position < position,
  );
  const start = before.findLastIndex(({ isDelta }) => !isDelta);
  return before.slice(Math.max(0, start));
}

function contextOf(
  { path }: ArrowContainer,
  block: Block,
  where: string,
): BatchContext {
  const { offset, metadataBytes, bodyBytes, originalOffset } = block;
  const bodyStart = offset + metadataBytes;
  const position = originalOffset ?? offset;
  return { path, where, bodyStart, bodyBytes, position };
}

/** Path of a column or of a field of a struct: child indices from the schema's root down. */
export type ColumnPath = readonly number[];

/**
 * Computes the spans of all columns.
 * @param variadicCounts numbers of data buffers of the batch's view columns
 */
function columnSpans(fields: Field[], variadicCounts: number[]): SchemaSpans {
  let nodes = 0;
  let buffers = 0;
  let views = 0;
  const span = (field: Field): ColumnSpan => {
    const type = storedType(field);
    const data = withoutViews(type) ? (variadicCounts[views++] ?? 0) : 0;
    const result = {
      field,
      node: nodes,
      buffer: buffers,
      buffers: buffersOf(type).length + data,
    };
    nodes += 1;
    buffers += result.buffers;
    const children = field.dictionary ? [] : field.children.map(span);
    return { ...result, children, parents: [] };
  };
  const columns = fields.map(span);
  return { columns, nodes, buffers, views };
}

/** Returns the span of a field of a struct as the column `field`. */
function nestedSpan(
  columns: readonly ColumnSpan[],
  path: ColumnPath,
  field: Field,
): ColumnSpan {
  const parents: ColumnSpan[] = [];
  let children = columns;
  for (const child of path) {
    const span = children[child] as ColumnSpan;
    parents.push(span);
    children = span.children;
  }
  const span = parents.pop() as ColumnSpan;
  return { ...span, field, parents };
}

/** Arrow IPC file or stream whose messages were located and lie inside it. Bodies are not read. */
export interface ArrowContainer extends InputFile {
  readonly format: "arrow-file" | "arrow-stream";
  readonly schema: Schema;
  /** Paths of the nested columns, whose fields come last in the schema. */
  readonly nested: readonly ColumnPath[];
  readonly dictionaries: readonly Block[];
  readonly recordBatches: readonly Block[];
  /** Returns the metadata of a block's message, checked against the block. */
  message(block: Block, where: string): MessageMetadata;
}
