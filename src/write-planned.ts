import { ftruncateSync } from "node:fs";
import { compute } from "./compute.js";
import { writeFully } from "./io/positional.js";
import type { Job } from "./job.js";
import { frame } from "./output/jacobian-file.js";
import { keepDictionaries, type Production } from "./production.js";
import { scanBadRows } from "./scan.js";
import type { SkippedRows } from "./skipped-rows.js";

/**
 * The planned writer: workers write everything to the place that the plan gave it; what is left is the frame.
 * @param replan the same run without some rows: what is left out is known only once every row has been looked at
 */
export async function writePlanned(
  planned: Job,
  production: Production,
  replan: (skipped: SkippedRows) => Job,
): Promise<void> {
  const { fd } = production.output;
  let job = planned;
  if (job.onBadRow === "skip") {
    job = replan(await scanBadRows(job, production));
    ftruncateSync(fd, job.layout.bytes);
    production.report.set({ outputBytes: job.layout.bytes });
  }
  await compute({ ...production, job });
  keepDictionaries(production, job.layout.dictionaries);
  for (const { offset, bytes } of frame(job.layout))
    writeFully(fd, bytes, offset);
}
