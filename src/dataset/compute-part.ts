import { open } from "node:fs/promises";
import type { LogitsFile } from "../input/logits-file.js";
import { planJob } from "../job.js";
import { openFile } from "../open-output.js";
import type { ResolvedOptions } from "../options.js";
import { openTemporary } from "../output/temporary-file.js";
import type { Crew } from "../pool/crew.js";
import { produce } from "../produce.js";
import { ReportBuilder } from "../report.js";
import type { RunHooks } from "../run.js";
import { VERSION } from "../version.js";
import { hashFile } from "./hash-file.js";
import type { PartRecord } from "./records.js";

export type MadePart = Pick<
  PartRecord,
  | "rows"
  | "bytes"
  | "sha256"
  | "badRows"
  | "firstBadRow"
  | "entries"
  | "droppedMax"
  | "droppedSum"
>;

/**
 * Computes a part into a file of its own, `temporary`, which is durable then, and the caller's.
 * @param path what messages call it
 * @throws SoftjacError; the file is removed
 */
export async function computePart(
  {
    crew,
    options,
    logits,
    path,
    temporary,
  }: {
    crew: Crew;
    options: ResolvedOptions;
    logits: LogitsFile;
    path: string;
    temporary: string;
  },
  hooks: RunHooks,
): Promise<MadePart> {
  const report = new ReportBuilder(VERSION, options.input, path);
  const job = planJob(options, logits);
  let sha256 = "";
  const open = () =>
    openFile(options, job, async (bytes, direct) => {
      const file = await openTemporary(path, temporary, bytes, {
        sync: options.sync,
        direct,
      });
      return {
        ...file,
        async commit() {
          // The processor has nothing to do while the disk is waited for.
          [sha256] = await Promise.all([hashOf(temporary), file.finish()]);
          file.published();
        },
      };
    });
  await produce({ job, crew, options, logits, report, path, open }, hooks);
  const { badRows, firstBadRow, entries, droppedMax, droppedSum, outputBytes } =
    report.finish("done");
  return {
    rows: job.plan.rows,
    bytes: outputBytes,
    sha256,
    badRows,
    firstBadRow,
    entries,
    droppedMax,
    droppedSum,
  };
}

async function hashOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    return await hashFile(file);
  } finally {
    await file.close();
  }
}
