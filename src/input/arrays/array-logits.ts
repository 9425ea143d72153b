import { type ArrowType, type Field, numberWidth } from "../../arrow/field.js";
import { UnnamedFile } from "../../io/unnamed-file.js";
import { outputCall } from "../../system-error.js";
import { type DecodedNumbers, KEPT, oneHotClass } from "../decode-sources.js";
import type { InputFile } from "../input-file.js";
import type { KeptColumn } from "../kept-columns.js";
import { checkLimit } from "../limits.js";
import { type LogitsSelection, resultType } from "../logits-column.js";
import type { InputColumn, LogitsFile, OpenOptions } from "../logits-file.js";
import { numbersOfBytes } from "../numbers-of-bytes.js";
import { readInput } from "../read-input.js";
import { type LogitsBatch, rowsAt } from "../record-batch.js";
import { isClassOption } from "../value-column.js";
import { checkColumns, formOf, isByColumns, startsOf } from "./array-places.js";
import { chooseLogits, type LogitsArray } from "./choose-logits.js";
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
  const [first] = logits as [LogitsArray];
  const rows = logits.reduce((sum, { shape }) => sum + (shape[0] as number), 0);
  const leading = leadingOf(logits, rows);
  const classes = first.shape[1] as number;
  const inputs = options.inputs.map((input) => ({
    ...input,
    array: chooseInput(path, arrays, input, rows, classes, leading),
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
  const decoded: (DecodedNumbers | null)[] = [];
  try {
    for (const { option, array } of inputs)
      decoded.push(
        isClassOption(option) && array.values > 1
          ? classesOf(file, placed.fd, placed.start(array), array, options)
          : null,
      );
  } catch (error) {
    for (const found of decoded) found?.close();
    placed.close();
    throw error;
  }
  const batches: LogitsBatch[] = [];
  let rowStart = 0;
  for (const array of logits) {
    const rowEnd = rowStart + (array.shape[0] as number);
    const from = rowStart;
    batches.push({
      rowStart,
      rowEnd,
      sources: [
        rowsAt(startsOf(array, placed.start(array), form)),
        ...others.map((other, n) => {
          const start = decoded[n]?.starts[0];
          if (start !== undefined) return rowsAt([start + from * CLASS_BYTES]);
          return rowsAt(
            startsOf(other, placed.start(other), formOf(other)).map(
              (start) => start + from * bytesPerRow(other),
            ),
          );
        }),
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
    leading,
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
      ({ option, name, array }, n): InputColumn => ({
        option,
        name,
        ...(decoded[n]
          ? {
              form: "fixed-size-list",
              type: "float64",
              width: CLASS_BYTES,
              values: 1,
            }
          : {
              form: formOf(array),
              type: array.type,
              width: numberWidth(array.type),
              values: array.values,
            }),
      }),
    ),
    batches,
    decodedFds: [null, ...decoded.map((found) => found?.fd ?? null)],
    kept: kept.map(({ column }) => column),
    dictionaries: [],
    close: () => {
      for (const found of decoded) found?.close();
      placed.close();
      file.close();
    },
  };
}

/** Lengths of the leading axes of arrays whose first axes are concatenated; `[rows]` if their other axes differ. */
function leadingOf(logits: readonly LogitsArray[], rows: number): number[] {
  const [inner = [], ...others] = logits.map(({ leading }) => leading.slice(1));
  return others.every((other) => other.join() === inner.join())
    ? [logits.reduce((sum, { leading: [n = 0] }) => sum + n, 0), ...inner]
    : [rows];
}

/** Class numbers are decoded to float64. */
const CLASS_BYTES = 8;

/** Maximum number of one-hot values in memory, unless a single row has more. */
const ONE_HOT_VALUES = 1 << 20;

/** The classes of one-hot rows, in a temporary file. @throws InputFormatError, IoError */
function classesOf(
  file: InputFile,
  fd: number,
  start: number,
  array: NumberArray & { values: number },
  { scratch }: OpenOptions,
): DecodedNumbers {
  const { path } = file;
  const { type, values } = array;
  const rows = array.shape[0] as number;
  const step = Math.max(1, Math.floor(ONE_HOT_VALUES / values));
  const present = fd === file.fd ? file.present : null;
  const target = outputCall(path, KEPT, () => new UnnamedFile(scratch));
  try {
    target.reserve(64);
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      const width = values * numberWidth(type);
      const bytes = new Uint8Array(count * width);
      readInput({ path, fd, present }, bytes, start + from * width);
      const numbers = numbersOfBytes(bytes.buffer, type);
      const classes = Float64Array.from({ length: count }, (_, k) =>
        oneHotClass(
          numbers.subarray(k * values, (k + 1) * values),
          path,
          `${whereOf(array)}, row ${from + k}`,
        ),
      );
      outputCall(path, KEPT, () =>
        target.append(new Uint8Array(classes.buffer)),
      );
    }
    return {
      fd: target.fd,
      values: 1,
      starts: [64],
      close: () => target.close(),
    };
  } catch (error) {
    target.close();
    throw error;
  }
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
