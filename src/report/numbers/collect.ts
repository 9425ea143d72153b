import { AbortedError, InputFormatError } from "../../errors.js";
import { interpretingSync } from "../../input/interpreting.js";
import type { RunHooks } from "../../options/hooks.js";
import type { Example } from "../../reader/example.js";
import {
  type LabelChoice,
  openResultsFile,
  type ResultsFile,
} from "../../reader/results-file.js";
import type { StoredRun } from "../../results/run-metadata.js";
import type { FoundResults } from "../../show/find-results.js";
import type { ResolvedReportOptions } from "../options.js";
import { CalibrationSums } from "./calibration.js";
import { ClassPairs, ClassSums, mostSensitive } from "./classes.js";
import { ConfidenceSums } from "./confidence.js";
import { Largest, type RowSummary, summarizeRow } from "./rows.js";

/** Number of listed rows. */
const SHOWN_ROWS = 20;
/** Maximum classes for sums of all pairs; with more, a second pass sums the pairs of the shown classes. */
const ALL_PAIRS_CLASSES = 100;

/** Sums over the rows of an output; their size depends on the number of classes, not of rows. */
export class Collected {
  /** Number of rows in the output; in coo, of rows with entries. */
  examples = 0;
  badRows = 0;
  /** Number of rows with results that do not determine p. */
  withoutP = 0;
  entries = 0;
  droppedMax = Number.NaN;
  droppedSum = Number.NaN;
  readonly confidence: ConfidenceSums;
  readonly classes: ClassSums;
  readonly calibration = new CalibrationSums();
  /** Sums of all pairs; null above ALL_PAIRS_CLASSES. */
  readonly pairs: ClassPairs | null;
  readonly mostUncertain = new Largest<RowSummary>(SHOWN_ROWS);

  constructor({ classes, temperature }: StoredRun) {
    this.confidence = new ConfidenceSums(classes);
    this.classes = new ClassSums(classes, temperature);
    const all = Array.from({ length: classes }, (_, k) => k);
    this.pairs =
      classes <= ALL_PAIRS_CLASSES
        ? new ClassPairs(classes, all, temperature)
        : null;
  }

  /** @param fileIndex index of the file of the row */
  add(example: Example, fileIndex: number): void {
    this.examples++;
    if (example.isNull) {
      this.badRows++;
      return;
    }
    const { p, block, droppedMax, droppedSum } = example;
    if (!p) this.withoutP++;
    if (block?.kind === "entries") this.entries += block.values.length;
    if (!Number.isNaN(droppedMax))
      this.droppedMax = Math.max(droppedMax, this.droppedMax || 0);
    if (!Number.isNaN(droppedSum))
      this.droppedSum = droppedSum + (this.droppedSum || 0);
    this.confidence.add(example);
    this.classes.add(example);
    this.calibration.add(example);
    this.pairs?.add(example);
    const rank = [
      example.uncertainty,
      1 - example.confidence,
      example.entropy,
    ].find((value) => !Number.isNaN(value));
    if (rank !== undefined)
      this.mostUncertain.offer(rank, () => summarizeRow(example, fileIndex));
  }
}

/** Sums over an output, and metadata of its files. */
export interface CollectedResults {
  /** First file, with whose metadata those of the others agree. */
  first: Pick<ResultsFile, "run" | "sources" | "copiedColumns">;
  /** Names of the inputs, each once. */
  inputs: string[];
  bytes: number;
  /** Number of rows of the logits. */
  rows: number;
  collected: Collected;
  /** Shown classes, ascending. */
  shown: number[];
  pairs: ClassPairs;
}

/**
 * Reads all rows of an output in bounded memory: once, or twice if there are too many classes to sum all pairs.
 *
 * @throws SoftjacError if the output cannot be read; AbortedError
 */
export async function collectResults(
  results: FoundResults,
  options: ResolvedReportOptions,
  hooks: RunHooks,
): Promise<CollectedResults> {
  let collected: Collected | null = null;
  const totals = { inputs: new Set<string>(), bytes: 0, rows: 0 };
  const reader = new ResultsReader(results, options, hooks);
  const first = await reader.read(
    (file, { input }) => {
      collected ??= new Collected(file.run);
      if (!collected.pairs) reader.passes = 2;
      const { rowStart, rowEnd } = file.run;
      totals.rows += rowEnd - rowStart;
      totals.bytes += file.bytes;
      totals.inputs.add(input ?? file.run.source ?? "not known");
    },
    (example, fileIndex) => collected?.add(example, fileIndex),
  );
  const sums = collected as unknown as Collected;
  const { classes, temperature } = first.run;
  const shown = mostSensitive(sums.classes, options.classes);
  let { pairs } = sums;
  if (!pairs) {
    const shownPairs = new ClassPairs(classes, shown, temperature);
    await reader.read(
      () => {},
      (example) => {
        if (!example.isNull) shownPairs.add(example);
      },
    );
    pairs = shownPairs;
  }
  return {
    ...totals,
    inputs: [...totals.inputs],
    first,
    collected: sums,
    shown,
    pairs,
  };
}

/** Reads all files in order, and reports progress over all passes. */
class ResultsReader {
  passes = 1;
  #rowsDone = 0;

  constructor(
    private readonly results: FoundResults,
    private readonly label: LabelChoice,
    private readonly hooks: RunHooks,
  ) {}

  /** Reads all files once, and returns the first, closed. */
  async read(
    onFile: (file: ResultsFile, found: FoundResults["parts"][number]) => void,
    onExample: (example: Example, fileIndex: number) => void,
  ): Promise<ResultsFile> {
    let first: ResultsFile | null = null;
    for (const [fileIndex, found] of this.results.parts.entries()) {
      const file = await openResultsFile(found.path, this.label);
      try {
        if (file.note && !first && this.passes === 1)
          this.hooks.onEvent?.({ event: "warning", message: file.note });
        first ??= file;
        assertSameRun(first, file);
        onFile(file, found);
        await this.#readFile(file, (example) => onExample(example, fileIndex));
      } finally {
        await file.close();
      }
    }
    return first as unknown as ResultsFile;
  }

  async #readFile(
    { path, run, scan }: ResultsFile,
    onExample: (example: Example) => void,
  ): Promise<void> {
    const { signal, onProgress } = this.hooks;
    const rows = this.results.manifest?.rows ?? run.rowEnd - run.rowStart;
    const before = this.#rowsDone;
    for await (const examples of scan()) {
      if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
      interpretingSync(path, "rows", () => {
        for (const example of examples) {
          onExample(example);
          // Row keys of ragged lists have gaps.
          const done = Math.min(run.rowEnd, example.row + 1) - run.rowStart;
          this.#rowsDone = before + done;
        }
      });
      onProgress?.(this.#rowsDone, rows * this.passes);
    }
    this.#rowsDone = before + run.rowEnd - run.rowStart;
    onProgress?.(this.#rowsDone, rows * this.passes);
  }
}

/** @throws InputFormatError if the metadata of two files differ */
function assertSameRun(
  { run: first }: ResultsFile,
  { path, run }: ResultsFile,
): void {
  for (const name of [
    "classes",
    "layout",
    "dtype",
    "temperature",
    "emit",
  ] as const)
    if (String(first[name]) !== String(run[name]))
      throw new InputFormatError(
        path,
        "metadata",
        `expected softjac.${name} ${first[name]} as in the first shard, found ${run[name]}`,
      );
}
