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
import { valuesOf } from "../results/catalogue.js";
import { auxiliaryLengths } from "../results/columns.js";
import { decompressBodies } from "./compression/decompress-bodies.js";
import {
  type DecodedNumbers,
  type DecodedSource,
  decodeSource,
  NO_VALUES,
} from "./decode-sources.js";
import { locateDictionaries } from "./dictionaries.js";
import {
  describeSources,
  type LogitsFile,
  type Opening,
} from "./logits-file.js";
import {
  matchedColumn,
  type NestedRows,
  nestedRows,
  rowBatch,
  rowBounds,
  rowRuns,
} from "./nested-rows.js";
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
  readableColumn,
  type SelectedColumns,
  selectColumns,
} from "./select-columns.js";
import { checkValues } from "./value-column.js";

/**
 * Locates the logits, auxiliary columns and copied columns in an Arrow container, and checks the structure of every batch.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError
 */
export async function locateLogits(
  container: ArrowContainer,
  options: Opening,
): Promise<LogitsFile> {
  const { path, schema } = container;
  const selected = selectColumns(path, schema.fields, options);
  const { fields, nested: paths } = selected;
  const own = { nested: paths, schema: { ...schema, fields } };
  const whole = { ...container, ...own };
  const logits = readableColumn(whole, selected.logits);
  const inputs = selected.inputs.map((input) => readableColumn(whole, input));
  const columns = { ...selected, logits, inputs };
  const file = await decompressBodies(whole, selected.indices, options);
  let nested: NestedRows | null = null;
  if (logits.nesting) {
    // Nested rows can be anywhere in the file, so a remote file is fetched first.
    requireInput(file, [{ start: 0, end: file.bytes }]);
    nested = nestedRows(file, logits, options.temporary);
  }
  const { binary, nullLogit, pad } = options;
  const names = {
    given: options.classNames,
    // The names of features are not those of classes.
    fromFile: options.features === undefined ? logits.classNames : null,
    areCodes: options.classCodes ?? options.classNames !== undefined,
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
      classNames: {
        class: names,
        key: { ...names, vocabulary: options.inputs[n]?.vocabulary },
        weight: null,
        features: null,
        numbers: null,
      }[valuesOf(input.option)],
      beside: nested && logits,
    })),
  ];
  const decoded = sources.map((source) =>
    source.isDecoded ? decodeSource(file, source, options) : null,
  );
  return buildLogitsFile(file, columns, decoded, nested, options);
}

function buildLogitsFile(
  file: ArrowContainer,
  { logits, inputs, copied: selected }: SelectedColumns,
  decoded: readonly (DecodedNumbers | null)[],
  nested: NestedRows | null,
  options: Opening,
): LogitsFile {
  const { path } = file;
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
      return locateValues(rowBatch(record, source), source);
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
  const lengths = inputs.map((input, n) => {
    const values =
      decoded[n + 1]?.values ??
      input.values ??
      listLength(file, batches, n + 1, input.storage) ??
      (auxiliaryLengths(input.option, classes)[0] as number);
    checkValues(path, input, values, classes);
    return values;
  });
  const described = sources.map((source, n) => ({
    ...source,
    values: lengths[n - 1] ?? classes,
    fd: decoded[n]?.fd ?? null,
  }));
  return {
    ...file,
    rows: rowStart,
    leading: nested?.leading ?? [rowStart],
    indexFd: nested?.indexFd ?? null,
    ...describeSources(options, described),
    classNames: logits.classNames,
    notes: [logits, nested, ...decoded].flatMap((part) => part?.note ?? []),
    inputs: inputs.map(({ option, name, names, field }, n) => {
      const { vocabulary = new Map() } = options.inputs[n] ?? {};
      const key = field && { field, vocabulary };
      return { option, name, names, key, values: lengths[n] as number };
    }),
    batches,
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
