import type { Field } from "../arrow/field.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import type { ColumnSpan } from "../input/column-spans.js";
import { keptColumn } from "../input/kept-columns.js";
import { placeColumn } from "../input/record-batch.js";
import { dictionaryBatches } from "../input/record-batches.js";
import { valueText } from "./value-text.js";

/** The values of a column's dictionary by number, as text; null: null, or not there. @throws InputFormatError */
export function dictionaryTexts(
  file: ArrowContainer,
  field: Field,
): (n: number) => string | null {
  const column = keptColumn(file.path, { ...field, dictionary: null }, 0);
  const blocks = Array.from(
    dictionaryBatches(file, new Map([[field.dictionary?.id ?? -1, field]])),
    ({ context, batch, columns: [span] }) => ({
      rows: batch.rows,
      placed: placeColumn(context, batch, span as ColumnSpan),
    }),
  );
  return (n) => {
    let at = n;
    for (const { rows, placed } of blocks) {
      if (at < rows) return valueText(file, column, placed, at);
      at -= rows;
    }
    return null;
  };
}
