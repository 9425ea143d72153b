import { buffersOf, type Field, storedType } from "../arrow/field.js";
import { withoutViews } from "../arrow/views.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import {
  type Block,
  type MessageMetadata,
  positionOf,
  type Schema,
} from "./arrow-metadata.js";
import type { InputFile } from "./read-input.js";
import {
  type BatchContext,
  type ColumnSpan,
  checkBatchShape,
  type RecordBatch,
  type SchemaSpans,
} from "./record-batch.js";

/** MetadataVersion V4, as stored. */
const V4 = 3;

/**
 * The record batches of a file in order, their metadata read and checked against the schema; nothing of their bodies.
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function* recordBatches(file: ArrowContainer): Generator<RecordBatch> {
  const { path } = file;
  const { fields } = file.schema;
  const own = fields.length - file.nested.length;
  const spansOf = spansByVariadicCounts(fields.slice(0, own), file.version);
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
    const spans = spansOf(batch.variadicCounts);
    checkBatchShape({ context, batch }, spans);
    const nested = file.nested.map((path, n) =>
      nestedSpan(spans.columns, path, fields[own + n] as Field),
    );
    const columns = [...spans.columns, ...nested];
    yield { context, block, message, batch, columns };
  }
}

/** A batch of a dictionary: one column, of the values. */
export interface DictionaryBatch extends RecordBatch {
  id: number;
  isDelta: boolean;
  /** Column that has the dictionary, as one of values. */
  field: Field;
}

/**
 * The batches of some dictionaries in order, checked.
 * @param fields columns by the ids of their dictionaries
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

/** Returns the parts of a dictionary that hold for a message: the last whole one before it, and the deltas after that one. */
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

/** Returns where a message is. */
function contextOf(
  { path }: ArrowContainer,
  block: Block,
  where: string,
): BatchContext {
  const { offset, metadataBytes, bodyBytes } = block;
  const bodyStart = offset + metadataBytes;
  return { path, where, bodyStart, bodyBytes, position: positionOf(block) };
}

/** Spans depend on the batch only where there are view columns, whose buffers vary in number. */
function spansByVariadicCounts(
  fields: Field[],
  version: number,
): (counts: number[]) => SchemaSpans {
  const isV4 = version === V4;
  const usual = columnSpans(fields, [], isV4);
  return (counts) =>
    counts.length ? columnSpans(fields, counts, isV4) : usual;
}

/** Path of a column, or of a field of a struct: indices of children, from the schema's root down. */
export type ColumnPath = readonly number[];

/**
 * Spans of all columns, nested ones included.
 * @param variadicCounts those of the batch (view types only)
 * @param isV4 whether the metadata has version V4, in which unions had validity bitmaps
 */
function columnSpans(
  fields: Field[],
  variadicCounts: number[],
  isV4 = false,
): SchemaSpans {
  let nodes = 0;
  let buffers = 0;
  let views = 0;
  const span = (field: Field): ColumnSpan => {
    const type = storedType(field);
    const data = withoutViews(type) ? (variadicCounts[views++] ?? 0) : 0;
    const hasBitmap = isV4 && type.kind === "Union";
    const own = {
      field,
      node: nodes,
      buffer: buffers,
      buffers: buffersOf(type).length + data + (hasBitmap ? 1 : 0),
    };
    nodes += 1;
    buffers += own.buffers;
    const children = field.dictionary ? [] : field.children.map(span);
    return { ...own, children, parents: [] };
  };
  const columns = fields.map(span);
  return { columns, nodes, buffers, views };
}

/** Span of a field of a struct, as the column `field`. */
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

/** An Arrow IPC file or stream whose messages are found and lie inside it; nothing of their bodies is read. */
export interface ArrowContainer extends InputFile {
  readonly format: "arrow-file" | "arrow-stream";
  /** MetadataVersion, as stored. */
  readonly version: number;
  readonly schema: Schema;
  /** Paths of the nested columns, whose fields are the last of the schema. */
  readonly nested: readonly ColumnPath[];
  readonly dictionaries: readonly Block[];
  readonly recordBatches: readonly Block[];
  /** The metadata of the message of a block, checked against the block. */
  message(block: Block, where: string): MessageMetadata;
}
