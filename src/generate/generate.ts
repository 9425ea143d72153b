import { checkHooks } from "../check-options.js";
import { AbortedError, SoftjacError } from "../errors.js";
import { startClock } from "../io/report-clock.js";
import { openPending } from "../output/commit.js";
import { ARROW } from "../output/output-name.js";
import { checkOutput } from "../output/written-files.js";
import type { RunHooks } from "../run.js";
import { ioError } from "../system-error.js";
import { layoutLogitsFile } from "./logits-layout.js";
import { type GenerateOptions, resolveGenerateOptions } from "./options.js";
import { type GenerateReport, generateReport } from "./report.js";
import { writeLogits } from "./write-logits.js";

/**
 * Writes an Arrow IPC file of random logits with the columns `id: int64` (from 0), `logits: fixed_size_list<float>[classes]`
 * and `label: int32` (drawn from the softmax of the row). Memory does not depend on the size. The same options give the same
 * bytes on every machine. The output file is complete or absent, whatever happens.
 *
 * @returns the report
 * @throws SoftjacError, whose `report` says how far it came
 */
export async function generate(
  options: GenerateOptions,
  hooks: RunHooks = {},
): Promise<GenerateReport> {
  checkHooks(hooks);
  const resolved = resolveGenerateOptions(options);
  const { output: path, force } = resolved;
  const progress = {
    rowsDone: 0,
    outputBytes: 0,
    recordBatches: 0,
    cost: startClock(),
  };
  try {
    checkOutput({ path, force, format: ARROW, inputs: [] });
    if (hooks.signal?.aborted)
      throw new AbortedError({ cause: hooks.signal.reason });
    const layout = layoutLogitsFile(resolved);
    progress.outputBytes = layout.bytes;
    progress.recordBatches = layout.batches.length;
    const output = await openPending(path, layout.bytes, resolved);
    try {
      await writeLogits(resolved, layout, output, progress, hooks);
      await output.commit();
    } catch (error) {
      await output.discard();
      throw ioError(path, "could not be written", error);
    }
    return generateReport("done", resolved, progress);
  } catch (error) {
    if (error instanceof SoftjacError)
      error.report = generateReport("failed", resolved, progress);
    throw error;
  }
}
