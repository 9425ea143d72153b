import { AbortedError, OutputClosedError, WorkerError } from "./errors.js";
import type { LogitsFile } from "./input/logits-file.js";
import { carryOutJob, type Job, withOthers } from "./job.js";
import type { ResolvedOptions } from "./options.js";
import type { PendingOutput } from "./output/output-target.js";
import type { Crew } from "./pool/crew.js";
import type { ReportBuilder } from "./report.js";
import type { RunHooks } from "./run.js";
import { ioError } from "./system-error.js";

interface Produced {
  job: Job;
  crew: Crew;
  options: ResolvedOptions;
  logits: LogitsFile;
  report: ReportBuilder;
  /** What messages call the output. */
  path: string;
  open: () => Promise<PendingOutput>;
  /** Called once all is computed: what is left is the commit. */
  onComputed?: (() => void) | undefined;
  /** What else ends while the disk is waited for. */
  meanwhile?: () => Promise<void>;
}

/**
 * Makes the whole output of a job beside its target, then commits it.
 * @throws SoftjacError; nothing is left of the output
 */
export async function produce(
  { open, path, onComputed, meanwhile, ...work }: Produced,
  hooks: RunHooks,
): Promise<void> {
  const { signal } = hooks;
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  const output = await open().catch((error) => {
    const known = ioError(path, "could not be opened", error);
    throw withOthers(known, work.options, work.logits);
  });
  const stop = () => output.stop?.();
  signal?.addEventListener("abort", stop);
  try {
    await carryOutJob(work.job, { ...hooks, ...work, output });
    onComputed?.();
    await Promise.all([output.commit(), meanwhile?.()]);
    if (output.bytes) work.report.set({ outputBytes: output.bytes() });
  } catch (error) {
    // Where a thread has died, others may still be writing: not to a descriptor that is closed, and soon another file's.
    if (error instanceof WorkerError) await work.crew.close();
    await output.discard();
    if (signal?.aborted && error instanceof OutputClosedError)
      throw new AbortedError({ cause: signal.reason });
    throw ioError(path, "could not be written", error);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}
