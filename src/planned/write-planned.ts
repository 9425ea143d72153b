import { ftruncateSync } from "node:fs";
import { AbortedError } from "../errors.js";
import { failureError, firstFailure, unexpectedError } from "../failures.js";
import { sourcePieces } from "../input/source-pieces.js";
import { putBytes } from "../io/put-bytes.js";
import {
  endOfStream,
  headPiece,
  type Piece,
  streamBytes,
  tailPiece,
} from "../output/jacobian-file.js";
import type { Failure } from "../pool/protocol.js";
import { keptDictionaries, type Production } from "../production.js";
import { SlotPool } from "../slots/slot-pool.js";
import { compute } from "./compute.js";
import type { PlannedJob } from "./planned-job.js";
import { SkippedRows } from "./skipped-rows.js";

/**
 * The planned writer: workers write everything to the place that the plan gave it; what is left is the frame.
 * @returns writes the end of the file
 * @param replan the same run without some rows: what is left out is known only once every row has been looked at
 */
export async function writePlanned(
  planned: PlannedJob,
  production: Production,
  replan: (skipped: SkippedRows) => PlannedJob,
): Promise<() => Promise<void>> {
  const { output } = production;
  let job = planned;
  if (job.onBadRow === "skip") {
    job = replan(await scanBadRows(job, production));
    if (!output.compare && !output.ring)
      ftruncateSync(output.fd, job.layout.bytes);
  }
  const { layout } = job;
  production.report.set({
    outputBytes: output.ring ? streamBytes(layout) : layout.bytes,
  });
  production.onBatches?.(layout.batches);
  const write = async ({ offset, bytes }: Piece) => {
    await output.room?.(offset + bytes.byteLength);
    putBytes(output, bytes, offset);
    output.complete?.(offset + bytes.byteLength);
  };
  await write(headPiece(layout));
  for (const piece of keptDictionaries(production, layout.dictionaries))
    await write(piece);
  output.complete?.(layout.end);
  await compute({ ...production, job });
  return () => {
    const tail = tailPiece(layout);
    return write(output.ring ? endOfStream(tail) : tail);
  };
}

/**
 * Reads every row once, before the run: where bad rows are left out, every place depends on how many come before it.
 * Costs a reading of the input, and lets workers write to final places as ever.
 */
async function scanBadRows(
  { plan }: PlannedJob,
  { logits, pool, paths, signal, onProgress }: Production,
): Promise<SkippedRows> {
  const slots = new SlotPool(plan.slots);
  const failures: Failure[] = [];
  const errors: unknown[] = [];
  const progressErrors: unknown[] = [];
  const found: number[][] = [];
  for (const [n, { rowStart, rowEnd }] of plan.chunks.entries()) {
    const slot = await slots.acquire();
    if (
      failures.length ||
      errors.length ||
      progressErrors.length ||
      signal?.aborted
    ) {
      slots.release(slot);
      break;
    }
    const pieces = sourcePieces(logits, rowStart, rowEnd);
    pool
      .run({ kind: "scan", slot, rowStart, rowEnd, pieces })
      .then((reply) => {
        if (reply.ok) found[n] = reply.badRows;
        else failures.push(reply.failure);
      })
      .catch((error) => errors.push(error))
      .finally(() => slots.release(slot))
      // No row is done yet, but the watchdog must see progress.
      .then(onProgress)
      .catch((error) => progressErrors.push(error));
  }
  await slots.drained();
  if (failures.length) throw failureError(firstFailure(failures), paths);
  if (errors.length) throw unexpectedError(errors[0], paths);
  if (progressErrors.length) throw progressErrors[0];
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  return new SkippedRows(found.flat());
}
