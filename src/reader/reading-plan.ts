import { isEntriesLayout } from "../results/catalogue.js";
import type { StoredRun } from "../results/run-metadata.js";
import type { OutputColumn } from "./output-columns.js";

/** Sources of the numbers of a row; null for numbers that the output does not determine. */
export interface NumberSources {
  p: "softmax" | "log_softmax" | null;
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
  const p = (["softmax", "log_softmax"] as const).find(has) ?? null;
  const uncertainty =
    (["uncertainty", "tail"] as const).find(has) ??
    (p === "log_softmax" ? p : p && "p");
  const hasEntries = isEntriesLayout(run.layout);
  return {
    p,
    uncertainty,
    confidence: has("confidence")
      ? "confidence"
      : p
        ? "p"
        : uncertainty && "uncertainty",
    entropy: has("entropy") ? "entropy" : p && "p",
    // A block is read only if p is unknown: it has Q times as many values.
    jacobian: !run.emit.includes("jacobian")
      ? p && "p"
      : hasEntries
        ? "entries"
        : p
          ? "p"
          : "block",
  };
}

/** Returns the columns of the sources, and those about dropped entries. */
export function neededColumns(
  expected: readonly OutputColumn[],
  { p, uncertainty, confidence, entropy, jacobian }: NumberSources,
): OutputColumn[] {
  const names = new Set<string | null>([p, uncertainty, confidence, entropy]);
  if (jacobian === "block") names.add("jacobian");
  return expected.filter(
    ({ name, source }) =>
      names.has(name) || (jacobian === "entries" && source.kind !== "result"),
  );
}
