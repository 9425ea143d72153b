import type { RunPaths } from "./failures.js";
import type { LogitsFile } from "./input/logits-file.js";
import { readInput } from "./input/read-input.js";
import type { BlockPlace } from "./output/arrow-encode.js";
import { dictionaryPieces } from "./output/dictionaries.js";
import type { Piece, PlacedBatch } from "./output/jacobian-file.js";
import type { OutputTarget } from "./output/output-target.js";
import type { TaskPool } from "./pool/crew.js";
import type { ReportBuilder } from "./report.js";

/** What either writer works with. */
export interface Production {
  logits: LogitsFile;
  pool: TaskPool;
  /** The slots' memory. */
  buffer: ArrayBufferLike;
  output: OutputTarget;
  paths: RunPaths;
  report: ReportBuilder;
  signal: AbortSignal | undefined;
  onProgress: () => void;
  /** Told of every record batch that has its place, before anything is put there. */
  onBatches?: ((placed: readonly PlacedBatch[]) => void) | undefined;
}

/** The dictionaries of the kept columns at their places, in pieces. */
export function keptDictionaries(
  { logits }: Production,
  places: readonly BlockPlace[],
): Generator<Piece> {
  return dictionaryPieces(
    (target, position) => readInput(logits, target, position),
    logits.dictionaries,
    places,
  );
}
