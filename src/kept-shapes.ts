import { keptRanges } from "./input/kept-pieces.js";
import type { LogitsFile } from "./input/logits-file.js";
import type { KeptShape } from "./output/jacobian-batch.js";

/** The bytes that the kept columns of rows `[rowStart, rowEnd)` take, but for those in `without`. */
export function keptShapes(
  logits: LogitsFile,
  rowStart: number,
  rowEnd: number,
  without: readonly number[] = [],
): KeptShape[] {
  const rows = rowEnd - rowStart - without.length;
  return keptRanges(logits, rowStart, rowEnd, without).map((range, k) => {
    const offsetBytes = logits.kept[k]?.offsetBytes ?? 0;
    return {
      validity: range.hasNulls ? Math.ceil(rows / 8) : 0,
      offsets: offsetBytes === 0 ? null : offsetBytes * (rows + 1),
      values: range.valuesBytes,
    };
  });
}
