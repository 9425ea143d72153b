// Piscina worker of runs. It imports only Node built-ins and the kernel, because imports dominate its start-up time.
import type { Reply, TaskMessage } from "../src/tasks/run-tasks.js";
import { finish, taskRunner } from "./run-task.js";

/** Task runner of the last run, whose kernel is instantiated. */
let last: { run: number; start: ReturnType<typeof taskRunner> } | null = null;

export default ({ run, context, task }: TaskMessage): Reply => {
  if (last?.run !== run) last = { run, start: taskRunner(context) };
  return finish(last.start(task));
};
