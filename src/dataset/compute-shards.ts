import { join } from "node:path";
import { AbortedError, StoppedError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openLogits } from "../input/open-logits.js";
import { openOptionsOf, type ResolvedOptions } from "../options.js";
import { Crew } from "../pool/crew.js";
import type { RunHooks } from "../run.js";
import { computePart } from "./compute-part.js";
import type { PinnedInput } from "./dataset-plan.js";
import type { DatasetReportBuilder } from "./dataset-report.js";
import { partRecord } from "./dataset-run.js";
import { checkPinned } from "./pin-inputs.js";
import type { StoredRunOver } from "./plan-run-over.js";
import type { Shard } from "./plan-shards.js";

interface Shards extends StoredRunOver {
  /** The options of a run over one input. */
  of: (input: string) => ResolvedOptions;
  /** Those to make, in order; such as are done by now are left. */
  shards: readonly number[];
  report: DatasetReportBuilder;
}

/**
 * Makes shards one after the other, each on all threads.
 * @throws SoftjacError as run; StoppedError where it was stopped: what is done is kept
 */
export async function computeShards(
  { of: optionsOf, run, store, shards, report }: Shards,
  hooks: RunHooks,
): Promise<void> {
  const { of, root } = run.plan;
  const crew = new Crew();
  const inputs = new OpenInput();
  try {
    for (const shard of shards) {
      if (hooks.signal?.aborted) throw new AbortedError();
      // Another process may have done it since.
      if (await run.isDone(shard)) continue;
      await run.clearDamaged(shard);
      const span = of.shards[shard] as Shard;
      const input = of.inputs[span.input] as PinnedInput;
      const path = join(root, input.name);
      const resolved = optionsOf(path);
      const options = { ...resolved, part: span, source: input.name };
      const logits = await inputs.open(path, () => {
        checkPinned(path, input);
        return openLogits(path, openOptionsOf(resolved, hooks.signal));
      });
      const temporary = store.temporaryName();
      const made = await computePart(
        { crew, options, logits, path: run.folders.out, temporary },
        { ...hooks, onProgress: report.progress(hooks.onProgress) },
      );
      try {
        checkPinned(path, input);
      } catch (error) {
        await store.remove(temporary);
        throw error;
      }
      if (!(await run.commit(temporary, partRecord(run.plan, shard, made))))
        return;
      report.made(made);
    }
  } catch (error) {
    // With the run's folders goes the place for what this process was making.
    if (await run.isPublished()) return;
    if (error instanceof AbortedError)
      throw new StoppedError(report.shardsDone, run.shards, { cause: error });
    throw error;
  } finally {
    inputs.close();
    await crew.close();
  }
}

/** The input of the last shard: mostly the next one's too. */
class OpenInput {
  #path = "";
  #logits: LogitsFile | null = null;

  async open(
    path: string,
    open: () => Promise<LogitsFile>,
  ): Promise<LogitsFile> {
    if (this.#logits && this.#path === path) return this.#logits;
    this.close();
    this.#logits = await open();
    this.#path = path;
    return this.#logits;
  }

  close(): void {
    this.#logits?.close();
    this.#logits = null;
  }
}
