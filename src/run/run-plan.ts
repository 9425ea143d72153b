import { SoftjacError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { inLayout, type ResolvedOptions } from "../options/run-options.js";
import { EMITS, type EmitName, isEntriesLayout } from "../results/catalogue.js";
import { type EntriesPlan, planEntries } from "./entries-plan.js";
import { type FixedPlan, planFixed } from "./fixed-plan.js";

/** The plan of a run. */
export type RunPlan = FixedPlan | EntriesPlan;

/**
 * Plans a run. Reads nothing but the last offsets of copied text columns.
 * @throws InputUnsupportedError if the output cannot be stored; the message lists smaller outputs that can
 */
export function planRun(options: ResolvedOptions, logits: LogitsFile): RunPlan {
  try {
    return planLayout(options, logits);
  } catch (error) {
    throw withAlternatives(error, options, logits);
  }
}

function planLayout(options: ResolvedOptions, logits: LogitsFile): RunPlan {
  return isEntriesLayout(options.layout)
    ? planEntries(options, logits, options.layout)
    : planFixed(options, logits);
}

/** Appends outputs that fit to the message of an error about insufficient space; returns the error. */
export function withAlternatives(
  error: unknown,
  options: ResolvedOptions,
  logits: LogitsFile,
): unknown {
  if (error instanceof SoftjacError && error.room !== undefined)
    error.message += alternativeOutputs(options, logits, error.room);
  return error;
}

/** Returns a warning if a row takes more than 1 GiB, else null. */
export function sizeWarning(
  options: ResolvedOptions,
  logits: LogitsFile,
  { kind, results, rows }: RunPlan,
): string | null {
  const { layout } = options;
  const bytes = results.reduce((sum, r) => sum + r.listSize * r.width, 0);
  if (kind === "entries" || layout === "dense" || bytes <= 2 ** 30) return null;
  return `each row takes ${bytes} bytes in layout ${layout}${alternativeOutputs(options, logits, rows * 2 ** 30)} for less`;
}

/** Returns the end of a message: outputs of the same run of at most `maxBytes` bytes (csr and coo with one entry per row). */
function alternativeOutputs(
  options: ResolvedOptions,
  logits: LogitsFile,
  maxBytes: number,
): string {
  const fits = (make: () => ResolvedOptions) => {
    try {
      return planLayout(make(), logits).maxBytes <= maxBytes;
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
  const list = new Intl.ListFormat("en", { type: "disjunction" });
  return possible.length > 0 ? `; use ${list.format(possible)}` : "";
}
