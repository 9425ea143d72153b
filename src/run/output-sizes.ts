import { SoftjacError } from "../errors.js";
import { copiedBytesPerRow, copiedShapes } from "../input/copied-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import { inLayout, type ResolvedOptions } from "../options/run-options.js";
import { measureJacobianFile } from "../output/jacobian-file.js";
import { LAYOUTS, type Layout } from "../results/catalogue.js";
import type { EntriesPlan } from "./entries-plan.js";
import { type RunSizes, sizeRun } from "./run-plan.js";

/** Size of a column or of a file; `bytesPerRow` counts values only. */
export interface OutputSize<Name extends string = string> {
  name: Name;
  bytesPerRow: number;
  bytes: number;
  /** Whether the sizes are exact; else they are upper bounds (csr, coo, omitted rows). */
  exact: boolean;
}

/** Upper bounds of the overhead of a record batch, also if it is compressed: fixed, and per buffer. */
const BATCH_EXTRA = 1024;
const COLUMN_EXTRA = 512;

/** Returns an upper bound of the file size: every entry is stored. */
export function maxFileBytes(plan: EntriesPlan, logits: LogitsFile): number {
  const { file, columns, rowStart, rows, maxEntries, maxBytes } = plan;
  // Two consecutive record batches have more entries than fit into one, or the first has the maximum of rows.
  const batches =
    Math.ceil(rows / plan.batchExamples) +
    Math.ceil((2 * rows * maxEntries) / plan.batchEntries);
  const copied = copiedShapes(logits, rowStart, rowStart + rows).flat();
  const copiedBytes = copied.reduce(
    (sum, { validity, offsets, values }) =>
      sum + (validity ?? 0) + (offsets ?? 0) + (values ?? 0),
    -rows * copiedBytesPerRow(logits),
  );
  const buffers = 1 + columns.length + copied.length;
  return (
    measureJacobianFile(file, []).bytes +
    Math.ceil(maxBytes + copiedBytes + (buffers * rows) / 8) +
    batches * (BATCH_EXTRA + COLUMN_EXTRA * buffers)
  );
}

/** Returns the sizes of a run in each possible layout; dense is included only if it is the run's layout. */
export function layoutSizes(
  options: ResolvedOptions,
  logits: LogitsFile,
): OutputSize<Layout>[] {
  return LAYOUTS.flatMap((name) => {
    if (name === "dense" && options.layout !== name) return [];
    try {
      const changed = inLayout(options, name);
      const plan = sizeRun(changed, logits);
      const columns = columnSizes(plan, changed);
      return {
        name,
        bytesPerRow: columns.reduce((sum, c) => sum + c.bytesPerRow, 0),
        bytes:
          plan.kind === "entries" ? maxFileBytes(plan, logits) : plan.maxBytes,
        exact: columns.every(({ exact }) => exact),
      };
    } catch (error) {
      if (error instanceof SoftjacError) return [];
      throw error;
    }
  });
}

/** Returns the sizes of the columns of a run, except copied ones. */
export function columnSizes(
  plan: RunSizes,
  { onBadRow, layout }: ResolvedOptions,
): OutputSize[] {
  const maxEntries = plan.kind === "entries" ? plan.maxEntries : 1;
  const row = { name: "row", listSize: 1, width: 8 };
  return [row, ...plan.columns].map(({ name, listSize, width }) => {
    const isExact = layout !== "coo" && listSize !== null;
    const bytesPerRow = (isExact ? listSize : maxEntries) * width;
    const bytes = plan.rows * bytesPerRow;
    return { name, bytesPerRow, bytes, exact: isExact && onBadRow !== "skip" };
  });
}
