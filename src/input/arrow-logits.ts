import { bitAt } from "../arrow/bitmap.js";
import {
  type ColumnStorage,
  offsetWidth,
  type ValueBuffers,
} from "../arrow/column-storage.js";
import type { CopiedBuffers } from "../arrow/copied-nodes.js";
import { integerAt, ReadWindow, viewOf } from "../arrow/read-window.js";
import {
  InputFormatError,
  InputUnsupportedError,
  unknownClassesError,
} from "../errors.js";
import { positionNames } from "../printable.js";
import { auxiliaryLengths } from "../results/columns.js";
import { classesOfCodes } from "./class-decoder.js";
import { decompressBodies } from "./compression/decompress-bodies.js";
import { type CopiedColumn, selectCopied } from "./copied-columns.js";
import {
  type DecodedNumbers,
  type DecodedSource,
  decodeSource,
  NO_VALUES,
} from "./decode-sources.js";
import { locateDictionaries } from "./dictionaries.js";
import { selectLogits } from "./logits-column.js";
import type {
  AuxiliaryColumn,
  LogitsFile,
  OpenOptions,
} from "./logits-file.js";
import { readableColumn, withNestedColumns } from "./nested-columns.js";
import {
  matchedColumn,
  type NestedRows,
  nestedRows,
  rowBatch,
  rowBounds,
  rowRuns,
} from "./nested-rows.js";
import {
  asDecoded,
  decodedColumn,
  type LogitsColumn,
  resultType,
} from "./number-column.js";
import { constantColumn, withPartitions } from "./partitions.js";
import { inputReader, requireInput } from "./read-input.js";
import {
  type ColumnSpan,
  type LogitsBatch,
  locateColumn,
  locateValues,
  rowsAt,
} from "./record-batch.js";
import { type ArrowContainer, recordBatches } from "./record-batches.js";
import {
  checkValues,
  isClassOption,
  selectValues,
  type ValueColumn,
} from "./value-column.js";

/**
 * Locates the logits, auxiliary columns and copied columns in an Arrow container, and checks the structure of every batch.
 * Closing the result closes the container, which is also closed on failure.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError
 */
