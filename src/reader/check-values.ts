import { InputFormatError } from "../errors.js";
import { nameOfKey } from "../results/row-axes.js";

/** Which row of which file is looked at. */
export interface RowPlace {
  path: string;
  row: number;
  /** Lengths of the axes of the positions, if rows are numbered by keys (src/results/row-axes.ts). */
  inner?: readonly number[];
}

/** @throws InputFormatError for what is no probability */
export function checkP(
  { path, row, inner = [] }: RowPlace,
  p: ArrayLike<number>,
): void {
  for (let k = 0; k < p.length; k++) {
    const own = p[k] as number;
    if (!(own >= 0 && own <= 1))
      throw new InputFormatError(
        path,
        nameOfKey(inner, row),
        `expected p from 0 to 1, found ${own} for class ${k}`,
      );
  }
}

/** @throws InputFormatError for places i·Q + j that do not ascend, or are not in a block */
export function checkPlaces(
  { path, row, inner = [] }: RowPlace,
  indices: ArrayLike<number>,
  values: ArrayLike<number>,
  classes: number,
): void {
  if (indices.length !== values.length)
    throw new InputFormatError(
      path,
      nameOfKey(inner, row),
      `expected equal numbers of values and indices, found ${values.length} and ${indices.length}`,
    );
  let least = 0;
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n] as number;
    if (!(index >= least && index < classes * classes))
      throw new InputFormatError(
        path,
        nameOfKey(inner, row),
        `expected ascending indices from ${least} to ${classes * classes - 1}, found ${index}`,
      );
    least = index + 1;
  }
}

/**
 * Checks entries of a block: of softmax they are at most 1/(4T), of log-softmax at most 1/T.
 * @throws InputFormatError
 */
export function checkEntries(
  { path, row, inner = [] }: RowPlace,
  values: ArrayLike<number>,
  temperature: number,
): void {
  // Values are rounded, of small temperatures to infinity.
  const most = 1.001 / temperature;
  for (let n = 0; n < values.length; n++) {
    const value = values[n] as number;
    if (!(Math.abs(value) <= most) && !(most > 3e38 && value - value !== 0))
      throw new InputFormatError(
        path,
        nameOfKey(inner, row),
        `expected entries of its block from -${1 / temperature} to ${1 / temperature}, found ${value}`,
      );
  }
}
