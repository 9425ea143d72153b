import { ftruncateSync } from "node:fs";
import { sourcePieces } from "../input/source-pieces.js";
import { readFully, writeFully } from "../io/positional.js";
import type { EntriesJob } from "../ordered/entries-job.js";
import { countDropped, rowRanges } from "../ordered/plan-entries.js";
import { aligned } from "../output/jacobian-batch.js";
import {
  batchMetadata,
  headPiece,
  layoutEnd,
  layoutHead,
  type Piece,
  type PlacedBatch,
  placeBatch,
  tailPiece,
} from "../output/jacobian-file.js";
import type { RowRange } from "../plan.js";
import type { EntriesCursor, EntriesPart } from "../pool/protocol.js";
import { type EntriesTable, placeOfEntry } from "../results/entries-table.js";
import { countWritten, type RunContext } from "../run-context.js";
import { runTasks, type SlotTasks } from "../run-tasks.js";
import { batchOfEntries, placesOf } from "./plan-entries-table.js";

/** Bytes moved at once. */
const STEP_BYTES = 1 << 20;
/** Output bytes of one group of rows: progress counts rows group by group. */
const GROUP_BYTES = 64 << 20;

/**
 * The counting writer of layout coo: workers count the entries of a group of rows, and then write them to the offsets that
 * follow from the number of entries before them. The frame is written here, and the last record batch, which is not full,
 * is compacted.
 * @returns a function that writes the end of the file
 */
export async function writeCounted(
  job: EntriesJob,
  context: RunContext,
): Promise<() => Promise<void>> {
  const { output, report } = context;
  const table = job.table as EntriesTable;
  const write = ({ offset, bytes }: Piece) =>
    writeFully(output.fd, bytes, offset);
  const head = layoutHead(job.file);
  write(headPiece(head));

  const entries = await storeEntries(job, context, table);

  const batches = placeBatches(job, table, entries);
  const last = batches.at(-1);
  if (last) compactLastBatch(output.fd, table, placesOf(last), entries);
  for (const batch of batches) write(batchMetadata(batch, [], 0));
  const layout = layoutEnd(job.file, head, batches);
  return async () => {
    const tail = tailPiece(layout);
    // Removes the bytes behind the last batch, which was compacted.
    ftruncateSync(output.fd, tail.offset);
    write(tail);
    report.set({
      entries,
      recordBatches: batches.length,
      outputBytes: layout.bytes,
    });
  };
}

/**
 * Counts and stores all entries, a group of rows in each slot: groups are counted and stored in any order, but the number
 * of entries before each is known in row order. Returns how many entries there are.
 */
async function storeEntries(
  job: EntriesJob,
  context: RunContext,
  { entryBytes }: EntriesTable,
): Promise<number> {
  const { logits, report } = context;
  const { plan } = job;
  /** Entries of all groups that were begun. */
  let counted: Promise<number> = Promise.resolve(0);
  let entries = 0;

  const fillSlot = async (
    rows: RowRange,
    slot: number,
    { run, progress }: SlotTasks,
  ): Promise<void> => {
    const pieces = sourcePieces(logits, rows.rowStart, rows.rowEnd);
    const count = run({ kind: "count", slot, ...rows, pieces });
    const before = counted;
    counted = before.then(
      async (sum) => sum + ((await count).part as EntriesPart).entries,
    );
    // An error of an earlier row comes first.
    counted.catch(() => {});
    count.catch(() => {});
    let entry = await before;
    const { badRows, part: found } = await count;
    countDropped(job, context, slot * job.slot.bytes, found as EntriesPart);
    let from: EntriesCursor | null = found?.entries ? { row: 0, i: 0 } : null;
    while (from) {
      const done = await run({ kind: "store", slot, ...rows, from, entry });
      const part = done.part as EntriesPart;
      entry += part.entries;
      from = part.next;
      entries += part.entries;
      report.set({ entries });
      countWritten(context, part.entries * entryBytes);
      if (from) progress();
    }
    report.count(rows.rowEnd - rows.rowStart, badRows);
  };
  const groups = rowRanges(plan, (rowsLeft) => {
    const perRow =
      report.rowsDone > 0 ? entries / report.rowsDone : plan.mostEntries;
    // Fewer rows if they have many entries, and in the end, so that threads end together.
    const share = Math.ceil(rowsLeft / (4 * Math.max(1, plan.threads)));
    const rows = Math.floor(GROUP_BYTES / Math.max(perRow * entryBytes, 1));
    return Math.max(1, Math.min(plan.chunkRows, share, rows));
  });
  await runTasks(context, plan.slots, groups, fillSlot);
  return counted;
}

function placeBatches(
  { columns, positions }: EntriesJob,
  { batchEntries, start, batchBytes }: EntriesTable,
  entries: number,
): PlacedBatch[] {
  const batches: PlacedBatch[] = [];
  for (let first = 0; first < entries; first += batchEntries) {
    const rows = Math.min(batchEntries, entries - first);
    // The same for every batch: see recordBatchMessage.
    const like = batches[0]?.messageBytes;
    batches.push(
      placeBatch(
        batchOfEntries(rows, columns, positions),
        start + batches.length * batchBytes,
        like,
      ),
    );
  }
  return batches;
}

/**
 * Moves the columns of the last record batch to `places`, their offsets now that their length is known: each towards the
 * start of the file, in order. Pads each with zeros, as between buffers.
 */
function compactLastBatch(
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
