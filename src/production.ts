import type { RunPaths } from "./failures.js";
import type { LogitsFile } from "./input/logits-file.js";
import { readInput } from "./input/read-input.js";
import type { BlockPlace } from "./output/arrow-encode.js";
import type { PendingOutput } from "./output/commit.js";
import { copyDictionaries } from "./output/dictionaries.js";
import type { TaskPool } from "./pool/task-pool.js";
import type { ReportBuilder } from "./report.js";

/** What either writer works with. */
export interface Production {
  logits: LogitsFile;
  pool: TaskPool;
  /** The slots' memory. */
  buffer: ArrayBufferLike;
  output: PendingOutput;
  paths: RunPaths;
  report: ReportBuilder;
  signal: AbortSignal | undefined;
  onProgress: () => void;
}

/** Copies the dictionaries of the kept columns to their places. */
export function keepDictionaries(
  { logits, output }: Production,
  places: readonly BlockPlace[],
): void {
  copyDictionaries(
    (target, position) => readInput(logits, target, position),
    output.fd,
    logits.dictionaries,
    places,
  );
}
