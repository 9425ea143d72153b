import { type NumberType, numberWidth } from "../../arrow/field.js";
import { numbersOfBytes } from "../../arrow/stored-numbers.js";
import { checkLimit } from "../../io/limits.js";
import { oneHotClass } from "../class-decoder.js";
import { type DecodedNumbers, writeDecoded } from "../decode-sources.js";
import type { OpenOptions } from "../logits-file.js";
import { inputReader, type Readable, requireInput } from "../read-input.js";
import {
  type ArrayRows,
  type ArrayStorage,
  startsOf,
  storageInPlace,
} from "./array-axes.js";
import { type ArrayBytes, decodeArrays } from "./decode-arrays.js";
import { bytesOf, type UnpackedArrays, whereOf } from "./stored-array.js";

/** Rows of numbers as workers read them, in place or decoded. */
export interface LocatedRows {
  storage: ArrayStorage;
  type: NumberType;
  /** Numbers per row. */
  values: number;
  /** Byte offsets per array: of its first row, or of each of its columns. */
  starts: number[][];
  /** Temporary file with the decoded numbers; null if they are read in place. */
  decoded: DecodedNumbers | null;
}

/**
 * Makes the rows of concatenated arrays readable for workers: in place if possible, otherwise in a temporary file.
 * @param holds `classes`: class numbers or one-hot rows, one per row; `margins`: numbers z whose logits are (0, z)
 * @param options `copy` forces a copy
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function locateRows(
  file: Readable & Partial<Pick<UnpackedArrays, "start">>,
  arrays: readonly ArrayRows[],
  holds: "numbers" | "classes" | "margins",
  options: Pick<OpenOptions, "scratch"> & { copy?: boolean },
): LocatedRows {
  const [first] = arrays as [ArrayRows];
  const { type, values } = first;
  const starts = arrays.map((array) => file.start?.(array) ?? array.start);
  const storage = storageInPlace(arrays);
  const areOneHot = holds === "classes" && values > 1;
  if (storage && !areOneHot && holds !== "margins" && !options.copy)
    return {
      storage,
      type,
      values,
      starts: arrays.map((array, k) =>
        startsOf(array, starts[k] as number, storage),
      ),
      decoded: null,
    };
  const sizes = arrays.map((array) => bytesOf(array) as number);
  const total = sizes.reduce((a, b) => a + b, 0);
  checkLimit(file, whereOf(first), "maxDecodedBytes", "decoded bytes", total);
  requireInput(
    file,
    starts.map((start, k) => ({ start, end: start + (sizes[k] as number) })),
  );
  const bytes = { ...file, starts };
  const decoded = areOneHot
    ? decodeClasses(bytes, first, options)
    : decodeArrays(bytes, arrays, holds === "margins", options);
  return {
    storage: "fixed-size-list",
    type: areOneHot ? "float64" : type,
    values: decoded.values,
    starts: decoded.starts.map((start) => [start]),
    decoded,
  };
}

/** Number of one-hot values decoded at once; at least one row. */
const ONE_HOT_VALUES = 1 << 20;

function decodeClasses(
  file: ArrayBytes,
  array: ArrayRows,
  options: Pick<OpenOptions, "scratch">,
): DecodedNumbers {
  const { path } = file;
  const { type, rows, values } = array;
  const width = values * numberWidth(type);
  const step = Math.max(1, Math.floor(ONE_HOT_VALUES / values));
  const copy = decodeArrays(file, [array], false, options);
  const [first = 0] = copy.starts;
  const read = inputReader({ path, fd: copy.fd, present: null });
  try {
    return writeDecoded(path, options, 1, (target) => {
      const start = target.reserve(0);
      for (let from = 0; from < rows; from += step) {
        const count = Math.min(step, rows - from);
        const bytes = read(first + from * width, count * width);
        const numbers = numbersOfBytes(bytes.buffer, type);
        const classes = Float64Array.from({ length: count }, (_, k) => {
          const row = numbers.subarray(k * values, (k + 1) * values);
          return oneHotClass(row, path, `${whereOf(array)}, row ${from + k}`);
        });
        target.append(new Uint8Array(classes.buffer));
      }
      return [start];
    });
  } finally {
    copy.close();
  }
}