export async function locateLogits(
  container: ArrowContainer,
  options: OpenOptions,
): Promise<LogitsFile> {
  let file = container;
  let nested: NestedRows | null = null;
  const decoded: (DecodedNumbers | null)[] = [];
  const close = () => {
    nested?.close();
    for (const numbers of decoded) numbers?.close();
    file.close();
  };
  try {
    const whole = withNestedColumns(container, options);
    const columns = selectColumns(whole, options);
    const { logits, inputs, copied } = columns;
    const columnIndices = [
      ...[logits, ...inputs].flatMap(({ columns }) => columns),
      ...copied.flatMap(({ index, constant }) => (constant ? [] : [index])),
    ];
    file = await decompressBodies(whole, [...new Set(columnIndices)], options);
    if (logits.nesting) {
      // Nested rows can be anywhere in the file, so a remote file is fetched first.
      requireInput(file, [{ start: 0, end: file.bytes }]);
      nested = nestedRows(file, logits, options.scratch);
    }
    const { binary, nullLogit, pad } = options;
    const names = {
      given: options.classNames,
      // The names of features are not those of classes.
      fromFile: options.features === undefined ? logits.classNames : null,
    };
    const sources: DecodedSource[] = [
      {
        ...logits,
        classNames: null,
        isMargin: binary === true,
        masksNulls: nullLogit === "mask",
        pads: pad === true,
      },
      ...inputs.map((input, n) => ({
        ...input,
        classNames: isClassOption(input.option)
          ? names
          : input.option === "by"
            ? { ...names, vocabulary: options.inputs[n]?.vocabulary }
            : null,
        beside: nested && logits,
      })),
    ];
    for (const source of sources)
      decoded.push(
        source.isDecoded ? decodeSource(file, source, options) : null,
      );
    return {
      ...buildLogitsFile(file, columns, decoded, nested, options),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

interface SelectedColumns {
  logits: LogitsColumn;
  inputs: ValueColumn[];
  copied: CopiedColumn[];
}

function selectColumns(
  container: ArrowContainer,
  options: OpenOptions,
): SelectedColumns {
  const { path, nested, schema } = container;
  const { fields } = schema;
  const { keep, partitions } = options;
  const topLevel = fields.slice(0, fields.length - nested.length);
  const columns = withPartitions(fields, partitions);
  const copyable = withPartitions(topLevel, partitions);
  const selected = selectLogits(path, fields, options);
  const logits = readableColumn(
    container,
    // Lists of different lengths cannot be read in place.
    options.pad && selected.values === null ? asDecoded(selected) : selected,
  );
  const { nesting } = logits;
  const positions = nesting ? positionNames(nesting.axes ?? [0]) : [];
  const ownNames = [...options.ownNames, ...positions];
  return {
    logits,
    inputs: options.inputs.map(({ option, name }) => {
      // Partitions have classes and groups, but no features or weights.
      const isOfFile = option === "features" || option === "weight";
      const column = selectValues(
        path,
        isOfFile ? fields : columns,
        option,
        name,
        nesting !== undefined,
      );
      const partition = columns[column.columns[0] ?? 0]?.partition;
      if (partition)
        return { ...column, ...decodedColumn(name, [], 1), partition };
      const isCoded =
        isClassOption(option) && classesOfCodes(options.classNames) !== null;
      return readableColumn(container, isCoded ? asDecoded(column) : column);
    }),
    copied: selectCopied(path, copyable, keep, ownNames).map((column) => {
      const partition = copyable[column.index]?.partition;
      return partition ? constantColumn(column, partition) : column;
    }),
  };
}

function buildLogitsFile(
  file: ArrowContainer,
  { logits, inputs, copied: selected }: SelectedColumns,
  decoded: readonly (DecodedNumbers | null)[],
  nested: NestedRows | null,
  options: OpenOptions,
): Omit<LogitsFile, "close"> {
  const { path, fd, bytes, present, source } = file;
  const located = locateDictionaries(file, selected);
  const { dictionaries, dictionaryParts } = located;
  const copied = located.copied.map((column) =>
    nested ? matchedColumn(file, column, logits) : { column, list: null },
  );
  const lists = copied.flatMap(({ list }) => list ?? []);
  const sources = [logits, ...inputs];

  const batches: LogitsBatch[] = [];
  let [rowStart, tableRow, batchNumber] = [0, 0, 0];
  for (const record of recordBatches(file)) {
    const { batch, columns } = record;
    const copiedBuffers = copied.map(({ column, list }) => {
      if (column.constant) return column.constant.buffers;
      const span = columns[column.index] as ColumnSpan;
      const buffers = locateColumn(record, span, dictionaryParts);
      return list ? (buffers.children[0] as CopiedBuffers) : buffers;
    });
    const buffers = sources.map((source, n) => {
      const start = decoded[n]?.starts[batchNumber];
      if (start !== undefined) return rowsAt([start]);
      const rows = source.nesting
        ? rowBatch(record, source.nesting, source.columns[0] as number)
        : record;
      return locateValues(rows, source);
    });
    const batchStart = rowStart;
    const runs = nested
      ? rowRuns(
          [logits, ...lists].map((column) => rowBounds(file, record, column)),
        )
      : [{ firsts: [0], count: batch.rows }];
    for (const { firsts, count } of runs) {
      batches.push({
        rowStart,
        rowEnd: rowStart + count,
        sources: buffers.map((sourceBuffers, n) => ({
          ...sourceBuffers,
          // Decoded auxiliary columns already have one row per row of the logits.
          firstRow: nested && n > 0 ? rowStart - batchStart : (firsts[0] ?? 0),
        })),
        copied: copied.map(({ list }, n) => ({
          buffers: copiedBuffers[n] as CopiedBuffers,
          first: list ? (firsts[lists.indexOf(list) + 1] ?? 0) : 0,
          tableRow: nested && !list ? tableRow : null,
        })),
      });
      rowStart += count;
    }
    tableRow += batch.rows;
    batchNumber++;
  }

  const classes =
    decoded[0]?.values ??
    logits.values ??
    listLength(file, batches, 0, logits.storage) ??
    options.classes;
  if (classes === undefined) throw unknownClassesError(path);
  return {
    path,
    fd,
    bytes,
    present,
    source,
    rows: rowStart,
    leading: nested?.leading ?? [rowStart],
    indexFd: nested?.indexFd ?? null,
    classes,
    type: logits.type,
    dtype: resultType(logits.type),
    storage: logits.storage,
    column: logits.name,
    selection:
      options.columns === undefined
        ? { column: logits.name }
        : { columns: logits.name },
    classNames: logits.classNames,
    notes: [logits, nested, ...decoded].flatMap((part) => part?.note ?? []),
    nullLogit: options.nullLogit ?? "error",
    inputs: inputs.map((input, n) => {
      const values = decoded[n + 1]?.values ?? input.values;
      const { vocabulary = new Map() } = options.inputs[n] ?? {};
      const { field } = input;
      return {
        ...inputColumn(file, { ...input, values }, batches, n + 1, classes),
        key: field && { field, vocabulary },
      };
    }),
    batches,
    decodedFds: decoded.map((numbers) => numbers?.fd ?? null),
    copied: copied.map(({ column }) => column),
    partitions: (options.partitions ?? []).filter(
      ({ name }) =>
        selected.some(
          ({ constant, field }) => constant && field.name === name,
        ) || inputs.some(({ partition }) => partition?.name === name),
    ),
    dictionaries,
  };
}

function inputColumn(
  file: ArrowContainer,
  input: ValueColumn,
  batches: LogitsBatch[],
  source: number,
  classes: number,
): Omit<AuxiliaryColumn, "key"> {
  const values =
    input.values ??
    listLength(file, batches, source, input.storage) ??
    (auxiliaryLengths(input.option, classes)[0] as number);
  checkValues(file.path, input, values, classes);
  const { option, name, names, storage, type, width } = input;
  return { option, name, names, storage, type, width, values };
}

/** Returns the length of the first list that is not null, or null if there is none. Workers check that all others have the same. */
function listLength(
  file: ArrowContainer,
  batches: LogitsBatch[],
  source: number,
  storage: ColumnStorage,
): number | null {
  const read = inputReader(file);
  const window = new ReadWindow(read);
  const width = offsetWidth(storage);
  for (const { rowStart, rowEnd, sources } of batches) {
    const buffers = sources[source] as ValueBuffers;
    const { firstRow: first, offsets, validity, valueCount } = buffers;
    const end = first + rowEnd - rowStart;
    const bitsEnd = validity + Math.ceil(end / 8);
    for (let k = first; k < end; k++) {
      const isNull = () =>
        !bitAt(window.bytes(validity + (k >> 3), 1, bitsEnd), k & 7);
      if (validity > 0 && isNull()) continue;
      const view = viewOf(read(offsets + k * width, 2 * width));
      const values = integerAt(view, width, width) - integerAt(view, 0, width);
      const where = `row ${rowStart + k - first}`;
      if (values === 0)
        throw new InputUnsupportedError(file.path, where, NO_VALUES);
      if (values < 0 || values > valueCount)
        throw new InputFormatError(
          file.path,
          where,
          `expected 1 to ${valueCount} ${source === 0 ? "logits" : "values"}, found ${values}`,
        );
      return values;
    }
  }
  return null;
}
