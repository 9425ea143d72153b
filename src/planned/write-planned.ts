import { ftruncateSync } from "node:fs";
import { putBytes } from "../io/put-bytes.js";
import { headPiece, type Piece, tailPiece } from "../output/jacobian-file.js";
import { keptDictionaries, type Production } from "../production.js";
import { compute } from "./compute.js";
import type { PlannedJob } from "./planned-job.js";
import { scanBadRows } from "./scan.js";
import type { SkippedRows } from "./skipped-rows.js";

/**
 * The planned writer: workers write everything to the place that the plan gave it; what is left is the frame.
 * @param replan the same run without some rows: what is left out is known only once every row has been looked at
 */
export async function writePlanned(
  planned: PlannedJob,
  production: Production,
  replan: (skipped: SkippedRows) => PlannedJob,
): Promise<void> {
  const { output } = production;
  let job = planned;
  if (job.onBadRow === "skip") {
    job = replan(await scanBadRows(job, production));
    if (!output.compare) ftruncateSync(output.fd, job.layout.bytes);
  }
  production.report.set({ outputBytes: job.layout.bytes });
  production.onBatches?.(job.layout.batches);
  await compute({ ...production, job });
  const { layout } = job;
  const write = ({ offset, bytes }: Piece) => putBytes(output, bytes, offset);
  write(headPiece(layout));
  for (const piece of keptDictionaries(production, layout.dictionaries))
    write(piece);
  write(tailPiece(layout));
}
