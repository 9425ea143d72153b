import { readFully, writeFully } from "../io/positional.js";
import { aligned } from "../output/jacobian-batch.js";
import { type EntriesTable, placeOfEntry } from "../results/entries-table.js";

/** Moved at once. */
const STEP_BYTES = 1 << 20;

/**
 * Moves the columns of the last record batch to `places`, where they belong now that their length is known: each towards
 * the start of the file, the first ones first. Behind each come zeros, as between buffers.
 */
export function closeUp(
  fd: number,
  table: EntriesTable,
  places: readonly number[],
  entries: number,
): void {
  const first = entries - 1 - ((entries - 1) % table.batchEntries);
  const buffer = new Uint8Array(STEP_BYTES);
  for (const [n, { width }] of table.columns.entries()) {
    const to = places[n] as number;
    const from = placeOfEntry(table, n, first);
    const bytes = (entries - first) * width;
    for (let done = 0; from > to && done < bytes; done += STEP_BYTES) {
      const step = buffer.subarray(0, Math.min(STEP_BYTES, bytes - done));
      readFully(fd, step, from + done);
      writeFully(fd, step, to + done);
    }
    const zeros = aligned(to + bytes) - (to + bytes);
    writeFully(fd, new Uint8Array(zeros), to + bytes);
  }
}
