import { isEntriesLayout } from "../results/catalogue.js";
import type { StoredRun } from "../results/run-metadata.js";
import type { OutputColumn } from "./output-columns.js";

/** Sources of the numbers of a row; null if the output does not determine a number. */
export interface NumberSources {
  /** Source of p: a column, or blocks from which it is recovered. */
  p: "softmax" | "log_softmax" | "jacobian" | "log_jacobian" | null;
  /** Source of the uncertainty 1 - max p; `p` means the sum over the other classes. */
  uncertainty: "uncertainty" | "tail" | "log_softmax" | "p" | null;
  confidence: "confidence" | "p" | "uncertainty" | null;
  entropy: "entropy" | "p" | null;
  /** Source of |J|: full blocks, stored entries, or p. */
  jacobian: "block" | "entries" | "p" | null;
}

/** Chooses among what the output has. */
export function numberSources(
  run: StoredRun,
  expected: readonly OutputColumn[],
): NumberSources {
  const has = (name: string) => expected.some((column) => column.name === name);
  const emits = (name: "jacobian" | "log_jacobian") => run.emit.includes(name);
  const entries = isEntriesLayout(run.layout);
  const p = has("softmax")
    ? "softmax"
    : has("log_softmax")
      ? "log_softmax"
      : leavesOut(run)
        ? null
        : emits("jacobian")
          ? "jacobian"
          : emits("log_jacobian")
            ? "log_jacobian"
            : null;
  const uncertainty = has("uncertainty")
    ? "uncertainty"
    : has("tail")
      ? "tail"
      : p === "log_softmax"
        ? "log_softmax"
        : p && "p";
  return {
    p,
    uncertainty,
    confidence: has("confidence")
      ? "confidence"
      : p
        ? "p"
        : uncertainty
          ? "uncertainty"
          : null,
    entropy: has("entropy") ? "entropy" : p && "p",
    jacobian: !emits("jacobian")
      ? p && "p"
      : entries
        ? "entries"
        : // A block is read only where p does not say it all: it has Q times as many values.
          p === "jacobian"
          ? "block"
          : "p",
  };
}

/** Whether entries may be missing from blocks. */
export function leavesOut({ layout, threshold, topK }: StoredRun): boolean {
  return isEntriesLayout(layout) && (threshold > 0 || topK > 0);
}

/** The columns that have them, and what the file says of entries it left out. */
export function neededColumns(
  expected: readonly OutputColumn[],
  { p, uncertainty, confidence, entropy, jacobian }: NumberSources,
): OutputColumn[] {
  const names = new Set<string | null>([p, uncertainty, confidence, entropy]);
  const blocks = p === "jacobian" || p === "log_jacobian";
  const entries = blocks || jacobian === "entries";
  return expected.filter(
    ({ name, source }) =>
      names.has(name) || (entries && source.kind !== "result"),
  );
}
