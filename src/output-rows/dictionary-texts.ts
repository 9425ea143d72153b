import type { Field } from "../arrow/field.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import { keptColumn } from "../input/kept-columns.js";
import { placeKept } from "../input/record-batch.js";
import { dictionaryBatches } from "../input/record-batches.js";
import { valueText } from "./value-text.js";

/** The values of a column's dictionary by number, as text; null: null, or not there. @throws InputFormatError */
export function dictionaryTexts(
  file: ArrowContainer,
  field: Field,
): (n: number) => string | null {
  const column = keptColumn(file.path, { ...field, dictionary: null }, 0);
  const blocks = Array.from(
    dictionaryBatches(file, field),
    ({ context, batch, columns }) => ({
      rows: batch.rows,
      placed: placeKept(context, batch, columns, column),
    }),
  );
  return (n) => {
    let at = n;
    for (const { rows, placed } of blocks) {
      if (at < rows) return valueText(file, field.type, column, placed, at);
      at -= rows;
    }
    return null;
  };
}
