import { blockOfP } from "../../output-rows/block-of-p.js";
import type { FoundResults } from "../../output-rows/find-results.js";
import { KeptValues } from "../../output-rows/kept-values.js";
import {
  openResultsPart,
  type ResultsPart,
} from "../../output-rows/results-part.js";
import { openJacobian } from "../../reader/open-jacobian.js";
import { indexOfKey, rowOfKey } from "../../results/row-axes.js";
import type { Gathered } from "../gather/gathered.js";
import type { RememberedRow } from "../gather/remembered-row.js";
import type { ShownRow, ShownRows } from "../output-report.js";

const MAX_COPIED_COLUMNS = 12;

/** Looks up what is shown of single rows: their blocks and kept columns. @throws SoftjacError where they cannot be read */
export async function shownRows(
  results: FoundResults,
  gathered: Gathered,
  {
    copiedColumns,
    run,
    sources,
  }: Pick<ResultsPart, "copiedColumns" | "run" | "sources">,
): Promise<ShownRows> {
  const rows = gathered.mostUncertain.items;
  const shown = new Map<RememberedRow, ShownRow>();
  for (const part of new Set(rows.map((row) => row.part)))
    await lookUp(
      results,
      part,
      rows.filter((row) => row.part === part),
      shown,
    );
  const hasBlocks = run.emit.includes("jacobian");
  return {
    copiedColumns: copiedColumns
      .slice(0, MAX_COPIED_COLUMNS)
      .map(({ name }) => name),
    hiddenColumns: Math.max(0, copiedColumns.length - MAX_COPIED_COLUMNS),
    blockFrom: hasBlocks ? "output" : sources.p ? "p" : null,
    mostUncertain: rows.map((row) => shown.get(row) as ShownRow),
    reasons: lacksOf(hasBlocks, sources),
  };
}

function lacksOf(
  hasBlocks: boolean,
  { p, uncertainty, confidence, entropy }: ResultsPart["sources"],
): string[] {
  const reasons: string[] = [];
  if (!uncertainty)
    reasons.push(
      confidence || entropy
        ? `The rows are ordered by ${confidence ? "1 − confidence" : "entropy"}, because the output does not determine the uncertainty.`
        : "The most uncertain rows need the uncertainty, confidence or entropy of every row.",
    );
  if (!p) reasons.push("The output does not determine p.");
  if (!hasBlocks)
    reasons.push(
      p
        ? "The output has no blocks of softmax; the blocks shown are computed from p."
        : "The output has no blocks of softmax.",
    );
  return reasons;
}

async function lookUp(
  results: FoundResults,
  part: number,
  rows: readonly RememberedRow[],
  shown: Map<RememberedRow, ShownRow>,
): Promise<void> {
  const { path, input } = results.parts[part] as FoundResults["parts"][number];
  const opened = await openResultsPart(path);
  try {
    const { run, inner, file, copiedColumns } = opened;
    const places = copiedColumns
      .slice(0, MAX_COPIED_COLUMNS)
      .map(({ place }) => place);
    const kept = new KeptValues(file, places);
    const reader = run.emit.includes("jacobian")
      ? await openJacobian(
          path,
          run.emit.includes("log_jacobian") ? { result: "jacobian" } : {},
        )
      : null;
    try {
      for (const row of rows) {
        const [number = 0, ...positions] = indexOfKey(inner, row.row);
        const block =
          row.classes.length === 0
            ? null
            : reader
              ? await reader.part(rowOfKey(inner, row.row), row.classes)
              : blockOfP(row, run.temperature);
        const isKept = run.layout === "csr" || run.layout === "coo";
        shown.set(row, {
          row: number,
          positions,
          input,
          confidence: numberOrNull(row.confidence),
          uncertainty: numberOrNull(row.uncertainty),
          entropy: numberOrNull(row.entropy),
          predicted: row.winner < 0 ? null : row.winner,
          label: row.label < 0 ? null : row.label,
          classes: row.classes,
          p: row.p,
          block: block && triangleOf(block, row.classes.length, isKept),
          copied: kept.read(row.batch, row.k),
        });
      }
    } finally {
      await reader?.close();
    }
  } finally {
    await opened.close();
  }
}

function numberOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** Entries that a layout of entries does not have are null: left out, or 0. */
function triangleOf(
  block: Float64Array,
  classes: number,
  isKept: boolean,
): (number | null)[] {
  const triangle: (number | null)[] = [];
  for (let a = 0; a < classes; a++)
    for (let b = a; b < classes; b++) {
      const value = block[a * classes + b] as number;
      // JSON has no -0.
      triangle.push(isKept && value === 0 ? null : value + 0);
    }
  return triangle;
}
