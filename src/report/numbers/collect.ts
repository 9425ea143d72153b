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

/** Number of rows that the page lists. */
const SHOWN_ROWS = 20;
/** Up to this number of classes, the first pass sums all pairs; above, a second pass sums the pairs of the shown classes. */
const ALL_PAIRS_CLASSES = 100;

/** Sums over the rows of an output. Their size depends on the number of classes, not of rows. */
export class Collected {
  /** Number of table rows; in coo, of rows with entries. */
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
  /** null: there are too many classes to sum all pairs. */
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

  /** @param part index of the file that has the row */
  add(example: Example, part: number): void {
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
      this.mostUncertain.offer(rank, () => summarizeRow(example, part));
  }
}

/** The sums over an output, and what its files say. */
export interface CollectedResults {
  /** The first file; the metadata of the others agree with it. */
  first: Pick<ResultsFile, "run" | "sources" | "copiedColumns">;
  /** Names of the inputs, each once. */
  inputs: string[];
  bytes: number;
  /** Number of rows of the logits. */
  rows: number;
  collected: Collected;
  /** Shown classes, ascending, and the sums of their pairs. */
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
  const known = { inputs: new Set<string>(), bytes: 0, rows: 0 };
  const pass = new Pass(results, options, hooks);
  const first = await pass.read(
    (part, { input }) => {
      collected ??= new Collected(part.run);
      if (!collected.pairs) pass.passes = 2;
      const { rowStart, rowEnd } = part.run;
      known.rows += rowEnd - rowStart;
      known.bytes += part.bytes;
      known.inputs.add(input ?? part.run.source ?? "not known");
    },
    (example, part) => collected?.add(example, part),
  );
  const sums = collected as unknown as Collected;
  const { classes, temperature } = first.run;
  const shown = mostSensitive(sums.classes, options.classes);
  let { pairs } = sums;
  if (!pairs) {
    const some = new ClassPairs(classes, shown, temperature);
    await pass.read(
      () => {},
      (example) => {
        if (!example.isNull) some.add(example);
      },
    );
    pairs = some;
  }
  return {
    ...known,
    inputs: [...known.inputs],
    first,
    collected: sums,
    shown,
    pairs,
  };
}

/** Reads all files in order, once or twice, and reports progress over all passes. */
class Pass {
  passes = 1;
  #rowsDone = 0;

  constructor(
    private readonly results: FoundResults,
    private readonly label: LabelChoice,
    private readonly hooks: RunHooks,
  ) {}

  /** Returns the first file, closed. */
  async read(
    onPart: (part: ResultsFile, found: FoundResults["parts"][number]) => void,
    onExample: (example: Example, part: number) => void,
  ): Promise<ResultsFile> {
    let first: ResultsFile | null = null;
    for (const [n, found] of this.results.parts.entries()) {
      const part = await openResultsFile(found.path, this.label);
      try {
        if (part.note && !first && this.passes === 1)
          this.hooks.onEvent?.({ event: "warning", message: part.note });
        first ??= part;
        rejectOther(first, part);
        onPart(part, found);
        await this.#readPart(part, (example) => onExample(example, n));
      } finally {
        await part.close();
      }
    }
    return first as unknown as ResultsFile;
  }

  async #readPart(
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
          // Keys of rows of ragged lists have gaps.
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

/** Rejects a file of another run: all files of a dataset have the same metadata. */
function rejectOther(
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
