import type { LogitsFile } from "../../src/input/logits-file.js";
import { PositionalFile } from "../../src/io/sequential.js";
import type { ResolvedOptions } from "../../src/options/run-options.js";
import { ArrowWriter } from "../../src/output/arrow-writer.js";
import {
  type OutputTarget,
  openSequential,
} from "../../src/output/output-target.js";
import { type RunContext, workerContext } from "../../src/run/run-context.js";
import type { RunPlan } from "../../src/run/run-plan.js";
import { ReportBuilder } from "../../src/run/run-report.js";
import type { Reply, Task } from "../../src/tasks/run-tasks.js";
import { finish, taskRunner } from "../../workers/run-task.js";

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
export async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await turn();
}

/** Executes a task as the test decides; `run` computes it as a worker does. */
export type Schedule<T extends Task = Task> = (
  task: T,
  run: () => Reply,
) => Promise<Reply>;

/** Returns the context of a run whose tasks are computed in this thread with the plain kernel. */
export function contextOf(
  plan: RunPlan,
  options: ResolvedOptions,
  logits: LogitsFile,
  output: OutputTarget,
  schedule: Schedule<never> = async (_, run) => run(),
): RunContext {
  // On a page, as the memory of the SIMD kernel is: direct writes need that.
  const initial = Math.ceil((plan.slots * plan.slot.bytes) / 65536);
  const pages = { initial, maximum: initial, shared: true };
  const { buffer } = new WebAssembly.Memory(pages);
  const memory = { module: null, memory: null, buffer };
  const run = taskRunner(workerContext(plan, logits, output, memory, 1));
  return {
    options,
    logits,
    output,
    writer: new ArrowWriter(
      output,
      plan.file,
      plan.kind === "fixed"
        ? new PositionalFile(output)
        : openSequential(output),
    ),
    report: new ReportBuilder(options.input, options.output),
    pool: { run: (task) => schedule(task as never, () => finish(run(task))) },
    buffer,
    onProgress: () => {},
  };
}
