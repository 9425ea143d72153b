import type { CopiedShape } from "../arrow/copied-nodes.js";
import { InputUnsupportedError } from "../errors.js";
import { copiedPieces } from "../input/copied-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { PositionedBatch } from "../output/jacobian-file.js";
import type { RowRange } from "../results/row-axes.js";
import type { CopyTask } from "../tasks/run-tasks.js";

/** Limit of int32 offsets of texts and lists. */
const MAX_OFFSET = 2 ** 31 - 1;

/** Returns an error for each column of a record batch with more text or list values than int32 offsets can address. */
export function tooManyItems(
  { copied, path }: LogitsFile,
  shapes: readonly CopiedShape[][],
): InputUnsupportedError[] {
  return shapes.flatMap((nodes, k) => {
    const long = nodes.find(
      ({ rows, offsets, items }) =>
        offsets === 4 * (rows + 1) && items > MAX_OFFSET,
    );
    const where = `column ${copied[k]?.field.name}`;
    const text = `expected at most ${MAX_OFFSET} bytes of text or values of lists in ${nodes[0]?.rows} rows, found ${long?.items}`;
    return long ? new InputUnsupportedError(path, where, text) : [];
  });
}

/**
 * Returns the task that copies columns of rows `[rowStart, rowEnd)`, except the rows in `without`, into their record batch:
 * in the output, or in `target`, which holds the body of the batch or its first bytes.
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
