import { AbortedError } from "../errors.js";
import { failureError, firstFailure, unexpectedError } from "../failures.js";
import { sourcePieces } from "../input/source-pieces.js";
import type { Failure } from "../pool/protocol.js";
import type { Production } from "../production.js";
import { SlotPool } from "../slots/slot-pool.js";
import type { PlannedJob } from "./planned-job.js";
import { SkippedRows } from "./skipped-rows.js";

/**
 * Reads every row once, before the run: where bad rows are left out, every place depends on how many come before it.
 * Costs a reading of the input, and lets workers write to final places as ever.
 */
export async function scanBadRows(
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
      // No row is done by this; whoever looks for signs of life finds one.
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
