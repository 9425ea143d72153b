import type { Field } from "../arrow/field.js";
import { InputFormatError } from "../errors.js";
import type { ArrowContainer } from "./arrow-container.js";
import type { BatchMetadata, Block } from "./arrow-metadata.js";
import {
  type ColumnSpan,
  columnSpans,
  type SchemaSpans,
} from "./column-spans.js";
import { type BatchContext, checkBatchShape } from "./record-batch.js";

/** One record batch of a file: where its body stands, what it says of itself, and which parts are which column's. */
export interface RecordBatch {
  context: BatchContext;
  batch: BatchMetadata;
  columns: ColumnSpan[];
}

/** MetadataVersion V4, as stored. */
const V4 = 3;

/**
 * The record batches of a file in order, their metadata read and checked against the schema; nothing of their bodies.
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function* recordBatches(file: ArrowContainer): Generator<RecordBatch> {
  const { path } = file;
  const spansOf = spansByVariadicCounts(file);
  for (const [k, block] of file.recordBatches.entries()) {
    const where = `record batch ${k}`;
    const { batch, header } = file.message(block, where);
    if (!batch || header !== "RecordBatch")
      throw new InputFormatError(
        path,
        where,
        `expected a record batch, found a message of type ${header}`,
      );
    const context = contextOf(file, block, where);
    const spans = spansOf(batch.variadicCounts);
    checkBatchShape(context, batch, spans);
    yield { context, batch, columns: spans.columns };
  }
}

/**
 * The batches of a column's dictionary in order, checked; each has one column, of the values.
 * @throws InputFormatError
 */
export function* dictionaryBatches(
  file: ArrowContainer,
  field: Field,
): Generator<RecordBatch & { isDelta: boolean }> {
  const plain = { ...field, dictionary: null };
  for (const [k, block] of file.dictionaries.entries()) {
    const where = `dictionary batch ${k}`;
    const { batch, dictionary } = file.message(block, where);
    if (!batch || dictionary?.id !== field.dictionary?.id) continue;
    const spans = columnSpans([plain], batch.variadicCounts);
    const context = contextOf(file, block, where);
    checkBatchShape(context, batch, spans);
    const { columns } = spans;
    yield { context, batch, columns, isDelta: dictionary?.isDelta === true };
  }
}

function contextOf(
  { path }: ArrowContainer,
  { offset, metadataBytes, bodyBytes }: Block,
  where: string,
): BatchContext {
  return { path, where, bodyStart: offset + metadataBytes, bodyBytes };
}

/** Spans depend on the batch only where there are view columns, whose buffers vary in number. */
function spansByVariadicCounts(
  file: ArrowContainer,
): (counts: number[]) => SchemaSpans {
  const { fields } = file.schema;
  const isV4 = file.version === V4;
  const usual = columnSpans(fields, [], isV4);
  return (counts) =>
    counts.length ? columnSpans(fields, counts, isV4) : usual;
}
