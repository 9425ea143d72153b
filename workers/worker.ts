// The piscina worker. Node built-ins and the kernel only: a worker starts in the time that its imports take.
import type { Reply, Task, TaskMessage } from "../src/tasks/run-tasks.js";
import { taskRunner } from "./run-task.js";

/** Of the last run: its kernel stands. */
let last: { run: number; carryOut: (task: Task) => Reply } | null = null;

export default ({ run, setup, task }: TaskMessage): Reply => {
  if (last?.run !== run) last = { run, carryOut: taskRunner(setup) };
  return last.carryOut(task);
};
