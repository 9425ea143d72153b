import type { Field } from "../arrow/field.js";
import {
  InputUnsupportedError,
  RaggedRowError,
  unknownClasses,
} from "../errors.js";
import { UnnamedFile } from "../io/unnamed-file.js";
import { isNull, NULL_BITS_32 } from "../numeric/bad-row.js";
import type { Partition } from "../results/run-metadata.js";
import { outputCall } from "../system-error.js";
import type { ArrowContainer } from "./arrow-container.js";
import { OMIT_BINARY } from "./candidates.js";
import { ClassDecoder, type ClassNames } from "./class-decoder.js";
import type { ColumnSpan } from "./column-spans.js";
import { BatchDecoder, type DecodedRow, setNull } from "./decoded-rows.js";
import { checkLimit } from "./limits.js";
import type { OpenOptions } from "./logits-file.js";
import { matchedRows, rowBatch, rowBatches, rowBounds } from "./nested-rows.js";
import type { NumberColumn } from "./number-column.js";
import { classOfPartition } from "./partitions.js";
import { requireInput } from "./read-input.js";
import { checkRows } from "./record-batch.js";
import { type RecordBatch, recordBatches } from "./record-batches.js";

/** A column of numbers that is decoded. */
export interface DecodedSource extends NumberColumn {
  /** Names of the classes for a column of classes; null for other numbers. */
  classNames: ClassNames | null;
  /** Partition whose value is that of all rows; default: none. */
  partition?: Partition | null;
  /** Whether the numbers are margins z, which become the logits (0, z). */
  isMargin: boolean;
  /** Whether a null in a row that is not null becomes -inf. */
  masksNulls: boolean;
  /** Whether rows of fewer values than the longest are filled up with -inf; default: rows of another length are refused. */
  pads?: boolean;
  /** Nested logits whose rows its own are matched with; absent for the logits, and beside logits that are not nested. */
  beside?: NumberColumn | null;
}

/** Numbers in a temporary file, row by row. */
export interface DecodedNumbers {
  fd: number;
  /** Values per row. */
  values: number;
  /** Byte offset of the first row of each record batch or array. */
  starts: number[];
  /** Byte offset of the end of the last row. */
  bytes: number;
  /** Note for the user about labels. */
  note?: string | null;
  close(): void;
}

/**
 * Writes rows of numbers to a temporary file, which is closed if that fails.
 * @param path the input, for messages
 * @param write writes the rows, and returns the offset of the first row of each record batch or array
 * @throws IoError where the disk is full; whatever `write` throws
 */
export function writeDecoded(
  path: string,
  { scratch }: Pick<OpenOptions, "scratch">,
  values: number,
  write: (target: UnnamedFile) => number[],
): DecodedNumbers {
  return outputCall(path, "could not be decoded to a temporary file", () => {
    const target = new UnnamedFile(scratch);
    try {
      // An offset of 0 means that a buffer is absent.
      target.reserve(64);
      const starts = write(target);
      const { fd, bytes } = target;
      return { fd, values, starts, bytes, close: () => target.close() };
    } catch (error) {
      target.close();
      throw error;
    }
  });
}

/**
 * Decodes a column, batch by batch, to a file without a name.
 * @throws RaggedRowError, InputFormatError, InputUnsupportedError; IoError where there is no room
 */
export function decodeSource(
  file: ArrowContainer,
  source: DecodedSource,
  options: Pick<OpenOptions, "scratch" | "classes">,
): DecodedNumbers {
  const { path, present } = file;
  if (source.partition) return decodePartition(file, source, options);
  // All of it is read now.
  if (present) requireInput(file, [{ start: 0, end: file.bytes }]);
  const { classNames, columns } = source;
  const [place] = columns as [number];
  const field = source.nesting?.row ?? (file.schema.fields[place] as Field);
  const classes = classNames && new ClassDecoder(file, field, classNames);
  const longest = source.pads ? longestRow : valuesPerRow;
  const values = source.values ?? longest(file, source) ?? options.classes;
  if (values === undefined) throw unknownClasses(path);
  const decoded = writeDecoded(path, options, values, (target) => {
    const starts: number[] = [];
    let first = 0;
    let tableRow = 0;
    for (const record of recordBatches(file)) {
      for (const column of columns) checkColumn(record, column);
      const batch = source.nesting
        ? rowBatch(record, source.nesting, place)
        : record;
      if (source.pads) {
        starts.push(appendPadded(target, file, batch, source, values));
        continue;
      }
      const numbers = classes
        ? classes.classes(batch, place, first)
        : numbersOf(file, batch, source, values, first);
      const matched = source.beside
        ? matchedRows(file, record, source, source.beside, tableRow)
        : null;
      const own = matched ? rowsAmong(numbers, values, matched) : numbers;
      starts.push(append(target, source, own));
      first += batch.batch.rows;
      tableRow += record.batch.rows;
    }
    return starts;
  });
  return { ...decoded, note: classes?.note ?? null };
}

/** One class for all rows. */
function decodePartition(
  file: ArrowContainer,
  source: DecodedSource,
  options: Pick<OpenOptions, "scratch">,
): DecodedNumbers {
  const { classNames, partition, beside } = source;
  const found =
    partition && classNames
      ? classOfPartition(file.path, partition, classNames)
      : null;
  return writeDecoded(file.path, options, 1, (target) =>
    Array.from(recordBatches(file), (record) => {
      const rows = beside
        ? rowBounds(file, record, beside).counts.reduce((a, b) => a + b, 0)
        : record.batch.rows;
      const numbers = new Float64Array(rows).fill(found ?? 0);
      if (found === null) for (let k = 0; k < rows; k++) setNull(numbers, k);
      return append(target, source, numbers);
    }),
  );
}

