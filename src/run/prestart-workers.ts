import { statSync } from "node:fs";
import type { ResolvedOptions } from "../options/run-options.js";
import type { WorkerPool } from "../pool/worker-pool.js";
import { EMITS } from "../results/catalogue.js";
import { resultsOf } from "../results/emit-options.js";

/** Inputs that give threads something to do (see plan.ts): where blocks are made of them, of six classes or more, and else. */
const LARGE_BYTES = { blocks: 8 * 2 ** 20, others: 64 * 2 ** 20 };

/** Has threads start where one of the inputs is large: while that is opened and planned. */
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
  const least =
    threadsExplicit || writesBlocks ? LARGE_BYTES.blocks : LARGE_BYTES.others;
  if (inputs.some((path) => bytesOf(path) >= least))
    await workerPool.start(threads);
}

function bytesOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    // Opening it says why.
    return 0;
  }
}
