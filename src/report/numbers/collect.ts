import { AbortedError, InputFormatError } from "../../errors.js";
import { interpreting } from "../../input/interpreting.js";
import type { RunHooks } from "../../options/hooks.js";
import type { Example } from "../../reader/example-decoder.js";
import {
  type LabelChoice,
  openResultsFile,
  type ResultsFile,
} from "../../reader/results-file.js";
import type { StoredRun } from "../../results/run-metadata.js";
import type { FoundResults } from "../../show/find-results.js";
import { VERSION } from "../../version.js";
import type { PageNumbers, ResolvedReportOptions } from "../output-report.js";
import { ClassPairs, ClassSums } from "./classes.js";
import { CalibrationSums, ConfidenceSums } from "./confidence.js";
import { Largest, type RowSummary, shownRows, summarizeRow } from "./rows.js";

/** Number of listed rows. */
const SHOWN_ROWS = 20;
/** Maximum classes for sums of all pairs; with more, a second pass sums the pairs of the shown classes. */
const ALL_PAIRS_CLASSES = 100;

/** Sums over the rows of an output; their size depends on the number of classes, not of rows. */
class Collected {
  /** Number of rows in the output; in coo, of rows with entries. */
  examples = 0;
  badRows = 0;
  droppedMax: number | null = null;
  droppedSum: number | null = null;
  readonly confidence: ConfidenceSums;
  readonly classes: ClassSums;
  readonly calibration = new CalibrationSums();
  /** Sums of all pairs; null above ALL_PAIRS_CLASSES. */
  readonly pairs: ClassPairs | null;
  readonly mostUncertain = new Largest<RowSummary>(SHOWN_ROWS);

  constructor({ classes }: StoredRun) {
    this.confidence = new ConfidenceSums(classes);
    this.classes = new ClassSums(classes);
    const all = Array.from({ length: classes }, (_, k) => k);
    this.pairs =
      classes <= ALL_PAIRS_CLASSES ? new ClassPairs(classes, all) : null;
  }

  /** @param fileIndex index of the file of the row */
  add(example: Example, fileIndex: number): void {
    this.examples++;
    if (example.isNull) {
      this.badRows++;
      return;
    }
    const { droppedMax, droppedSum } = example;
    if (!Number.isNaN(droppedMax))
      this.droppedMax = Math.max(droppedMax, this.droppedMax ?? 0);
    if (!Number.isNaN(droppedSum))
      this.droppedSum = droppedSum + (this.droppedSum ?? 0);
    this.confidence.add(example);
    this.classes.add(example);
    this.calibration.add(example);
    this.pairs?.add(example);
    const { uncertainty, confidence, entropy } = example;
    const ranks = [uncertainty, 1 - confidence, entropy];
    const rank = ranks.find((value) => !Number.isNaN(value));
    if (rank !== undefined)
      this.mostUncertain.offer(rank, () => summarizeRow(example, fileIndex));
  }
}

/**
 * Computes the numbers of a report. Reads all rows of the output in bounded memory: once, or twice if there are too many
 * classes to sum all pairs.
 */
export async function collectNumbers(
  results: FoundResults,
  options: ResolvedReportOptions,
  hooks: RunHooks,
): Promise<PageNumbers> {
  let collected: Collected | null = null;
  const inputs = new Set<string>();
  const totals = { bytes: 0, rows: 0 };
  const first = await readFiles(
    ...([results, options, hooks, 0] as const),
    (file, { input }) => {
      if (file.note && !collected)
        hooks.onEvent?.({ event: "warning", message: file.note });
      collected ??= new Collected(file.run);
      totals.rows += file.run.rowEnd - file.run.rowStart;
      totals.bytes += file.bytes;
      inputs.add(input ?? file.run.source ?? "not known");
    },
    (example, fileIndex) => collected?.add(example, fileIndex),
  );
  const sums = collected as unknown as Collected;
  const { run, sources, copiedColumns } = first;
  const shown = sums.classes.mostSensitive(options.classes);
  const pairs = sums.pairs ?? new ClassPairs(run.classes, shown);
  if (pairs !== sums.pairs)
    await readFiles(
      ...([results, options, hooks, totals.rows] as const),
      () => {},
      (example) => {
        if (!example.isNull) pairs.add(example);
      },
    );
  const { results: path, output, title, label } = options;
  const { layout, emit, dtype, temperature, threshold, classes } = run;
  const { examples, badRows, droppedMax, droppedSum } = sums;
  const { parts, manifest } = results;
  const isLabelled = label !== undefined;
  return {
    softjac: VERSION,
    status: "done",
    ...{ results: path, output, title },
    summary: {
      kind: manifest ? "dataset" : "file",
      writtenBy: run.version ?? null,
      sources: [...inputs],
      shards: parts.length,
      ...{ layout, emit: [...emit], dtype, temperature, threshold },
      topK: run.topK || null,
      ...{ classes, rows: totals.rows },
      rowsWithResults: examples - badRows,
      badRows,
      rowsSkipped: totals.rows - examples,
      bytes: totals.bytes,
      ...{ droppedMax, droppedSum },
      copiedColumns: copiedColumns.map(({ name, type }) => ({ name, type })),
      skippedInputs: [...(manifest?.leftOut ?? [])],
      from: sources,
    },
    confidence: sums.confidence.numbers(sources),
    calibration: isLabelled ? sums.calibration.numbers(label, sources) : null,
    classes: sums.classes.numbers(pairs, shown, sources, isLabelled),
    rows: await interpreting(path, "results", () =>
      shownRows(results, sums.mostUncertain.items, first),
    ),
  };
}

/**
 * Reads all files in order, and reports progress over all passes. Returns the first file, closed.
 * @param rowsBefore number of rows read in the passes before
 */
async function readFiles(
  { parts, manifest }: FoundResults,
  label: LabelChoice,
  { signal, onProgress }: RunHooks,
  rowsBefore: number,
  onFile: (file: ResultsFile, found: FoundResults["parts"][number]) => void,
  onExample: (example: Example, fileIndex: number) => void,
): Promise<ResultsFile> {
  let first: ResultsFile | null = null;
  let rowsDone = rowsBefore;
  for (const [fileIndex, found] of parts.entries()) {
    const file = await openResultsFile(found.path, label);
    try {
      first ??= file;
      const names = [
        "classes",
        "layout",
        "dtype",
        "temperature",
        "emit",
      ] as const;
      for (const name of names)
        if (String(first.run[name]) !== String(file.run[name]))
          throw new InputFormatError(
            file.path,
            "metadata",
            `expected softjac.${name} ${first.run[name]} as in the first shard, found ${file.run[name]}`,
          );
      onFile(file, found);
      const { rowStart, rowEnd, classes } = file.run;
      const passes = classes > ALL_PAIRS_CLASSES ? 2 : 1;
      const rows = passes * (manifest?.rows ?? rowEnd - rowStart);
      const before = rowsDone;
      for await (const rowsOfChunk of file.scan()) {
        if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
        interpreting(file.path, "rows", () => {
          for (const row of rowsOfChunk) {
            onExample(file.decode(row), fileIndex);
            // Row keys of ragged lists have gaps.
            rowsDone = before + Math.min(rowEnd, row.row + 1) - rowStart;
          }
        });
        onProgress?.(rowsDone, rows);
      }
      rowsDone = before + rowEnd - rowStart;
      onProgress?.(rowsDone, rows);
    } finally {
      await file.close();
    }
  }
  return first as unknown as ResultsFile;
}
