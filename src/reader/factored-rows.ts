import type { BlockForm, ExampleParts } from "./example-parts.js";
import { type FloatArray, newFloats } from "./float-array.js";
import type { BlockRows } from "./rows-block.js";
import type { StoredColumn } from "./stored-column.js";

/** What a block is made of: p, the winner a, and w = 1 - p_a. */
interface Factors {
  p: FloatArray;
  winner: number;
  uncertainty: number;
}

/**
 * The block of an example from softmax, argmax and tail: J[i,j] = -p_i p_j/T and J[k,k] = p_k (1 - p_k)/T, the winner's
 * w = tail/(1 + tail) in the place of 1 - p_a, where p would cancel. Of log-softmax: (δ_ij - p_i)/T.
 * @throws InputFormatError for factors that cannot be
 */
export async function factoredRows(
  { classes, dtype, result, temperature }: BlockForm,
  example: ExampleParts,
): Promise<BlockRows> {
  const { p, winner, uncertainty } = await readFactors(classes, example);
  const T = temperature ?? 1;
  const ofLog = result === "log_jacobian";
  const at = (i: number, j: number) => {
    const own = p[i] as number;
    const rest = i === winner ? uncertainty : 1 - own;
    if (ofLog) return (i === j ? rest : 0 - own) / T;
    return (i === j ? own * rest : 0 - own * (p[j] as number)) / T;
  };
  return {
    classes,
    async rows(iStart, iEnd) {
      const tile = newFloats(dtype, (iEnd - iStart) * classes);
      for (let to = 0, i = iStart; i < iEnd; i++)
        for (let j = 0; j < classes; j++) tile[to++] = at(i, j);
      return tile;
    },
    async entry(i, j) {
      return dtype === "float32" ? Math.fround(at(i, j)) : at(i, j);
    },
  };
}

async function readFactors(
  classes: number,
  { source, parts, k }: ExampleParts,
): Promise<Factors> {
  const [softmax, argmax, tails] = parts as [
    StoredColumn,
    StoredColumn,
    StoredColumn,
  ];
  const span = await softmax.span(source, k);
  const where = `in row ${k} of the batch`;
  if (span.end - span.start !== classes)
    throw softmax.error(
      `expected ${classes} values, one per class, found ${span.end - span.start} ${where}`,
    );
  const p = await softmax.numbers(source, span.start, span.end);
  const wrong = p.find((value) => !(value >= 0 && value <= 1));
  if (wrong !== undefined)
    throw softmax.error(`expected values from 0 to 1, found ${wrong} ${where}`);
  const [winner = -1] = await argmax.numbers(source, k, k + 1);
  if (!(winner >= 0 && winner < classes))
    throw argmax.error(
      `expected a class from 0 to ${classes - 1}, found ${winner} ${where}`,
    );
  const [tail = -1] = await tails.numbers(source, k, k + 1);
  if (!(tail >= 0 && tail <= classes))
    throw tails.error(
      `expected a sum from 0 to ${classes}, found ${tail} ${where}`,
    );
  return { p, winner, uncertainty: tail / (1 + tail) };
}
