import { ftruncateSync } from "node:fs";
import { readFully, writeFully } from "../io/positional.js";
import type { EntriesJob } from "../ordered/entries-job.js";
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
import type { Production } from "../production.js";
import { type EntriesTable, placeOfEntry } from "../results/entries-table.js";
import { computeCounted } from "./compute-counted.js";
import { batchOfEntries, placesOf } from "./plan-entries-table.js";

/** Bytes moved at once. */
const STEP_BYTES = 1 << 20;

/**
 * The counting writer of layout coo: workers count the entries of some rows, are told how many come before those, and
 * write them where they belong; what is left is the frame, and the last record batch, which is not full.
 * @returns writes the end of the file
 */
export async function writeCounted(
  job: EntriesJob,
  production: Production,
): Promise<() => Promise<void>> {
  const { output, report } = production;
  const table = job.table as EntriesTable;
  const write = ({ offset, bytes }: Piece) =>
    writeFully(output.fd, bytes, offset);
  const head = layoutHead(job.file);
  write(headPiece(head));

  const entries = await computeCounted({ ...production, job, table });

  const batches = placeBatches(job, table, entries);
  const last = batches.at(-1);
  if (last) compactLastBatch(output.fd, table, placesOf(last), entries);
  for (const batch of batches) write(batchMetadata(batch, [], 0));
  const layout = layoutEnd(job.file, head, batches);
  return async () => {
    const tail = tailPiece(layout);
    // What stood behind the last batch before it closed up.
    ftruncateSync(output.fd, tail.offset);
    write(tail);
    report.set({
      entries,
      recordBatches: batches.length,
      outputBytes: layout.bytes,
    });
  };
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
