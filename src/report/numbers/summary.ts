import type { NumberSources } from "../../reader/example-decoder.js";
import type { Layout } from "../../results/catalogue.js";
import type { RunEmit } from "../../results/emit-options.js";
import type { FoundResults } from "../../show/find-results.js";
import type { CollectedResults } from "./collect.js";

export interface SummaryNumbers {
  kind: "file" | "dataset";
  /** Version of softjac that wrote the output. */
  writtenBy: string | null;
  /** Names of the inputs. */
  sources: string[];
  shards: number;
  layout: Layout;
  emit: RunEmit[];
  dtype: "float32" | "float64";
  temperature: number;
  threshold: number;
  topK: number | null;
  classes: number;
  /** Number of rows of the logits. */
  rows: number;
  rowsWithResults: number;
  badRows: number;
  /** Number of rows that the output omits. */
  rowsSkipped: number;
  bytes: number;
  /** Largest and sum of the absolute values of dropped entries. */
  droppedMax: number | null;
  droppedSum: number | null;
  copiedColumns: { name: string; type: string }[];
  /** Inputs of a dataset that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[];
  /** Columns from which the numbers are computed. */
  from: NumberSources;
}

export function summaryNumbers(
  { parts, manifest }: FoundResults,
  { first, collected, inputs, bytes, rows }: CollectedResults,
): SummaryNumbers {
  const { run, sources, copiedColumns } = first;
  const { examples, badRows, droppedMax, droppedSum } = collected;
  const { layout, emit, dtype, temperature, threshold, classes } = run;
  return {
    kind: manifest ? "dataset" : "file",
    writtenBy: run.version ?? null,
    sources: inputs,
    shards: parts.length,
    ...{ layout, emit: [...emit], dtype, temperature, threshold },
    topK: run.topK || null,
    ...{ classes, rows },
    rowsWithResults: examples - badRows,
    badRows,
    rowsSkipped: rows - examples,
    bytes,
    ...{ droppedMax, droppedSum },
    copiedColumns: copiedColumns.map(({ name, type }) => ({ name, type })),
    skippedInputs: [...(manifest?.leftOut ?? [])],
    from: sources,
  };
}
