import { ftruncateSync } from "node:fs";
import { putBytes } from "../io/put-bytes.js";
import {
  endOfStream,
  headPiece,
  type Piece,
  streamBytes,
  tailPiece,
} from "../output/jacobian-file.js";
import { keptDictionaries, type Production } from "../production.js";
import { compute } from "./compute.js";
import type { PlannedJob } from "./planned-job.js";
import { scanBadRows } from "./scan.js";
import type { SkippedRows } from "./skipped-rows.js";

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
