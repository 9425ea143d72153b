import type { FoundResults } from "../../show/find-results.js";
import type { CollectedResults } from "./collect.js";

export type SummaryNumbers = ReturnType<typeof summaryNumbers>;

export function summaryNumbers(
  { parts, manifest }: FoundResults,
  { first, collected, inputs, bytes, rows }: CollectedResults,
) {
  const { run, sources, copiedColumns } = first;
  const { examples, badRows } = collected;
  const nullIfNaN = (value: number) => (Number.isNaN(value) ? null : value);
  return {
    kind: manifest ? ("dataset" as const) : ("file" as const),
    /** Version of softjac that wrote the output. */
    writtenBy: run.version ?? null,
    /** Names of the inputs. */
    sources: inputs,
    shards: parts.length,
    layout: run.layout,
    emit: [...run.emit],
    dtype: run.dtype,
    temperature: run.temperature,
    threshold: run.threshold,
    topK: run.topK || null,
    classes: run.classes,
    /** Number of rows of the logits. */
    rows,
    rowsWithResults: examples - badRows,
    badRows,
    /** Number of rows that the output omits. */
    rowsSkipped: rows - examples,
    bytes,
    /** Largest and sum of the absolute values of dropped entries. */
    droppedMax: nullIfNaN(collected.droppedMax),
    droppedSum: nullIfNaN(collected.droppedSum),
    copiedColumns: copiedColumns.map(({ name, type }) => ({ name, type })),
    /** Inputs of a dataset that were skipped, with the error of each. */
    skippedInputs: [...(manifest?.leftOut ?? [])],
    from: sources,
  };
}
