import { writeCounted } from "./counted/write-counted.js";
import { SoftjacError, tooLarge } from "./errors.js";
import { checkUnchanged } from "./input/input-state.js";
import type { LogitsFile } from "./input/logits-file.js";
import { axesOf } from "./input/row-indices.js";
import { inLayout, type ResolvedOptions } from "./options.js";
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
import { EMITS, type EmitName, isEntriesLayout } from "./results/catalogue.js";
import type { RunHooks } from "./run.js";
import { MOST_MEMORY_BYTES } from "./slots/kernel-memory.js";
import { workerSetup } from "./worker-setup.js";

/** A run that has only to be carried out. */
export type Job = PlannedJob | EntriesJob;

/**
 * Plans a run for the writer that its layout needs. Reads at most the ends of kept text columns.
 * @param inOrder the output takes bytes from the first to the last alone
 * @throws InputUnsupportedError for an output that is too large to exist; see withOthers
 */
export function planJob(
  options: ResolvedOptions,
  logits: LogitsFile,
  inOrder = false,
): Job {
  const { layout } = options;
  try {
    return isEntriesLayout(layout)
      ? withinMemory(logits, planEntriesJob(options, logits, layout, inOrder))
      : withinMemory(logits, planPlannedJob(options, logits));
  } catch (error) {
    throw withOthers(error, options, logits);
  }
}

/** Returns what a run takes, in memory that does not depend on its rows. Reads and throws what planJob does. */
export function sizeJob(
  options: ResolvedOptions,
  logits: LogitsFile,
): SizedJob | EntriesJob {
  try {
    return sizeOf(options, logits);
  } catch (error) {
    throw withOthers(error, options, logits);
  }
}

function sizeOf(
  options: ResolvedOptions,
  logits: LogitsFile,
): SizedJob | EntriesJob {
  const { layout } = options;
  return isEntriesLayout(layout)
    ? withinMemory(logits, planEntriesJob(options, logits, layout))
    : withinMemory(logits, sizePlannedJob(options, logits));
}

/** Adds the outputs that are possible to the message of an error about one that is too large. */
export function withOthers(
  error: unknown,
  options: ResolvedOptions,
  logits: LogitsFile,
): unknown {
  if (error instanceof SoftjacError && error.room !== undefined)
    error.message += otherOutputs(options, logits, error.room);
  return error;
}

/** A warning about blocks of more than 1 GiB per row; null for smaller ones. */
export function sizeWarning(
  options: ResolvedOptions,
  logits: LogitsFile,
  { kind, results, plan }: Job | SizedJob,
): string | null {
  const { layout } = options;
  const bytes = results.reduce((sum, r) => sum + r.listSize * r.width, 0);
  if (kind === "entries" || layout === "dense" || bytes <= 2 ** 30) return null;
  return `each row takes ${bytes} bytes in layout ${layout}${otherOutputs(options, logits, plan.rows * 2 ** 30)} for less`;
}

/** Outputs of the same run of at most `room` bytes (csr and coo with one entry per row), as the end of a message. */
function otherOutputs(
  options: ResolvedOptions,
  logits: LogitsFile,
  room: number,
): string {
  const fits = (make: () => ResolvedOptions) => {
    try {
      const job = sizeOf(make(), logits);
      const { kind } = job;
      return (
        (kind === "entries" ? job.plan.mostBytes : job.sizes.bytes) <= room
      );
    } catch (error) {
      if (error instanceof SoftjacError) return false;
      throw error;
    }
  };
  const possible = (["factored", "packed", "csr", "coo"] as const)
    .filter(
      (layout) =>
        layout !== options.layout &&
        fits(() => ({ ...inLayout(options, layout), topK: 1 })),
    )
    .map(
      (layout) =>
        `--layout ${layout}${isEntriesLayout(layout) ? " --threshold T" : ""}`,
    );
  const isBlock = (name: string) =>
    name in EMITS && EMITS[name as EmitName].shape === "block";
  const emit = options.emit.filter((name) => !isBlock(name));
  if (emit.length === 0) emit.push("softmax");
  if (fits(() => ({ ...options, layout: "bsr", emit })))
    possible.push(`--emit ${emit.join()}`);
  const shown = new Intl.ListFormat("en", { type: "disjunction" });
  return possible.length > 0 ? `; use ${shown.format(possible)}` : "";
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
    throw tooLarge(
      path,
      column,
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
