import type { CopiedShape } from "../arrow/copied-nodes.js";
import { InputUnsupportedError } from "../errors.js";
import { copiedPieces } from "../input/copied-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { PositionedBatch } from "../output/jacobian-file.js";
import type { RowRange } from "../results/row-axes.js";
import type { CopyTask } from "../tasks/run-tasks.js";

/** Limit of int32 offsets of texts and lists. */
const MAX_OFFSET = 2 ** 31 - 1;

/** Returns an error if a record batch has more text or list values than int32 offsets can address, else null. */
export function tooManyItems(
  { copied, path }: LogitsFile,
  shapes: readonly CopiedShape[][],
): InputUnsupportedError | null {
  for (const [k, nodes] of shapes.entries())
    for (const { rows, offsets, items } of nodes)
      if (offsets === 4 * (rows + 1) && items > MAX_OFFSET)
        return new InputUnsupportedError(
          path,
          `column ${copied[k]?.field.name}`,
          `expected at most ${MAX_OFFSET} bytes of text or values of lists in ${nodes[0]?.rows} rows, found ${items}`,
        );
  return null;
}

/**
 * Returns the task that copies columns of rows `[rowStart, rowEnd)`, except the rows in `without`, into their record batch:
 * in the output, or in `target`, which holds the first bytes of the batch's body.
 */
export function copyTask(
  logits: LogitsFile,
  { bodyStart: start, layout, shape }: PositionedBatch,
  { rowStart, rowEnd }: RowRange,
  without: readonly number[] = [],
  target: SharedArrayBuffer | null = null,
): Omit<CopyTask, "slot"> {
  const bodyStart = target ? 0 : start;
  const columns = logits.copied.map((column, k) => ({
    column,
    pieces: copiedPieces(logits, k, rowStart, rowEnd, without),
    nodes: (shape.copied[k] ?? []).map((shape, n) => {
      const offset = layout.copied[k]?.[n];
      return {
        shape,
        validity: bodyStart + (offset?.validity ?? 0),
        offsets: bodyStart + (offset?.offsets ?? 0),
        values: bodyStart + (offset?.values ?? 0),
      };
    }),
  }));
  return { kind: "copy", columns, target };
}
