import type { Field } from "../arrow/field.js";
import {
  InputUnsupportedError,
  RaggedRowError,
  unknownClassesError,
} from "../errors.js";
import type { AnonymousFile, TemporaryFiles } from "../io/anonymous-file.js";
import { checkLimit } from "../io/limits.js";
import { isNull, NULL_BITS_32 } from "../kernels/bad-row.js";
import type { Partition } from "../results/run-metadata.js";
import { OMIT_BINARY } from "./candidates.js";
import {
  ClassDecoder,
  type ClassNames,
  partitionField,
} from "./class-decoder.js";
import {
  ColumnDecoder,
  type DecodedRows,
  numbersAt,
  setNull,
} from "./decoded-rows.js";
import type { Opening } from "./logits-file.js";
import { matchedRows, rowBatch } from "./nested-rows.js";
import type { NumberColumn } from "./number-column.js";
import { requireInput } from "./read-input.js";
import type { ColumnSpan, RecordBatch } from "./record-batch.js";
import { type ArrowContainer, recordBatches } from "./record-batches.js";

/** Column of numbers that is decoded before the run. */
export interface DecodedSource extends NumberColumn {
  /** Class names, if the column holds classes; null or absent for other numbers. */
  classNames?: ClassNames | null;
  /** Partition that gives all rows their value; default: none. */
  partition?: Partition | null;
  /** Whether the numbers are margins z, which become the logits (0, z); default: false. */
  isMargin?: boolean;
  /** Whether a null in a row that is not null becomes -inf; default: false. */
  masksNulls?: boolean;
  /** Whether shorter rows are padded with -inf to the longest; default: false, which rejects rows of different lengths. */
  pads?: boolean;
  /** Nested logits whose rows this column's rows are matched with; null or absent if the logits are not nested, or are this column. */
  beside?: NumberColumn | null;
}

/** Decoded rows of numbers in a temporary file. */
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
}

/**
 * Writes rows of numbers to a temporary file.
 * @param path input path, for messages
 * @param write writes the rows and returns the offset of the first row of each record batch or array
 * @throws IoError if the disk is full, and errors of `write`
 */
export function writeDecoded(
  path: string,
  temporary: TemporaryFiles,
  values: number,
  write: (target: AnonymousFile) => number[],
): DecodedNumbers {
  const target = temporary.open(path);
  // An offset of 0 means that a buffer is absent.
  target.reserve(64);
  const starts = write(target);
  const { fd, bytes } = target;
  return { fd, values, starts, bytes };
}

/**
 * Decodes a column to an anonymous temporary file, one record batch at a time.
 * @throws RaggedRowError, InputFormatError, InputUnsupportedError; IoError if the disk is full
 */
export function decodeSource(
  file: ArrowContainer,
  source: DecodedSource,
  { temporary, classes: defaultValues }: Pick<Opening, "temporary" | "classes">,
): DecodedNumbers {
  const { path, bytes } = file;
  const { classNames, partition, nesting, beside } = source;
  // Decoding reads the whole column, so a remote file is fetched first.
  if (!partition) requireInput(file, [{ start: 0, end: bytes }]);
  const [column = 0] = source.columns;
  const field = partition
    ? partitionField(partition)
    : (nesting?.row ?? (file.schema.fields[column] as Field));
  const classes = classNames ? new ClassDecoder(file, field, classNames) : null;
  const constant = (partition && classes?.ofPartition(partition)) ?? null;
  const values = source.values ?? rowLength(file, source) ?? defaultValues;
  if (values === undefined) throw unknownClassesError(path);
  const decoded = writeDecoded(path, temporary, values, (target) => {
    let [first, tableRow] = [0, 0];
    return Array.from(recordBatches(file), (record) => {
      const ownBatch = rowBatch(record, source);
      const rows = partition
        ? { length: record.batch.rows, at: () => constant }
        : classes
          ? classes.rows(ownBatch, column, first)
          : rowsOf(file, ownBatch, source, first);
      const matched = beside
        ? matchedRows(file, record, source, beside, tableRow)
        : null;
      const decodedBytes = target.bytes + 8 * values * rows.length;
      const where = `column ${source.name}`;
      checkLimit(file, where, "maxDecodedBytes", decodedBytes);
      const start = appendRows(
        target,
        path,
        source,
        values,
        rows,
        matched,
        first,
      );
      first += rows.length;
      tableRow += record.batch.rows;
      return start;
    });
  });
  return { ...decoded, note: classes?.note ?? null };
}

