import { existsSync } from "node:fs";
import type { ValueBuffers } from "../../arrow/column-storage.js";
import { arrowTypeOf, numberWidth, plainField } from "../../arrow/field.js";
import { InputUnsupportedError } from "../../errors.js";
import { checkLimit } from "../../io/limits.js";
import { positionNames } from "../../printable.js";
import { valuesOf } from "../../results/catalogue.js";
import { classesOfCodes } from "../class-decoder.js";
import { copiedColumn } from "../copied-columns.js";
import { openInputFile } from "../input-file.js";
import { checkUnchanged } from "../input-state.js";
import { interpreting } from "../interpreting.js";
import {
  describeSources,
  type LogitsFile,
  type Opening,
} from "../logits-file.js";
import type { InputFile } from "../read-input.js";
import { type LogitsBatch, plainBuffers, rowsAt } from "../record-batch.js";
import { flagOf } from "../value-column.js";
import type { ArrayRows } from "./array-axes.js";
import {
  checkedInput,
  chooseCopied,
  chooseInput,
  chooseLogits,
  type LogitsArray,
  type LogitsShape,
} from "./choose-arrays.js";
import { type LocatedRows, locateRows } from "./locate-rows.js";
import { openNpy } from "./npy.js";
import { type OpenArrays, type StoredArray, whereOf } from "./stored-array.js";

/**
 * Locates the logits and the other inputs in an array file. Each array of logits becomes a batch.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function locateArrays(
  file: InputFile,
  open: OpenArrays,
  options: Opening,
): Promise<LogitsFile> {
  const { path } = file;
  const { arrays, unpack } = await open(file);
  checkLimit(file, "arrays", "maxColumns", arrays.length);
  const logits = chooseLogits(path, arrays, options);
  for (const array of logits) {
    const where = whereOf(array);
    checkLimit(file, where, "maxBatchRows", array.rows);
    const { length } = array.shape;
    checkLimit(file, where, "maxNesting", length);
  }
  const [first] = logits as [LogitsArray];
  const { binary = false, keep } = options;
  const shape = shapeOf(logits, binary);
  const { rows, leading } = shape;
  const coded = options.inputs.find(
    ({ option }) => valuesOf(option) === "class",
  );
  if (coded && classesOfCodes(options.classNames))
    throw new InputUnsupportedError(
      path,
      `--${flagOf(coded.option)} ${coded.name}`,
      `labels in arrays are class numbers from 0, so the codes of --class-names ${options.classNames?.join()} cannot be matched; write class numbers`,
    );
  const inputs = options.inputs.map((input) => ({
    ...input,
    // The name of an array takes precedence over the path of a file.
    array: isLabelFile(arrays, input)
      ? null
      : chooseInput(path, arrays, input, shape),
  }));
  const ownNames = [...options.ownNames, ...positionNames(leading.slice(1))];
  const copiedArrays = chooseCopied(path, arrays, { keep, ownNames }, shape);
  const unpacked = await unpack?.(
    [...logits, ...inputs.flatMap(({ array }) => array ?? []), ...copiedArrays],
    options,
  );
  const { fd } = unpacked ?? file;
  const present = fd === file.fd ? file.present : null;
  const from = { path, fd, present, ...unpacked };
  const locate = (
    arrays: readonly ArrayRows[],
    holds: "numbers" | "classes" | "margins",
  ) => locateRows(from, arrays, holds, options);
  const source = locate(logits, binary ? "margins" : "numbers");
  const others: LocatedRows[] = [];
  for (const { option, name, array } of inputs) {
    const holds = valuesOf(option) === "class" ? "classes" : "numbers";
    others.push(
      array
        ? locate([array], holds)
        : await locateLabelFile(name, shape, options),
    );
  }
  const copiedRows = copiedArrays.map((array) => locate([array], "numbers"));
  const named = [source, ...others].map((located, n) => ({
    ...located,
    name:
      n === 0 ? (options.columns ?? first.name) : (inputs[n - 1]?.name ?? ""),
  }));
  let rowEnd = 0;
  const batches = logits.map((array, k): LogitsBatch => {
    const rowStart = rowEnd;
    rowEnd += array.rows;
    return {
      rowStart,
      rowEnd,
      sources: [
        rowsAt(source.starts[k] as number[]),
        ...others.map((other) => rowsFrom(other, rowStart)),
      ],
      copied: copiedRows.map((copied) => {
        const [first = 0] = rowsFrom(copied, rowStart).values;
        const bytes = array.rows * numberWidth(copied.type);
        const buffers = plainBuffers(array.rows, first, bytes);
        return { buffers, first: 0, tableRow: null };
      }),
    };
  });
  return {
    ...file,
    fd,
    present,
    rows,
    leading,
    indexFd: null,
    ...describeSources(options, named),
    classNames: null,
    notes: [],
    inputs: inputs.map(({ option, name, array }, n) => {
      const { type, values } = others[n] as LocatedRows;
      const isBoolean = array?.coding === "boolean";
      const keyType = isBoolean
        ? ({ kind: "Bool" } as const)
        : arrowTypeOf(type);
      const field = plainField(name, keyType);
      const key = option === "by" ? { field, vocabulary: new Map() } : null;
      return { option, name, names: null, key, values };
    }),
    batches,
    copied: copiedArrays.map(({ name, type }, index) => {
      const field = plainField(name as string, arrowTypeOf(type));
      const fd = copiedRows[index]?.fd ?? null;
      return { ...copiedColumn(path, field, index), fd };
    }),
    partitions: [],
    dictionaries: [],
  };
}

/** Whether `--label` names an .npy file instead of an array. */
function isLabelFile(
  arrays: readonly StoredArray[],
  { option, name }: { option: string; name: string },
): boolean {
  const isArray = arrays.some((array) => array.name === name);
  const isPath = option === "label" && name.endsWith(".npy");
  return isPath && !isArray && existsSync(name);
}

/** Copies the labels of an .npy file to a temporary file, so that later changes of the file have no effect. */
async function locateLabelFile(
  path: string,
  logits: LogitsShape,
  options: Opening,
): Promise<LocatedRows> {
  const file = openInputFile(path);
  try {
    return await interpreting(path, "structure", async () => {
      const [array] = (await openNpy(file)).arrays as [StoredArray];
      const rows = checkedInput(path, array, "label", logits);
      const copied = { ...options, copy: true };
      const located = locateRows(file, [rows], "classes", copied);
      await checkUnchanged(file.source);
      return located;
    });
  } finally {
    file.close();
  }
}

/** Returns the shape of the concatenated arrays of logits. */
function shapeOf(logits: readonly LogitsArray[], binary: boolean): LogitsShape {
  const [{ values, classAxis }] = logits as [LogitsArray];
  const rows = logits.reduce((sum, array) => sum + array.rows, 0);
  const [inner = [], ...others] = logits.map(({ leading }) => leading.slice(1));
  // Arrays are concatenated along their first axis of rows if their other axes are equal; otherwise rows have one axis.
  const leading = others.every((other) => other.join() === inner.join())
    ? [logits.reduce((sum, { leading: [n = 0] }) => sum + n, 0), ...inner]
    : [rows];
  return {
    rows,
    leading,
    classes: binary ? 2 : values,
    classAxis: Math.min(classAxis, leading.length),
  };
}

/** Returns the buffers of the rows from `row` on. */
function rowsFrom(
  { storage, type, values, starts: [starts = []] }: LocatedRows,
  row: number,
): ValueBuffers {
  const rowBytes = (storage === "columns" ? 1 : values) * numberWidth(type);
  return rowsAt(starts.map((start) => start + row * rowBytes));
}
