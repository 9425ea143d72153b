import { ConfigurationError } from "../errors.js";
import { shortValue } from "../printable.js";

/** Which of how many tasks of a scheduler's array this process is. */
export interface ArrayTask {
  index: number;
  count: number;
}

interface Scheduler {
  name: string;
  /** The variable that is there in its tasks alone, with the task's number. */
  variable: string;
  /** First number and step; 0 and 1 unless the environment says so. */
  first?: string | 0 | 1;
  step?: string;
  /** The variable with the last task's number. */
  last?: string;
  /** The variable with the number of tasks; null: it has none, `--shard-count` must say it. */
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
 * The task that the environment of a scheduler says this process is; null: there is none. `count` is what the command
 * line says.
 * @throws ConfigurationError where two schedulers are there, or one does not say all
 */
export function arrayTask(
  env: Readonly<Record<string, string | undefined>>,
  count: number | undefined,
): ArrayTask | null {
  // Grid Engine has the variable in every job, and "undefined" in it where there is no array; LSF has 0.
  const found = SCHEDULERS.filter(({ variable, name }) => {
    const text = env[variable];
    return (
      text !== undefined &&
      text !== "" &&
      text !== "undefined" &&
      !(name === "LSF" && text === "0")
    );
  });
  if (found.length > 1)
    throw new ConfigurationError(
      `variables of several schedulers are set (${found.map(({ variable }) => variable).join(" and ")}); use --shard-index and --shard-count`,
    );
  const [scheduler] = found;
  if (!scheduler) return null;
  const { variable, first = 0, step } = scheduler;
  const task = wholeNumber(env, variable);
  const start =
    typeof first === "number" ? first : (wholeNumberOr(env, first) ?? 0);
  const stride = (step && wholeNumberOr(env, step)) || 1;
  const index = (task - start) / stride;
  rejectGaps(env, scheduler, start, stride);
  const tasks =
    count ?? (scheduler.count ? wholeNumber(env, scheduler.count) : undefined);
  if (tasks === undefined)
    throw new ConfigurationError(
      `${variable}: ${scheduler.name} does not tell the number of tasks; use --shard-count`,
    );
  if (!Number.isInteger(index) || index < 0 || index >= tasks)
    throw new ConfigurationError(
      `${variable}: expected one of ${tasks} task numbers from ${start}${stride > 1 ? ` in steps of ${stride}` : ""}, found ${task}`,
    );
  return { index, count: tasks };
}

/** Tasks of an array with gaps, as of `--array=3,7`, cannot know their places among those of the whole one. */
function rejectGaps(
  env: Readonly<Record<string, string | undefined>>,
  { variable, last, count }: Scheduler,
  start: number,
  stride: number,
): void {
  const end = last ? wholeNumberOr(env, last) : null;
  const tasks = count ? wholeNumberOr(env, count) : null;
  if (end === null || tasks === null || (end - start) / stride + 1 === tasks)
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
