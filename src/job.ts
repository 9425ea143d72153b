import { writeCounted } from "./counted/write-counted.js";
import { InputUnsupportedError } from "./errors.js";
import { checkUnchanged } from "./input/input-state.js";
import type { LogitsFile } from "./input/logits-file.js";
import { axesOf } from "./input/row-indices.js";
import type { ResolvedOptions } from "./options.js";
import { type EntriesJob, planEntriesJob } from "./ordered/entries-job.js";
import { writeEntries } from "./ordered/write-entries.js";
import type { PlacedBatch } from "./output/jacobian-file.js";
import type { OutputTarget } from "./output/output-target.js";
import {
  type PlannedJob,
  planPlannedJob,
  type SizedJob,
  sizePlannedJob,
} from "./planned/planned-job.js";
import { writePlanned } from "./planned/write-planned.js";
import type { Crew } from "./pool/crew.js";
import type { Production } from "./production.js";
import type { ReportBuilder } from "./report.js";
import { isEntriesLayout } from "./results/catalogue.js";
import type { RunHooks } from "./run.js";
import { MOST_MEMORY_BYTES } from "./slots/kernel-memory.js";
import { workerSetup } from "./worker-setup.js";

/** A run that has only to be carried out. */
export type Job = PlannedJob | EntriesJob;

/**
 * Plans a run for the writer that its layout needs. Reads at most the ends of kept text columns.
 * @param inOrder the output takes bytes from the first to the last alone
 */
export function planJob(
  options: ResolvedOptions,
  logits: LogitsFile,
  inOrder = false,
): Job {
  return isEntriesLayout(options.layout)
    ? withinMemory(
        logits,
        planEntriesJob(options, logits, options.layout, inOrder),
      )
    : withinMemory(logits, planPlannedJob(options, logits));
}

/** Returns what a run takes, in memory that does not depend on its rows. Reads what planJob does. */
export function sizeJob(
  options: ResolvedOptions,
  logits: LogitsFile,
): SizedJob | EntriesJob {
  return isEntriesLayout(options.layout)
    ? withinMemory(logits, planEntriesJob(options, logits, options.layout))
    : withinMemory(logits, sizePlannedJob(options, logits));
}

/**
 * The same with no more slots than there are addresses for, and threads that have something to do.
 * @throws InputUnsupportedError where the memory for one row has more bytes than addresses
 */
function withinMemory<Some extends Job | SizedJob>(
  { path, column, classes }: LogitsFile,
  job: Some,
): Some {
  const { plan, slot } = job;
  if (slot.bytes > MOST_MEMORY_BYTES)
    throw new InputUnsupportedError(
      path,
      `column ${column}`,
      `expected rows of at most ${MOST_MEMORY_BYTES} bytes of memory, found ${classes} classes, which need ${slot.bytes}`,
    );
  const most = Math.max(1, Math.floor(MOST_MEMORY_BYTES / slot.bytes));
  if (plan.slots <= most) return job;
  const threads = Math.min(plan.threads, most);
  return { ...job, plan: { ...plan, slots: most, threads } };
}

export interface Assignment extends RunHooks {
  crew: Crew;
  options: ResolvedOptions;
  logits: LogitsFile;
  output: OutputTarget;
  report: ReportBuilder;
  onBatches?: ((placed: readonly PlacedBatch[]) => void) | undefined;
}

/**
 * Carries a job out: slots, threads, and the writer that puts every byte in its place.
 * @throws InputChangedError where the input changed meanwhile; SoftjacError
 */
export async function carryOutJob(
  job: Job,
  {
    crew,
    options,
    logits,
    output,
    report,
    signal,
    onProgress,
    onBatches,
  }: Assignment,
): Promise<void> {
  const { plan, slot } = job;
  const axes = axesOf(logits);
  report.axes = axes;
  const memory = crew.memory(plan.slots * slot.bytes);
  report.set({ kernel: memory.module ? "simd" : "plain" });
  const pool = await crew.pool(
    plan.threads,
    workerSetup(job, logits, output, memory, options.temperature),
  );
  const production: Production = {
    logits,
    pool,
    buffer: memory.buffer,
    output,
    paths: { input: logits.path, output: options.output, axes },
    report,
    signal,
    onProgress: () =>
      onProgress?.(report.rowsDone, plan.rows, {
        bytesDone: report.bytesDone,
        threads: plan.threads,
        threadsBusy: Math.min(plan.threads, crew.tasksUnderWay),
      }),
    onBatches,
  };
  const writeEnd =
    job.kind === "entries"
      ? await (job.table ? writeCounted : writeEntries)(job, production)
      : await writePlanned(job, production, (skipped) =>
          withinMemory(
            logits,
            planPlannedJob(options, logits, skipped, job.plan.batchRows),
          ),
        );
  // Nothing is read any more, and a stream without its end is not taken for a whole one.
  await checkUnchanged(logits.source);
  await writeEnd();
}
