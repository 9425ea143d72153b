import type { Layout } from "../results/catalogue.js";
import type { BlockResult } from "./block-result.js";
import type { ByteSource } from "./byte-source.js";
import type { FileBatch } from "./file-batches.js";
import type { FloatType } from "./float-array.js";
import type { StoredColumn } from "./stored-column.js";

/** Properties that all blocks of a file share. */
export interface BlockForm {
  layout: Layout;
  result: BlockResult;
  /** Number of rows M of the logits. */
  rows: number;
  /** Rows `[rowStart, rowEnd)` that the file covers: all, or those of a shard. */
  rowStart: number;
  rowEnd: number;
  /** Lengths of the axes of the positions; rows are numbered by keys (src/results/row-axes.ts). */
  inner: readonly number[];
  classes: number;
  dtype: FloatType;
  /** Temperature T; null if the file does not record it. */
  temperature: number | null;
}

/** One example of a layout that has one table row for each. */
export interface ExampleParts {
  source: ByteSource;
  /** The columns of the block, as BlockColumns has them. */
  parts: FileBatch["parts"];
  /** Its table row in the batch. */
  k: number;
  /** Its row of the logits. */
  row: number;
}

/** Whether the example is null; its columns must agree on it. @throws InputFormatError */
export async function isNullExample({
  source,
  parts,
  k,
}: ExampleParts): Promise<boolean> {
  const nulls: boolean[] = [];
  for (const part of parts) nulls.push(await part.isNull(source, k));
  const [first = false] = nulls;
  const other = nulls.findIndex((isNull) => isNull !== first);
  if (other >= 0)
    throw (parts[other] as StoredColumn).error(
      `expected ${first ? "null" : "a value"} as in the columns before it, found ${first ? "a value" : "null"} in row ${k} of the batch`,
    );
  return first;
}
