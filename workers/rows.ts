// Piscina worker of runs. It imports only Node built-ins and the kernel, because imports dominate its start-up time.
import type { Reply, Task, TaskMessage } from "../src/tasks/run-tasks.js";
import { taskRunner } from "./run-task.js";

/** Task runner of the last run, whose kernel is instantiated. */
let last: { run: number; runTask: (task: Task) => Reply } | null = null;

export default ({ run, context, task }: TaskMessage): Reply => {
  if (last?.run !== run) last = { run, runTask: taskRunner(context) };
  return last.runTask(task);
};
