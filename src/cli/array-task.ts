import { ConfigurationError } from "../errors.js";
import { shortValue } from "../printable.js";

/** Task of a scheduler's array job: its 0-based index and the number of tasks. */
export interface ArrayTask {
  index: number;
  count: number;
}

/** Ends of the names of variables with a prefix. */
interface Variables {
  /** Number of the task; set only in tasks of this scheduler. */
  task: string;
  /** First task number, or its variable; default: 0. */
  first?: string | 1;
  /** Step between task numbers; default: 1. */
  step?: string;
  /** Last task number. */
  last?: string;
  /** Number of tasks; without it, `--shard-count` is required. */
  count?: string;
}

const SLURM = { first: "MIN", step: "STEP", last: "MAX", count: "COUNT" };
const SGE = { first: "FIRST", step: "STEPSIZE" };
const SCHEDULERS: readonly [name: string, prefix: string, Variables][] = [
  ["Kubernetes", "JOB_COMPLETION_", { task: "INDEX" }],
  ["Slurm", "SLURM_ARRAY_TASK_", { task: "ID", ...SLURM }],
  ["AWS Batch", "AWS_BATCH_JOB_ARRAY_", { task: "INDEX", count: "SIZE" }],
  ["Cloud Run", "CLOUD_RUN_TASK_", { task: "INDEX", count: "COUNT" }],
  ["Google Batch", "BATCH_TASK_", { task: "INDEX", count: "COUNT" }],
  ["PBS", "PBS_ARRAY_", { task: "INDEX" }],
  ["Grid Engine", "SGE_TASK_", { task: "ID", ...SGE }],
  ["LSF", "LSB_", { task: "JOBINDEX", first: 1 }],
];

/**
 * Returns the array task of this process from the variables of its scheduler; null without a scheduler. `count` overrides
 * the number of tasks.
 * @throws ConfigurationError if variables of several schedulers are set, or one is missing or invalid
 */
export function arrayTask(
  env: Readonly<Record<string, string | undefined>>,
  count: number | undefined,
): ArrayTask | null {
  // In jobs without an array, Grid Engine sets variables to "undefined" and LSF its task number to 0.
  const active = SCHEDULERS.filter(([name, prefix, { task }]) => {
    const text = env[prefix + task];
    return text && text !== "undefined" && !(name === "LSF" && text === "0");
  });
  if (active.length > 1) {
    const names = active.map(([, prefix, { task }]) => prefix + task);
    throw new ConfigurationError(
      `variables of several schedulers are set (${names.join(" and ")}); use --shard-index and --shard-count`,
    );
  }
  if (!active[0]) return null;
  const [name, prefix, variables] = active[0];
  const fail = (text: string, end = variables.task): never => {
    throw new ConfigurationError(`${prefix}${end}: ${text}`);
  };
  const numberOf = (end: string): number => {
    const text = env[prefix + end];
    return text && /^\d{1,15}$/.test(text)
      ? Number(text)
      : fail(`expected a whole number, found ${shortValue(text)}`, end);
  };
  const optional = (end: string | undefined): number | undefined =>
    end && ![undefined, "undefined"].includes(env[prefix + end])
      ? numberOf(end)
      : undefined;
  const { first = 0 } = variables;
  const task = numberOf(variables.task);
  const start = typeof first === "number" ? first : (optional(first) ?? 0);
  const step = optional(variables.step) || 1;
  const last = optional(variables.last);
  const size = optional(variables.count);
  // In an array with gaps, such as --array=3,7, the index of a task is unknown.
  if (
    last !== undefined &&
    size !== undefined &&
    (last - start) / step + 1 !== size
  )
    fail(
      `this array has ${size} tasks between ${start} and ${last}, so it has gaps; resubmit the whole array; finished shards are not recomputed`,
    );
  const tasks =
    count ??
    (variables.count
      ? numberOf(variables.count)
      : fail(`${name} does not tell the number of tasks; use --shard-count`));
  const index = (task - start) / step;
  if (!Number.isInteger(index) || index < 0 || index >= tasks)
    fail(
      `expected one of ${tasks} task numbers from ${start}${step > 1 ? ` in steps of ${step}` : ""}, found ${task}`,
    );
  return { index, count: tasks };
}
