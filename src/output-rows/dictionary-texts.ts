import type { Field } from "../arrow/field.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import { columnSpans } from "../input/column-spans.js";
import { keptColumn } from "../input/kept-columns.js";
import {
  checkBatchShape,
  type KeptBuffers,
  placeKept,
} from "../input/record-batch.js";
import { valueText } from "./value-text.js";

/** The values of a column's dictionary by number, as text; null: null, or not there. @throws InputFormatError */
export function dictionaryTexts(
  file: ArrowContainer,
  field: Field,
): (n: number) => string | null {
  const plain = { ...field, dictionary: null };
  const column = keptColumn(file.path, plain, 0);
  const blocks: { rows: number; placed: KeptBuffers }[] = [];
  file.dictionaries.forEach((block, k) => {
    const where = `dictionary batch ${k}`;
    const { batch, dictionary } = file.message(block, where);
    if (!batch || dictionary?.id !== field.dictionary?.id) return;
    const spans = columnSpans([plain], batch.variadicCounts);
    const context = {
      path: file.path,
      where,
      bodyStart: block.offset + block.metadataBytes,
      bodyBytes: block.bodyBytes,
    };
    checkBatchShape(context, batch, spans);
    const placed = placeKept(context, batch, spans.columns, column);
    blocks.push({ rows: batch.rows, placed });
  });
  return (n) => {
    let at = n;
    for (const { rows, placed } of blocks) {
      if (at < rows) return valueText(file, field.type, column, placed, at);
      at -= rows;
    }
    return null;
  };
}
