import { type ArrowType, type Field, numberWidth } from "../../arrow/field.js";
import type { InputFile } from "../input-file.js";
import type { KeptColumn } from "../kept-columns.js";
import { checkLimit } from "../limits.js";
import { resultType } from "../logits-column.js";
import type { InputColumn, LogitsFile, OpenOptions } from "../logits-file.js";
import type { LogitsBatch } from "../record-batch.js";
import { checkColumns, formOf, startsOf } from "./array-places.js";
import { chooseLogits } from "./choose-logits.js";
import { chooseInput, chooseKept } from "./choose-others.js";
import type { NumberArray } from "./named-array.js";
import type { OpenArrays } from "./stored-array.js";

/**
 * Finds the logits and all else that is asked for in a file of arrays. Their bytes are as a record batch has them, all
 * rows in one: in C order a fixed-size list, in Fortran order a column per class.
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
  const [rows, classes] = logits.shape as [number, number];
  const inputs = options.inputs.map((input) => ({
    ...input,
    array: chooseInput(path, arrays, input, rows, classes),
  }));
  const kept = chooseKept(path, arrays, options, rows).map((array, place) => ({
    array,
    column: keptColumn(array, place),
  }));
  const where = `array ${logits.name ?? ""}`.trim();
  checkLimit(file, where, "maxBatchRows", "rows in a batch", rows);
  const sources = [logits, ...inputs.map(({ array }) => array)];
  for (const array of sources) checkColumns(path, array);
  const placed = await container.place(
    [...sources, ...kept.map(({ array }) => array)],
    options,
  );
  const batch: LogitsBatch = {
    rowStart: 0,
    rowEnd: rows,
    sources: sources.map((array) => ({
      values: startsOf(array, placed.start(array)),
      offsets: 0,
      valueCount: 0,
      sizes: 0,
      validity: 0,
      valueValidity: [],
    })),
    kept: kept.map(({ array }) => ({
      nullCount: 0,
      validity: 0,
      offsets: 0,
      values: placed.start(array),
      valuesBytes: rows * numberWidth(array.type),
      data: null,
    })),
  };
  return {
    path,
    fd: placed.fd,
    bytes,
    limits: file.limits,
    source: file.source,
    present: placed.fd === file.fd ? file.present : null,
    rows,
    classes,
    type: logits.type,
    dtype: resultType(logits.type),
    form: formOf(logits),
    column: logits.name ?? "array",
    selection: logits.name === null ? {} : { column: logits.name },
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
    batches: [batch],
    kept: kept.map(({ column }) => column),
    dictionaries: [],
    close: () => {
      placed.close();
      file.close();
    },
  };
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
