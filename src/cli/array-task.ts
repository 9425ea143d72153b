import { ConfigurationError } from "../errors.js";
import { shortValue } from "../printable.js";

/** Task of a scheduler's array job: its 0-based index and the number of tasks. */
export interface ArrayTask {
  index: number;
  count: number;
}

interface Scheduler {
  name: string;
  /** Variable with the task number, set only in tasks of this scheduler. */
  variable: string;
  /** First task number, or its variable; default 0. */
  first?: string | 0 | 1;
  /** Variable with the step between task numbers; default 1. */
  step?: string;
  /** Variable with the last task number. */
  last?: string;
  /** Variable with the number of tasks; null if there is none and `--shard-count` is required. */
  count: string | null;
}

const SCHEDULERS: readonly Scheduler[] = [
  { name: "Kubernetes", variable: "JOB_COMPLETION_INDEX", count: null },
  {
    name: "Slurm",
    variable: "SLURM_ARRAY_TASK_ID",
    first: "SLURM_ARRAY_TASK_MIN",
    step: "SLURM_ARRAY_TASK_STEP",
    last: "SLURM_ARRAY_TASK_MAX",
    count: "SLURM_ARRAY_TASK_COUNT",
  },
  {
    name: "AWS Batch",
    variable: "AWS_BATCH_JOB_ARRAY_INDEX",
    count: "AWS_BATCH_JOB_ARRAY_SIZE",
  },
  {
    name: "Cloud Run",
    variable: "CLOUD_RUN_TASK_INDEX",
    count: "CLOUD_RUN_TASK_COUNT",
  },
  {
    name: "Google Batch",
    variable: "BATCH_TASK_INDEX",
    count: "BATCH_TASK_COUNT",
  },
  { name: "PBS", variable: "PBS_ARRAY_INDEX", count: null },
  {
    name: "Grid Engine",
    variable: "SGE_TASK_ID",
    first: "SGE_TASK_FIRST",
    step: "SGE_TASK_STEPSIZE",
    count: null,
  },
  { name: "LSF", variable: "LSB_JOBINDEX", first: 1, count: null },
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
  // In jobs without an array, Grid Engine sets the variable to "undefined" and LSF to 0.
  const active = SCHEDULERS.filter(({ variable, name }) => {
    const text = env[variable];
    return (
      text !== undefined &&
      text !== "" &&
      text !== "undefined" &&
      !(name === "LSF" && text === "0")
    );
  });
  if (active.length > 1)
    throw new ConfigurationError(
      `variables of several schedulers are set (${active.map(({ variable }) => variable).join(" and ")}); use --shard-index and --shard-count`,
    );
  const [scheduler] = active;
  if (!scheduler) return null;
  const { variable, first = 0, step: stepVariable } = scheduler;
  const task = wholeNumber(env, variable);
  const start =
    typeof first === "number" ? first : (wholeNumberOr(env, first) ?? 0);
  const step = (stepVariable && wholeNumberOr(env, stepVariable)) || 1;
  const index = (task - start) / step;
  rejectGaps(env, scheduler, start, step);
  const tasks =
    count ?? (scheduler.count ? wholeNumber(env, scheduler.count) : undefined);
  if (tasks === undefined)
    throw new ConfigurationError(
      `${variable}: ${scheduler.name} does not tell the number of tasks; use --shard-count`,
    );
  if (!Number.isInteger(index) || index < 0 || index >= tasks)
    throw new ConfigurationError(
      `${variable}: expected one of ${tasks} task numbers from ${start}${step > 1 ? ` in steps of ${step}` : ""}, found ${task}`,
    );
  return { index, count: tasks };
}

/** Rejects arrays with gaps, such as `--array=3,7`, in which the index of a task is unknown. */
function rejectGaps(
  env: Readonly<Record<string, string | undefined>>,
  { variable, last, count }: Scheduler,
  start: number,
  step: number,
): void {
  const end = last ? wholeNumberOr(env, last) : null;
  const tasks = count ? wholeNumberOr(env, count) : null;
  if (end === null || tasks === null || (end - start) / step + 1 === tasks)
    return;
  throw new ConfigurationError(
    `${variable}: this array has ${tasks} tasks between ${start} and ${end}, so it has gaps; resubmit the whole array; finished shards are not recomputed`,
  );
}

function wholeNumberOr(
  env: Readonly<Record<string, string | undefined>>,
  variable: string,
): number | null {
  return env[variable] === undefined || env[variable] === "undefined"
    ? null
    : wholeNumber(env, variable);
}

function wholeNumber(
  env: Readonly<Record<string, string | undefined>>,
  variable: string,
): number {
  const text = env[variable];
  if (!text || !/^\d{1,15}$/.test(text))
    throw new ConfigurationError(
      `${variable}: expected a whole number, found ${shortValue(text)}`,
    );
  return Number(text);
}
