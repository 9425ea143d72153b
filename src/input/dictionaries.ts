import {
  type CopiedBuffers,
  type CopiedDictionary,
  DamagedColumn,
  nestedPiece,
} from "../arrow/copied-nodes.js";
import { describeField, type Field } from "../arrow/field.js";
import { NodeCopier } from "../arrow/node-copier.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { type CopiedColumn, copiedColumn } from "./copied-columns.js";
import { measureNode } from "./copied-pieces.js";
import { failing, inputReader } from "./read-input.js";
import {
  type ColumnSpan,
  locateColumn,
  type PartsOfDictionary,
} from "./record-batch.js";
import {
  type ArrowContainer,
  type DictionaryBatch,
  dictionaryBatches,
  partsBefore,
} from "./record-batches.js";

/** Copied columns and their dictionaries. */
interface LocatedDictionaries {
  copied: CopiedColumn[];
  /** Dictionary batches that are copied to the output. */
  dictionaries: CopiedDictionary[];
  /** Returns the dictionary batches that apply to a record batch. */
  dictionaryParts: PartsOfDictionary;
}

interface Part extends DictionaryBatch {
  values: CopiedColumn;
  buffers: CopiedBuffers;
}

/**
 * Finds and checks the dictionary batches of the copied columns, and counts the values of each dictionary. If a stream
 * replaces a dictionary, its columns are copied as values instead of codes.
 * @throws InputFormatError, InputUnsupportedError
 */
export function locateDictionaries(
  file: ArrowContainer,
  copied: CopiedColumn[],
): LocatedDictionaries {
  const { path, schema, format } = file;
  const fields = dictionaryFields(
    path,
    copied.flatMap(({ index, constant }) =>
      constant ? [] : (schema.fields[index] as Field),
    ),
  );
  const parts = new Map<number, Part[]>();
  const replaced = new Set<number>();
  const dictionaryParts: PartsOfDictionary = (id, { position }) =>
    partsBefore(file, parts.get(id) ?? [], position).map(
      ({ buffers }) => buffers,
    );
  if (fields.size === 0) return { copied, dictionaries: [], dictionaryParts };

  for (const dictionaryBatch of dictionaryBatches(file, fields)) {
    const { context, columns, id, isDelta, field } = dictionaryBatch;
    const fail = failing(file, context.where);
    const earlier = parts.get(id) ?? [];
    const last = earlier.at(-1);
    if (!last && isDelta)
      fail(
        `a delta of dictionary ${id} (column ${field.name}) comes before the dictionary itself`,
      );
    if (last && !isDelta) {
      if (format === "arrow-file")
        fail(
          `dictionary ${id} (column ${field.name}) is replaced; only delta dictionaries may follow a dictionary of a file`,
        );
      replaced.add(id);
    }
    const values = copiedColumn(path, field, 0);
    const [span] = columns as [ColumnSpan];
    const buffers = locateColumn(dictionaryBatch, span, dictionaryParts);
    if (last && isDelta)
      buffers.firstCode = last.buffers.firstCode + last.buffers.length;
    earlier.push({ ...dictionaryBatch, values, buffers });
    parts.set(id, earlier);
  }

  const dictionaries: CopiedDictionary[] = [];
  const seen = new Set<number>();
  const columns = copied.map((column) => {
    const { dictionary } = column.field;
    if (!dictionary) return column;
    const { id } = dictionary;
    if (replaced.has(id)) {
      const field = schema.fields[column.index] as Field;
      return copiedColumn(path, field, column.index, true);
    }
    const ownParts = parts.get(id) ?? [];
    if (!seen.has(id))
      dictionaries.push(...ownParts.map((part) => dictionaryBlock(file, part)));
    seen.add(id);
    const last = ownParts.at(-1)?.buffers;
    return {
      ...column,
      dictionaryValues: last ? last.firstCode + last.length : 0,
    };
  });
  return { copied: columns, dictionaries, dictionaryParts };
}

/** Returns the dictionary-encoded fields among columns and their children, by dictionary id. */
export function dictionaryFields(
  path: string,
  columns: readonly Field[],
): Map<number, Field> {
  const fields = new Map<number, Field>();
  const add = (field: Field) => {
    if (field.dictionary) {
      const { id } = field.dictionary;
      const earlier = fields.get(id);
      if (earlier && typeText(earlier) !== typeText(field))
        throw new InputFormatError(
          path,
          "schema",
          `dictionary ${id} has two types of values: ${describeField(earlier)} (column ${earlier.name}) and ${describeField(field)} (column ${field.name})`,
        );
      fields.set(id, field);
    }
    field.children.forEach(add);
  };
  columns.forEach(add);
  return fields;
}

function typeText({ type, children }: Field): string {
  return JSON.stringify([type, children]);
}

/** Checks the offsets and texts of a dictionary batch, and returns its copy for the output. */
function dictionaryBlock(file: ArrowContainer, part: Part): CopiedDictionary {
  const { id, isDelta, context, batch, values } = part;
  const { where, bodyStart, bodyBytes } = context;
  const plain = values.offsetBytes > 0 ? checkTexts(file, part) : null;
  if (plain && values.form === "views")
    return { id, isDelta, bodyStart: 0, ...plain };
  if (bodyBytes % 8 !== 0)
    throw new InputFormatError(
      file.path,
      where,
      `expected a body length that is a multiple of 8, found ${bodyBytes}`,
    );
  return { id, isDelta, batch, bodyStart, bodyBytes, body: null };
}

/** Maximum size of utf8 and binary values, because their offsets are int32. */
const MAX_BYTES = 2 ** 31 - 1;

/** Checks a dictionary of texts; converts views to utf8 or binary in memory, which takes no more bytes than the file has. */
function checkTexts(
  file: ArrowContainer,
  { context, batch: { rows }, values, buffers: source }: Part,
): Pick<CopiedDictionary, "batch" | "bodyBytes" | "body"> {
  const read = inputReader(file);
  const piece = nestedPiece(source, 0, rows);
  const isViews = values.form === "views";
  try {
    const shape = measureNode(values, rows > 0 ? [piece] : [], read);
    const valuesBytes = shape.values ?? 0;
    const maxBytes = Math.min(source.valuesBytes, MAX_BYTES);
    if (isViews && valuesBytes > maxBytes)
      throw new InputUnsupportedError(
        file.path,
        context.where,
        `the values overlap in their data buffers and take more than ${maxBytes} bytes one by one; write the column as utf8 or binary`,
      );
    let bodyBytes = 0;
    const buffers = [shape.validity, shape.offsets, valuesBytes].map((size) => {
      const [offset, length] = [bodyBytes, size ?? 0];
      bodyBytes = Math.ceil((offset + length) / 64) * 64;
      return { offset, length };
    });
    const [validity = 0, offsets = 0, start = 0] = buffers.map(
      ({ offset }) => offset,
    );
    const target = { shape, validity, offsets, values: start };
    const body = isViews ? new Uint8Array(bodyBytes) : null;
    const copier = new NodeCopier(values, target, read, (bytes, at) =>
      body?.set(bytes, at),
    );
    if (rows > 0) copier.copy(piece);
    const nodes = [{ length: rows, nullCount: copier.finish() }];
    return { batch: { rows, nodes, buffers }, bodyBytes, body };
  } catch (error) {
    if (!(error instanceof DamagedColumn)) throw error;
    const where = `${context.where}, ${error.where.split(", ").at(-1)}`;
    throw new InputFormatError(file.path, where, error.message);
  }
}
