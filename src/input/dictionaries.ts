import { describeField, type Field } from "../arrow/field.js";
import { storesUtf8 } from "../arrow/utf8-texts.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import type { ArrowContainer } from "./arrow-container.js";
import type { BatchMetadata, MessageMetadata } from "./arrow-metadata.js";
import { columnSpans } from "./column-spans.js";
import { checkOffsets } from "./dictionary-values.js";
import { dictionaryWithoutViews } from "./dictionary-views.js";
import { type KeptColumn, keptColumn } from "./kept-columns.js";
import { checkBatchShape, placeKept } from "./record-batch.js";

/** Dictionary batch of a copied column: decoded metadata and the position of its body in the file. */
export interface DictionaryBlock {
  id: number;
  isDelta: boolean;
  batch: Pick<BatchMetadata, "rows" | "nodes" | "buffers">;
  bodyStart: number;
  bodyBytes: number;
  /** Body of a dictionary whose values were views and were converted; null if it is the body in the file. */
  body: Uint8Array | null;
}

/**
 * Finds and checks the dictionary batches of the kept columns, and counts each column's dictionary values.
 * @throws InputFormatError, InputUnsupportedError
 */
export function placeDictionaries(
  file: ArrowContainer,
  kept: KeptColumn[],
): { kept: KeptColumn[]; dictionaries: DictionaryBlock[] } {
  const fields = new Map<number, Field>();
  for (const { place } of kept) {
    const field = file.schema.fields[place] as Field;
    if (!field.dictionary) continue;
    const { id } = field.dictionary;
    const other = fields.get(id);
    if (other && JSON.stringify(other.type) !== JSON.stringify(field.type))
      throw new InputFormatError(
        file.path,
        "schema",
        `dictionary ${id} has two types of values: ${describeField(other)} (column ${other.name}) and ${describeField(field)} (column ${field.name})`,
      );
    fields.set(id, field);
  }
  if (fields.size === 0) return { kept, dictionaries: [] };

  const values = new Map<number, number>();
  const count = (id: number, rows: number) =>
    values.set(id, (values.get(id) ?? 0) + rows);
  const dictionaries: DictionaryBlock[] = [];
  file.dictionaries.forEach((block, k) => {
    const where = `dictionary batch ${k}`;
    const message = file.message(block, where);
    const { id, isDelta } = dictionaryOf(file.path, where, message);
    const field = fields.get(id);
    if (!field || !message.batch) return;
    if (!values.has(id) && isDelta)
      throw new InputFormatError(
        file.path,
        where,
        `a delta of dictionary ${id} (column ${field.name}) comes before the dictionary itself`,
      );
    if (values.has(id) && !isDelta)
      throw new InputFormatError(
        file.path,
        where,
        `dictionary ${id} (column ${field.name}) is replaced; only delta dictionaries may follow a dictionary`,
      );
    const plain = { ...field, dictionary: null };
    const spans = columnSpans([plain], message.batch.variadicCounts);
    const bodyStart = block.offset + block.metadataBytes;
    const { bodyBytes } = block;
    const context = { path: file.path, where, bodyStart, bodyBytes };
    checkBatchShape(context, message.batch, spans);
    const column = keptColumn(file.path, plain, 0);
    const placed = placeKept(context, message.batch, spans.columns, column);
    if (column.views) {
      const { rows } = message.batch;
      const values = dictionaryWithoutViews(
        file,
        where,
        placed,
        rows,
        storesUtf8(column.field),
      );
      dictionaries.push({ id, isDelta, bodyStart: 0, ...values });
      count(id, rows);
      return;
    }
    checkOffsets(file, where, placed, column, message.batch.rows);
    if (block.bodyBytes % 8 !== 0)
      throw new InputFormatError(
        file.path,
        where,
        `expected a body length that is a multiple of 8, found ${block.bodyBytes}`,
      );
    count(id, message.batch.rows);
    dictionaries.push({
      id,
      isDelta,
      batch: message.batch,
      bodyStart,
      bodyBytes,
      body: null,
    });
  });

  return {
    dictionaries,
    kept: kept.map((column) => {
      const { dictionary } = column.field;
      return dictionary
        ? { ...column, dictionaryValues: values.get(dictionary.id) ?? 0 }
        : column;
    }),
  };
}

function dictionaryOf(
  path: string,
  where: string,
  message: MessageMetadata,
): { id: number; isDelta: boolean } {
  if (message.dictionary) return message.dictionary;
  throw new InputUnsupportedError(
    path,
    where,
    `expected a dictionary batch, found a message of type ${message.header}`,
  );
}
