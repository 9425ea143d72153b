import { ftruncateSync } from "node:fs";
import { writeFully } from "../io/positional.js";
import type { EntriesJob } from "../ordered/entries-job.js";
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
import type { EntriesTable } from "../results/entries-table.js";
import { computeCounted } from "./compute-counted.js";
import { closeUp } from "./last-batch.js";
import { batchOfEntries, placesOf } from "./plan-entries-table.js";

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
  if (last) closeUp(output.fd, table, placesOf(last), entries);
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
