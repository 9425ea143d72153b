import { storesUtf8 } from "./arrow/utf8-texts.js";
import { keptRanges } from "./input/kept-pieces.js";
import type { LogitsFile } from "./input/logits-file.js";
import type { PlacedBatch } from "./output/jacobian-file.js";
import type { KeptTask } from "./pool/protocol.js";

/**
 * Copying the kept columns of rows `[rowStart, rowEnd)`, but for those in `without`, into their record batch: where that
 * stands in the output, or in `target`, which has its body's first bytes.
 */
export function keptTask(
  logits: LogitsFile,
  { bodyStart: start, layout, shape }: PlacedBatch,
  { rowStart, rowEnd }: { rowStart: number; rowEnd: number },
  without: readonly number[] = [],
  target: SharedArrayBuffer | null = null,
): Omit<KeptTask, "slot"> {
  const bodyStart = target ? 0 : start;
  const ranges = keptRanges(logits, rowStart, rowEnd, without);
  const columns = logits.kept.map((column, k) => {
    const { field, bits, offsetBytes, dictionaryValues } = column;
    const range = ranges[k] as (typeof ranges)[number];
    const at = layout.kept[k] as (typeof layout.kept)[number];
    const indexType = field.dictionary?.indexType;
    return {
      name: field.name,
      bits,
      offsetBytes,
      utf8: storesUtf8(field),
      indexLimit: dictionaryValues,
      signed: indexType?.kind === "Int" && indexType.signed,
      validity: range.hasNulls,
      pieces: range.pieces,
      out: {
        validity: bodyStart + at.validity,
        offsets: bodyStart + at.offsets,
        values: bodyStart + at.values,
      },
      valuesBytes: range.valuesBytes,
    };
  });
  return { kind: "kept", rows: shape.rows, columns, target };
}
