import { AbortedError } from "../errors.js";
import type { InputRows } from "../input/input-rows.js";
import type { ByteSource } from "../reader/byte-source.js";
import type { FileBatch } from "../reader/file-batches.js";
import type { Findings } from "../reader/findings.js";
import type { FoundColumn } from "../reader/output-columns.js";
import type { StoredRun } from "../results/run-metadata.js";
import type { RowJudge } from "./row-judge.js";
import type { RowKeys } from "./row-keys.js";

/** An output whose rows are to be judged, and what judges them. */
export interface ComparedFile {
  run: StoredRun;
  source: ByteSource;
  batches: readonly FileBatch[];
  columns: readonly FoundColumn[];
  /** Table rows that are read at once. */
  chunkRows: number;
  input: InputRows;
  /** Rows of the input by their keys, which the output has. */
  keys: RowKeys;
  judge: RowJudge;
  findings: Findings;
  signal: AbortSignal | undefined;
  onProgress(rowsDone: number): void;
}

/** @throws AbortedError */
export function checkAborted({ signal }: Pick<ComparedFile, "signal">): void {
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
}

/** Reads on from a row of the input, where it is not held. */
export async function holdInput(
  { input, run, chunkRows }: ComparedFile,
  row: number,
): Promise<void> {
  if (!input.holds(row))
    await input.load(row, Math.min(row + chunkRows, run.rows));
}
