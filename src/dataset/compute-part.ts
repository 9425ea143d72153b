import type { LogitsFile } from "../input/logits-file.js";
import { planJob } from "../job.js";
import { openFile } from "../open-output.js";
import type { ResolvedOptions } from "../options.js";
import { openTemporary } from "../output/temporary-file.js";
import type { Crew } from "../pool/crew.js";
import { produce } from "../produce.js";
import { ReportBuilder } from "../report.js";
import type { RunHooks } from "../run.js";
import { FollowingHash } from "./following-hash.js";
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
    checksums,
    onComputed,
  }: {
    crew: Crew;
    options: ResolvedOptions;
    logits: LogitsFile;
    path: string;
    temporary: string;
    /** Its SHA-256 is wanted. */
    checksums: boolean;
    /** Called once all is computed, and the crew free for the next. */
    onComputed: () => void;
  },
  hooks: RunHooks,
): Promise<MadePart> {
  const report = new ReportBuilder(options.input, path);
  const job = planJob(options, logits);
  // Costs as much again as the rest: it follows the writers, and what was not asked for is not made.
  const hash = checksums ? new FollowingHash(temporary) : null;
  let sha256: string | null = null;
  const open = () =>
    openFile(options, job, async (bytes, direct) => {
      const file = await openTemporary(path, temporary, bytes, {
        sync: options.sync,
        direct,
      });
      return {
        ...file,
        complete: (end) => hash?.upTo(end),
        async commit() {
          const [found] = await Promise.all([hash?.finish(), file.finish()]);
          sha256 = found ?? null;
          file.published();
        },
        async discard() {
          await hash?.close();
          await file.discard();
        },
      };
    });
  const work = { ...hooks, crew, options, logits, report };
  await produce(job, work, path, open, onComputed);
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
