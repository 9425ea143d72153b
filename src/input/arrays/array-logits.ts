import { type ArrowType, type Field, numberWidth } from "../../arrow/field.js";
import type { InputFile } from "../input-file.js";
import type { KeptColumn } from "../kept-columns.js";
import { checkLimit } from "../limits.js";
import { type LogitsSelection, resultType } from "../logits-column.js";
import type { InputColumn, LogitsFile, OpenOptions } from "../logits-file.js";
import type { LogitsBatch, ValueBuffers } from "../record-batch.js";
import { checkColumns, formOf, isByColumns, startsOf } from "./array-places.js";
import { chooseLogits } from "./choose-logits.js";
import { chooseInput, chooseKept } from "./choose-others.js";
import { type NumberArray, whereOf } from "./named-array.js";
import type { OpenArrays } from "./stored-array.js";

/**
 * Finds the logits and all else that is asked for in a file of arrays. Their bytes are as record batches have them, one
 * for each array of logits: in C order a fixed-size list, in Fortran order a column per class.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function locateArrays(
  file: InputFile,
  open: OpenArrays,
  options: OpenOptions,
): Promise<LogitsFile> {
  const { path, bytes } = file;
  const container = await open(file);
  const { arrays } = container;
  checkLimit(file, "arrays", "maxColumns", "columns", arrays.length);
  const logits = chooseLogits(path, arrays, options);
  const [first] = logits as [NumberArray];
  const rows = logits.reduce((sum, { shape }) => sum + (shape[0] as number), 0);
  const classes = first.shape[1] as number;
  const inputs = options.inputs.map((input) => ({
    ...input,
    array: chooseInput(path, arrays, input, rows, classes),
  }));
  const kept = chooseKept(path, arrays, options, rows).map((array, place) => ({
    array,
    column: keptColumn(array, place),
  }));
  for (const array of logits)
    checkLimit(
      file,
      whereOf(array),
      "maxBatchRows",
      "rows in a batch",
      array.shape[0] as number,
    );
  const others = inputs.map(({ array }) => array);
  const form = formOf(logits.find(isByColumns) ?? first);
  for (const array of [...logits, ...others]) checkColumns(path, array);
  const placed = await container.place(
    [...logits, ...others, ...kept.map(({ array }) => array)],
    options,
  );
  const batches: LogitsBatch[] = [];
  let rowStart = 0;
  for (const array of logits) {
    const rowEnd = rowStart + (array.shape[0] as number);
    const from = rowStart;
    batches.push({
      rowStart,
      rowEnd,
      sources: [
        bufferOf(startsOf(array, placed.start(array), form)),
        ...others.map((other) =>
          bufferOf(
            startsOf(other, placed.start(other), formOf(other)).map(
              (start) => start + from * bytesPerRow(other),
            ),
          ),
        ),
      ],
      kept: kept.map(({ array }) => ({
        nullCount: 0,
        validity: 0,
        offsets: 0,
        values: placed.start(array) + from * numberWidth(array.type),
        valuesBytes: (rowEnd - from) * numberWidth(array.type),
        data: null,
      })),
    });
    rowStart = rowEnd;
  }
  return {
    path,
    fd: placed.fd,
    bytes,
    limits: file.limits,
    source: file.source,
    present: placed.fd === file.fd ? file.present : null,
    rows,
    classes,
    type: first.type,
    dtype: resultType(first.type),
    form,
    column: options.columns ?? first.name ?? "array",
    selection: selectionOf(first, options),
    classNames: null,
    note: null,
    nullLogit: options.nullLogit ?? "error",
    inputs: inputs.map(
      ({ option, name, array }): InputColumn => ({
        option,
        name,
        form: formOf(array),
        type: array.type,
        width: numberWidth(array.type),
        values: array.values,
      }),
    ),
    batches,
    kept: kept.map(({ column }) => column),
    dictionaries: [],
    close: () => {
      placed.close();
      file.close();
    },
  };
}

/** Buffers of numbers that are all there. */
function bufferOf(values: number[]): ValueBuffers {
  return {
    values,
    offsets: 0,
    valueCount: 0,
    sizes: 0,
    validity: 0,
    valueValidity: [],
  };
}

/** Bytes from a value of a row to that of the next. */
function bytesPerRow(array: NumberArray & { values: number }): number {
  const values = formOf(array) === "columns" ? 1 : array.values;
  return values * numberWidth(array.type);
}

function selectionOf(
  { name }: NumberArray,
  { columns }: LogitsSelection,
): LogitsSelection {
  if (columns !== undefined) return { columns };
  return name === null ? {} : { column: name };
}

function keptColumn({ name, type }: NumberArray, place: number): KeptColumn {
  const field: Field = {
    name: name as string,
    nullable: false,
    type: arrowType(type),
    dictionary: null,
    children: [],
    metadata: [],
  };
  return {
    field,
    place,
    bits: 8 * numberWidth(type),
    offsetBytes: 0,
    views: false,
    dictionaryValues: null,
  };
}

function arrowType(type: NumberArray["type"]): ArrowType {
  const bits = 8 * numberWidth(type);
  return type.startsWith("float")
    ? { kind: "FloatingPoint", precision: Math.log2(bits / 16) }
    : { kind: "Int", bitWidth: bits, signed: type.startsWith("i") };
}
