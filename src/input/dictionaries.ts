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
import { inputReader } from "./read-input.js";
import {
  type ColumnSpan,
  type PartsOfDictionary,
  placeColumn,
} from "./record-batch.js";
import {
  type ArrowContainer,
  type DictionaryBatch,
  dictionaryBatches,
  partsBefore,
} from "./record-batches.js";

/** Copied columns whose dictionaries are found. */
export interface PlacedDictionaries {
  kept: CopiedColumn[];
  /** Dictionaries that the output has. */
  dictionaries: CopiedDictionary[];
  /** Parts of the dictionaries whose values are copied. */
  partsOf: PartsOfDictionary;
}

interface Part extends DictionaryBatch {
  values: CopiedColumn;
  placed: CopiedBuffers;
}

/**
 * Finds and checks the dictionary batches of the copied columns, and counts each column's dictionary values. The values of
 * a column are copied in place of its codes if a stream replaces its dictionary.
 * @throws InputFormatError, InputUnsupportedError
 */
export function placeDictionaries(
  file: ArrowContainer,
  kept: CopiedColumn[],
): PlacedDictionaries {
  const { path, schema, format } = file;
  const fields = dictionaryFields(
    path,
    kept.flatMap(({ place, constant }) =>
      constant ? [] : (schema.fields[place] as Field),
    ),
  );
  const parts = new Map<number, Part[]>();
  const replaced = new Set<number>();
  const partsOf: PartsOfDictionary = (id, { position }) =>
    partsBefore(file, parts.get(id) ?? [], position).map(
      ({ placed }) => placed,
    );
  if (fields.size === 0) return { kept, dictionaries: [], partsOf };

  for (const found of dictionaryBatches(file, fields)) {
    const { context, columns, id, isDelta, field } = found;
    const error = (text: string) =>
      new InputFormatError(path, context.where, text);
    const before = parts.get(id) ?? [];
    const last = before.at(-1);
    if (!last && isDelta)
      throw error(
        `a delta of dictionary ${id} (column ${field.name}) comes before the dictionary itself`,
      );
    if (last && !isDelta) {
      if (format === "arrow-file")
        throw error(
          `dictionary ${id} (column ${field.name}) is replaced; only delta dictionaries may follow a dictionary of a file`,
        );
      replaced.add(id);
    }
    const values = copiedColumn(path, field, 0);
    const [span] = columns as [ColumnSpan];
    const placed = placeColumn(found, span, partsOf);
    if (last && isDelta)
      placed.firstCode = last.placed.firstCode + last.placed.length;
    before.push({ ...found, values, placed });
    parts.set(id, before);
  }

  const dictionaries: CopiedDictionary[] = [];
  const seen = new Set<number>();
  const columns = kept.map((column) => {
    const { dictionary } = column.field;
    if (!dictionary) return column;
    const { id } = dictionary;
    if (replaced.has(id)) {
      const field = schema.fields[column.place] as Field;
      return copiedColumn(path, field, column.place, true);
    }
    const found = parts.get(id) ?? [];
    if (!seen.has(id))
      dictionaries.push(...found.map((part) => dictionaryBlock(file, part)));
    seen.add(id);
    const last = found.at(-1)?.placed;
    return {
      ...column,
      dictionaryValues: last ? last.firstCode + last.length : 0,
    };
  });
  return { kept: columns, dictionaries, partsOf };
}

/** Returns the fields with dictionaries among columns and all that is nested in them, by the dictionary's id. */
export function dictionaryFields(
  path: string,
  columns: readonly Field[],
): Map<number, Field> {
  const fields = new Map<number, Field>();
  const add = (field: Field) => {
    if (field.dictionary) {
      const { id } = field.dictionary;
      const other = fields.get(id);
      if (other && typeText(other) !== typeText(field))
        throw new InputFormatError(
          path,
          "schema",
          `dictionary ${id} has two types of values: ${describeField(other)} (column ${other.name}) and ${describeField(field)} (column ${field.name})`,
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

/** Checks a dictionary batch that is copied: offsets and texts, on which every row that points to them depends. */
function dictionaryBlock(file: ArrowContainer, part: Part): CopiedDictionary {
  const { id, isDelta, context, batch, values } = part;
  const { where, bodyStart, bodyBytes } = context;
  const plain = values.offsetBytes > 0 ? withoutViews(file, part) : null;
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

/** Offsets of utf8 and binary are int32. */
const MAX_BYTES = 2 ** 31 - 1;

/** Reads and checks a dictionary of texts, and returns one of views as utf8 or binary: in memory, which is no more than the file has of them. */
function withoutViews(
  file: ArrowContainer,
  { context, batch: { rows }, values, placed }: Part,
): Pick<CopiedDictionary, "batch" | "bodyBytes" | "body"> {
  const read = inputReader(file);
  const piece = nestedPiece(placed, 0, rows);
  const isViews = values.form === "views";
  try {
    const shape = measureNode(values, rows > 0 ? [piece] : [], read);
    const valuesBytes = shape.values ?? 0;
    const most = Math.min(placed.valuesBytes, MAX_BYTES);
    if (isViews && valuesBytes > most)
      throw new InputUnsupportedError(
        file.path,
        context.where,
        `the values overlap in their data buffers and take more than ${most} bytes one by one; write the column as utf8 or binary`,
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
    const copier = new NodeCopier(values, target, read, (source, at) =>
      body?.set(source, at),
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
