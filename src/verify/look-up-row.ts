import { InputFormatError } from "../errors.js";
import type { RowIndex, RowPosition } from "../reader/row-index.js";
import type { ComparedFile } from "./compared-file.js";

/** The first table row of the key of a row, or of one after it. Row numbers that do not ascend are a finding. */
export async function lookUpRow(
  { findings }: ComparedFile,
  index: RowIndex,
  row: number,
  key: number,
): Promise<RowPosition | null> {
  try {
    return await index.lowerBound(key);
  } catch (error) {
    if (!(error instanceof InputFormatError)) throw error;
    findings.add(`${findings.nameOfRow(row)}: ${error.message}`);
    return null;
  }
}
