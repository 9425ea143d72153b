import type { Entries } from "./entries-block.js";
import type { BlockForm, ExampleParts } from "./example-parts.js";
import type { StoredColumn } from "./stored-column.js";

/** The entries of an example of csr: lists of indices i·Q + j and of values. @throws InputFormatError */
export async function listEntries(
  { classes, dtype }: BlockForm,
  { source, parts, k }: ExampleParts,
): Promise<Entries> {
  const [indexColumn, valueColumn] = parts as [StoredColumn, StoredColumn];
  const at = await indexColumn.span(source, k);
  const of = await valueColumn.span(source, k);
  const count = at.end - at.start;
  if (of.end - of.start !== count || count > classes * classes)
    throw valueColumn.error(
      `expected equal numbers of values and indices, at most ${classes * classes}, found ${of.end - of.start} and ${count} in row ${k} of the batch`,
    );
  const indices = await indexColumn.numbers(source, at.start, at.end);
  checkIndices(indices, classes, indexColumn, `in row ${k} of the batch`);
  const values = await valueColumn.numbers(source, of.start, of.end);
  return {
    classes,
    type: dtype,
    indices: indices as Float64Array,
    values,
  };
}

/** Checks that places i·Q + j are in the block and ascend. @throws InputFormatError */
export function checkIndices(
  indices: ArrayLike<number>,
  classes: number,
  column: StoredColumn,
  where: string,
): void {
  let least = 0;
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n] as number;
    if (!(index >= least && index < classes * classes))
      throw column.error(
        `expected ascending indices from ${least} to ${classes * classes - 1}, found ${index} ${where}`,
      );
    least = index + 1;
  }
}
