import type { CopiedShape } from "../arrow/copied-nodes.js";
import { InputUnsupportedError } from "../errors.js";
import { copiedPieces } from "../input/copied-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { PlacedBatch } from "../output/jacobian-file.js";
import type { RowRange } from "../results/row-axes.js";
import type { CopyTask } from "../tasks/run-tasks.js";

/** Offsets of texts and lists are int32, unless they are large ones. */
const MAX_OFFSET = 2 ** 31 - 1;

/** Returns the error of a record batch with more text, or more values in lists, than int32 offsets can reach. */
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
 * Returns the task that copies columns of rows `[rowStart, rowEnd)`, but for those in `without`, into their record
 * batch: in the output, or in `target`, which holds the first bytes of the batch's body.
 */
export function copyTask(
  logits: LogitsFile,
  { bodyStart: start, layout, shape }: PlacedBatch,
  { rowStart, rowEnd }: RowRange,
  without: readonly number[] = [],
  target: SharedArrayBuffer | null = null,
): Omit<CopyTask, "slot"> {
  const bodyStart = target ? 0 : start;
  const columns = logits.copied.map((column, k) => ({
    column,
    pieces: copiedPieces(logits, k, rowStart, rowEnd, without),
    nodes: (shape.copied[k] ?? []).map((shape, n) => {
      const at = layout.copied[k]?.[n];
      return {
        shape,
        validity: bodyStart + (at?.validity ?? 0),
        offsets: bodyStart + (at?.offsets ?? 0),
        values: bodyStart + (at?.values ?? 0),
      };
    }),
  }));
  return { kind: "copy", columns, target };
}
