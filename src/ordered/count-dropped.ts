import type { Production } from "../production.js";
import type { EntriesJob } from "./entries-job.js";

/** The report's largest entry and sum of entries that were left out: of rows [from, to) of the slot at `base`. */
export function countDropped(
  { job, buffer, report }: Production & { job: EntriesJob },
  base: number,
  { from, to }: { from: number; to: number },
): void {
  const { droppedMax, droppedSum } = job.slot.entries;
  const rows = to - from;
  const max = new Float64Array(buffer, base + droppedMax + 8 * from, rows);
  const sum = new Float64Array(buffer, base + droppedSum + 8 * from, rows);
  report.dropped(max, sum);
}