/** Copies rows of numbers by their numbers. */
function rowsAmong(
  numbers: Float64Array,
  values: number,
  rows: Float64Array,
): Float64Array {
  const found = new Float64Array(rows.length * values);
  for (const [k, row] of rows.entries())
    found.set(numbers.subarray(row * values, (row + 1) * values), k * values);
  return found;
}

/** Checks that a column, and the fields of a struct, have as many values as there are rows. @throws InputFormatError */
function checkColumn(
  { context, batch, columns }: RecordBatch,
  place: number,
): void {
  const span = columns[place] as ColumnSpan;
  const { field, children, parents } = span;
  const fields = field.type.kind === "Struct" ? children : [];
  for (const one of [span, ...parents, ...fields])
    checkRows(context, batch, one);
}

/** Row after row; rows of another length are refused. */
function numbersOf(
  file: ArrowContainer,
  batch: RecordBatch,
  source: DecodedSource,
  values: number,
  first: number,
): Float64Array {
  const { name, masksNulls } = source;
  const rows = rowsOf(file, batch, source, first);
  const numbers = new Float64Array(rows.length * values);
  for (const [k, row] of rows.entries()) {
    const at = k * values;
    if (row === null) for (let n = 0; n < values; n++) setNull(numbers, at + n);
    else if (row.length === values)
      numbers.set(masksNulls ? masked(row) : row, at);
    else
      throw new RaggedRowError(file.path, name, first + k, values, row.length);
  }
  return numbers;
}

/** Values that are filled up at once, unless a single row has more. */
const PADDED_VALUES = 1 << 20;

function appendPadded(
  target: UnnamedFile,
  file: ArrowContainer,
  batch: RecordBatch,
  source: DecodedSource,
  values: number,
): number {
  const rows = rowsOf(file, batch, source, 0);
  const start = target.reserve(0);
  const step = Math.max(1, Math.floor(PADDED_VALUES / values));
  for (let from = 0; from < rows.length; from += step) {
    const some = rows.slice(from, from + step);
    const numbers = new Float64Array(some.length * values);
    numbers.fill(Number.NEGATIVE_INFINITY);
    for (const [k, row] of some.entries())
      if (row) numbers.set(source.masksNulls ? masked(row) : row, k * values);
      else for (let n = 0; n < values; n++) setNull(numbers, k * values + n);
    append(target, source, numbers);
  }
  return start;
}

/** The length of the longest row; null: there is none. @throws InputUnsupportedError if the padded rows exceed the limit */
function longestRow(
  file: ArrowContainer,
  source: DecodedSource,
): number | null {
  let [values, count] = [0, 0];
  for (const batch of rowBatches(file, source))
    for (const row of rowsOf(file, batch, source, 0)) {
      values = Math.max(values, row?.length ?? 0);
      count++;
    }
  const bytes = count * values * source.width;
  const where = `column ${source.name}`;
  checkLimit(file, where, "maxDecodedBytes", "bytes of padded lists", bytes);
  return values || null;
}

function append(
  target: UnnamedFile,
  { type }: DecodedSource,
  numbers: Float64Array,
): number {
  if (type !== "float32") return target.append(new Uint8Array(numbers.buffer));
  const stored = Float32Array.from(numbers);
  const bits = new Int32Array(stored.buffer);
  for (let k = 0; k < bits.length; k++)
    if (isNull(numbers, k)) bits[k] = NULL_BITS_32;
  return target.append(new Uint8Array(stored.buffer));
}

function masked(row: Float64Array): Float64Array {
  return row.map((value, k) =>
    isNull(row, k) ? Number.NEGATIVE_INFINITY : value,
  );
}

/** The length of the first row that is not null; null: there is none. */
function valuesPerRow(
  file: ArrowContainer,
  source: DecodedSource,
): number | null {
  let first = 0;
  for (const batch of rowBatches(file, source)) {
    const rows = rowsOf(file, batch, source, first);
    const row = rows.find((found) => found !== null);
    if (row?.length) return row.length;
    if (row)
      throw new InputUnsupportedError(
        file.path,
        `column ${source.name}, row ${first + rows.indexOf(row)}`,
        "expected at least 1 value, found 0; write null for rows without values (see --on-bad-row)",
      );
    first += rows.length;
  }
  return null;
}

function rowsOf(
  file: ArrowContainer,
  { context, batch, columns }: RecordBatch,
  { name, columns: places, isMargin }: DecodedSource,
  first: number,
): DecodedRow[] {
  const decoder = new BatchDecoder(file, context, batch);
  const spans = places.map(
    (place) => columns[place] as (typeof columns)[number],
  );
  const [span] = spans as [(typeof columns)[number]];
  if (isMargin)
    return decoder
      .rows(span)
      .map((row, k) => row && withZero(row, file.path, name, first + k));
  if (places.length === 1) return decoder.rows(span);
  const numbers = spans.map((column) => decoder.numbers(column));
  return Array.from({ length: batch.rows }, (_, k) => {
    const row = new Float64Array(numbers.length);
    // Bits are copied: an assignment of numbers may lose which NaN it is.
    for (const [n, column] of numbers.entries())
      row.set(column.subarray(k, k + 1), n);
    return row;
  });
}

/** The logits (0, z) of a margin. @throws InputUnsupportedError where a row has more numbers than one, or none */
function withZero(
  margin: Float64Array,
  path: string,
  name: string,
  row: number,
): Float64Array {
  if (margin.length !== 1)
    throw new InputUnsupportedError(
      path,
      `column ${name}, row ${row}`,
      `--binary: expected margins, one number per row, found ${margin.length}; ${margin.length ? OMIT_BINARY : "write null for rows without one"}`,
    );
  const logits = new Float64Array(2);
  logits.set(margin, 1);
  return logits;
}
