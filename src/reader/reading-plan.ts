import { isEntriesLayout } from "../results/catalogue.js";
import type { StoredRun } from "../results/run-metadata.js";
import type { OutputColumn } from "./output-columns.js";

/** Sources of the numbers of a row; null for numbers that the output does not determine. */
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

/** Chooses the sources of numbers among the columns of the output. */
export function numberSources(
  run: StoredRun,
  expected: readonly OutputColumn[],
): NumberSources {
  const has = (name: string) => expected.some((column) => column.name === name);
  const emits = (name: "jacobian" | "log_jacobian") => run.emit.includes(name);
  const isWhole = !mayOmitEntries(run);
  const p =
    (["softmax", "log_softmax"] as const).find(has) ??
    (["jacobian", "log_jacobian"] as const).find(
      (name) => isWhole && emits(name),
    ) ??
    null;
  const uncertainty =
    (["uncertainty", "tail"] as const).find(has) ??
    (p === "log_softmax" ? p : p && "p");
  // A block is read only if p does not determine it: it has Q times as many values.
  const block = p === "jacobian" ? "block" : "p";
  return {
    p,
    uncertainty,
    confidence: has("confidence")
      ? "confidence"
      : p
        ? "p"
        : uncertainty && "uncertainty",
    entropy: has("entropy") ? "entropy" : p && "p",
    jacobian: !emits("jacobian")
      ? p && "p"
      : isEntriesLayout(run.layout)
        ? "entries"
        : block,
  };
}

/** Returns whether blocks may lack entries. */
export function mayOmitEntries({
  layout,
  threshold,
  topK,
}: StoredRun): boolean {
  return isEntriesLayout(layout) && (threshold > 0 || topK > 0);
}

/** Returns the columns of the sources, and those about dropped entries. */
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
