import { SMALLER_OUTPUTS } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { isEntriesLayout } from "../results/catalogue.js";
import { type EntriesPlan, planEntries } from "./entries-plan.js";
import { type FixedPlan, planFixed } from "./fixed-plan.js";

/** The plan of a run. */
export type RunPlan = FixedPlan | EntriesPlan;

/**
 * Plans a run. Reads nothing but the last offsets of copied text columns.
 * @throws InputUnsupportedError if the output cannot be stored
 */
export function planRun(options: ResolvedOptions, logits: LogitsFile): RunPlan {
  return isEntriesLayout(options.layout)
    ? planEntries(options, logits, options.layout)
    : planFixed(options, logits);
}

/** Returns a warning if a row takes more than 1 GiB, else null. */
export function sizeWarning(
  { layout }: ResolvedOptions,
  { kind, results }: RunPlan,
): string | null {
  const bytes = results.reduce((sum, r) => sum + r.listSize * r.width, 0);
  return kind === "entries" || layout === "dense" || bytes <= 2 ** 30
    ? null
    : `each row takes ${bytes} bytes in layout ${layout}; ${SMALLER_OUTPUTS} for less`;
}
