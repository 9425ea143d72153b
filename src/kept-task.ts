import { keptPieces } from "./input/kept-pieces.js";
import type { LogitsFile } from "./input/logits-file.js";
import type { PlacedBatch } from "./output/jacobian-file.js";
import type { KeptTask } from "./pool/protocol.js";

/**
 * Returns the task that copies the kept columns of rows `[rowStart, rowEnd)`, but for those in `without`, into their record
 * batch: in the output, or in `target`, which holds the first bytes of the batch's body.
 */
export function keptTask(
  logits: LogitsFile,
  { bodyStart: start, layout, shape }: PlacedBatch,
  { rowStart, rowEnd }: { rowStart: number; rowEnd: number },
  without: readonly number[] = [],
  target: SharedArrayBuffer | null = null,
): Omit<KeptTask, "slot"> {
  const bodyStart = target ? 0 : start;
  const columns = logits.kept.map((column, k) => ({
    column,
    pieces: keptPieces(logits, k, rowStart, rowEnd, without),
    nodes: (shape.kept[k] ?? []).map(({ rows, validity, values }, n) => {
      const at = layout.kept[k]?.[n];
      return {
        rows,
        hasNulls: validity !== null && validity > 0,
        valuesBytes: values ?? 0,
        validity: bodyStart + (at?.validity ?? 0),
        offsets: bodyStart + (at?.offsets ?? 0),
        values: bodyStart + (at?.values ?? 0),
      };
    }),
  }));
  return { kind: "kept", columns, target };
}
