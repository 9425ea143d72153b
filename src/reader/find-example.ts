import type { Example } from "./example.js";
import { Gathered, type Reading } from "./example-chunks.js";
import type { FileBatch } from "./file-batches.js";
import { RowIndex, type RowPosition } from "./row-index.js";
import { readStoredRows } from "./stored-rows.js";

/** What the file has of one row; null: it has no such row, of coo none of its entries. @throws InputFormatError, IoError */
export async function findExample(
  reading: Reading,
  row: number,
): Promise<Example | null> {
  const { source, batches, columns, run, decoder } = reading;
  const isCoo = run.layout === "coo";
  const index = new RowIndex(source, batches, { strict: !isCoo });
  const first = await index.lowerBound(row);
  if (first?.row !== row) return null;
  const next = isCoo
    ? await index.lowerBound(row + 1)
    : { ...first, k: first.k + 1 };
  const gathered = new Gathered(columns);
  gathered.begin(row, first.batch, first.k);
  for (const { batch, start, end } of spans(batches, first, next)) {
    const numbers = new Float64Array(end - start).fill(row);
    const stored = batches[batch] as FileBatch;
    const span = { start, end, numbers };
    const parts = await readStoredRows(source, stored, columns, span, run);
    if (!isCoo)
      return decoder.decode(
        row,
        batch,
        start,
        parts.map((part) => (part.isNull(0) ? null : part.values(0))),
      );
    gathered.add(parts, 0, end - start);
  }
  const [found] = gathered.take();
  return found
    ? decoder.decode(found.row, found.batch, found.k, found.cells)
    : null;
}

/** Table rows from one place to another, batch by batch. `to` null: to the end. */
function* spans(
  batches: readonly FileBatch[],
  from: RowPosition,
  to: Pick<RowPosition, "batch" | "k"> | null,
): Generator<{ batch: number; start: number; end: number }> {
  const last = to?.batch ?? batches.length - 1;
  for (let batch = from.batch; batch <= last; batch++) {
    const start = batch === from.batch ? from.k : 0;
    const { count } = batches[batch] as FileBatch;
    const end = to && batch === to.batch ? to.k : count;
    if (end > start) yield { batch, start, end };
  }
}