/** Number of values per write; a longer row is written whole. */
const VALUES_PER_WRITE = 1 << 20;

/**
 * Appends rows of a record batch, which starts at row `first` of the file: all rows if `matched` is null, else those it lists.
 * Pads or rejects rows of another length. Returns the offset of the first.
 * @throws RaggedRowError
 */
function appendRows(
  target: AnonymousFile,
  path: string,
  { name, type, masksNulls, pads = false }: DecodedSource,
  values: number,
  rows: DecodedRows,
  matched: Float64Array | null,
  first: number,
): number {
  const { length } = matched ?? rows;
  const start = target.reserve(0);
  const step = Math.max(1, Math.floor(VALUES_PER_WRITE / values));
  for (let from = 0; from < length; from += step) {
    const count = Math.min(step, length - from);
    const numbers = new Float64Array(count * values);
    if (pads) numbers.fill(Number.NEGATIVE_INFINITY);
    for (let k = 0; k < count; k++) {
      const rowInBatch = matched?.[from + k] ?? from + k;
      const row = rows.at(rowInBatch);
      const at = k * values;
      const place = first + rowInBatch;
      if (!row) for (let n = 0; n < values; n++) setNull(numbers, at + n);
      else if (row.length === values || pads)
        numbers.set(masksNulls ? nullsMasked(row) : row, at);
      else throw new RaggedRowError(path, name, place, values, row.length);
    }
    const stored = type === "float32" ? asFloat32(numbers) : numbers;
    target.append(new Uint8Array(stored.buffer));
  }
  return start;
}

function asFloat32(numbers: Float64Array): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(numbers);
  const bits = new Int32Array(floats.buffer);
  for (let k = 0; k < bits.length; k++)
    if (isNull(numbers, k)) bits[k] = NULL_BITS_32;
  return floats;
}

function nullsMasked(row: Float64Array): Float64Array {
  return row.map((value, k) =>
    isNull(row, k) ? Number.NEGATIVE_INFINITY : value,
  );
}

/** Message for a row whose list is empty. */
export const NO_VALUES =
  "expected at least 1 value, found 0; write null for rows without values (see --on-bad-row)";

/**
 * Returns the length of the first row that is not null, or with `pads` of the longest; null if there is none.
 * @throws InputUnsupportedError if a row has no values or, with `pads`, if the padded rows exceed the limit
 */
function rowLength(file: ArrowContainer, source: DecodedSource): number | null {
  const where = `column ${source.name}`;
  let [longest, count] = [0, 0];
  for (const record of recordBatches(file)) {
    const rows = rowsOf(file, rowBatch(record, source), source, count);
    for (let k = 0; k < rows.length; k++, count++) {
      const length = rows.at(k)?.length ?? null;
      if (length !== null && !source.pads) {
        if (length > 0) return length;
        const place = `${where}, row ${count}`;
        throw new InputUnsupportedError(file.path, place, NO_VALUES);
      }
      longest = Math.max(longest, length ?? 0);
    }
  }
  const bytes = count * longest * source.width;
  checkLimit(file, where, "maxDecodedBytes", bytes);
  return longest || null;
}

function rowsOf(
  file: ArrowContainer,
  record: RecordBatch,
  { name, columns, isMargin }: DecodedSource,
  first: number,
): DecodedRows {
  const decoders = columns.map(
    (column) =>
      new ColumnDecoder(file, record, record.columns[column] as ColumnSpan),
  );
  const [decoder] = decoders as [ColumnDecoder];
  if (decoders.length > 1) {
    const numbers = decoders.map((column) => column.numbers());
    return { length: record.batch.rows, at: (k) => numbersAt(numbers, k) };
  }
  const rows = decoder.rows();
  if (!isMargin) return rows;
  return {
    ...rows,
    at: (k) => {
      const row = rows.at(k);
      if (!row) return null;
      if (row.length !== 1)
        throw new InputUnsupportedError(
          file.path,
          `column ${name}, row ${first + k}`,
          `--binary: expected margins, one number per row, found ${row.length}; ${row.length ? OMIT_BINARY : "write null for rows without one"}`,
        );
      // The logits (0, z) of the margin z.
      const logits = new Float64Array(2);
      logits.set(row, 1);
      return logits;
    },
  };
}
