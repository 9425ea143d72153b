import { statSync } from "node:fs";
import type { ResolvedOptions } from "../options/run-options.js";
import type { WorkerPool } from "../pool/worker-pool.js";
import { EMITS } from "../results/catalogue.js";
import { resultsOf } from "../results/emit-options.js";

/** Input sizes from which threads pay off (see fixed-rows.ts): with blocks of six classes or more, and without blocks. */
const LARGE_BYTES = { blocks: 8 * 2 ** 20, others: 64 * 2 ** 20 };

/** Starts threads if one of the inputs is large, so that they start while it is opened and planned. */
export async function prestartWorkers(
  workerPool: WorkerPool,
  inputs: readonly string[],
  {
    threads,
    threadsExplicit,
    emit,
    layout,
  }: Pick<ResolvedOptions, "threads" | "threadsExplicit" | "emit" | "layout">,
): Promise<void> {
  const writesBlocks =
    layout !== "factored" &&
    resultsOf(emit).some((name) => EMITS[name].shape === "block");
  const minBytes =
    threadsExplicit || writesBlocks ? LARGE_BYTES.blocks : LARGE_BYTES.others;
  if (inputs.some((path) => bytesOf(path) >= minBytes))
    await workerPool.start(threads);
}

function bytesOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    // Opening the input reports the error.
    return 0;
  }
}
