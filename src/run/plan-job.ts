import { SoftjacError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { inLayout, type ResolvedOptions } from "../options/run-options.js";
import { EMITS, type EmitName, isEntriesLayout } from "../results/catalogue.js";
import { type EntriesJob, planEntriesJob } from "./entries-job.js";
import {
  type PlannedJob,
  planPlannedJob,
  type SizedJob,
  sizePlannedJob,
} from "./planned-job.js";

/** The plan of a run. */
export type Job = PlannedJob | EntriesJob;

/**
 * Plans a run for the writer that its layout needs. Reads at most the ends of copied text columns.
 * @throws InputUnsupportedError for an output that is too large to exist; see withOthers
 */
export function planJob(options: ResolvedOptions, logits: LogitsFile): Job {
  const { layout } = options;
  return advised(options, logits, () =>
    isEntriesLayout(layout)
      ? planEntriesJob(options, logits, layout)
      : planPlannedJob(options, logits),
  );
}

/** Returns the sizes of a run, in memory that does not depend on its rows. Reads and throws what planJob does. */
export function sizeJob(
  options: ResolvedOptions,
  logits: LogitsFile,
): SizedJob | EntriesJob {
  return advised(options, logits, () => sizeOf(options, logits));
}

function sizeOf(
  options: ResolvedOptions,
  logits: LogitsFile,
): SizedJob | EntriesJob {
  const { layout } = options;
  return isEntriesLayout(layout)
    ? planEntriesJob(options, logits, layout)
    : sizePlannedJob(options, logits);
}

function advised<J>(
  options: ResolvedOptions,
  logits: LogitsFile,
  plan: () => J,
): J {
  try {
    return plan();
  } catch (error) {
    throw withOthers(error, options, logits);
  }
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
      return (kind === "entries" ? job.plan.maxBytes : job.sizes.bytes) <= room;
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
