import { InputFormatError } from "../errors.js";
import type { RowIndex, RowPosition } from "../reader/row-index.js";
import type { ComparedFile } from "./compared-file.js";

/** The first table row of a row or of one after it. Row numbers that do not ascend are a finding. */
export async function lookUpRow(
  { findings }: ComparedFile,
  index: RowIndex,
  row: number,
): Promise<RowPosition | null> {
  try {
    return await index.lowerBound(row);
  } catch (error) {
    if (!(error instanceof InputFormatError)) throw error;
    findings.add(`row ${row}: ${error.message}`);
    return null;
  }
}
