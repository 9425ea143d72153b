import { expect, test } from "vitest";
import { arrayTask } from "../../src/cli/array-task.js";

/** Returns the task for environment variables, given as A=1 B=2. */
function taskOf(variables: string, count?: number) {
  const env = variables.split(" ").map((one) => one.split("="));
  const task = arrayTask(Object.fromEntries(env), count);
  return task && [task.index, task.count];
}

const SLURM = (id: number, rest: string) =>
  `SLURM_ARRAY_TASK_ID=${id} ${rest}`.replaceAll(" _", " SLURM_ARRAY_TASK_");

test.each<[string, [number, number] | null, variables: string, count?: number]>(
  [
    ["no scheduler", null, "HOME=/"],
    ["Kubernetes", [3, 8], "JOB_COMPLETION_INDEX=3", 8],
    [
      "Slurm, --array=0-15",
      [7, 16],
      SLURM(7, "_MIN=0 _MAX=15 _STEP=1 _COUNT=16"),
    ],
    ["Slurm, --array=10-40:10", [3, 4], SLURM(40, "_MIN=10 _STEP=10 _COUNT=4")],
    [
      "AWS Batch",
      [0, 2],
      "AWS_BATCH_JOB_ARRAY_INDEX=0 AWS_BATCH_JOB_ARRAY_SIZE=2",
    ],
    ["Cloud Run", [4, 5], "CLOUD_RUN_TASK_INDEX=4 CLOUD_RUN_TASK_COUNT=5"],
    ["Google Batch", [1, 3], "BATCH_TASK_INDEX=1 BATCH_TASK_COUNT=3"],
    ["PBS", [2, 3], "PBS_ARRAY_INDEX=2", 3],
    [
      "Grid Engine, -t 1-9:2",
      [2, 5],
      "SGE_TASK_ID=5 SGE_TASK_FIRST=1 SGE_TASK_STEPSIZE=2",
      5,
    ],
    ["Grid Engine without an array", null, "SGE_TASK_ID=undefined"],
    ["LSF, from 1 on", [0, 4], "LSB_JOBINDEX=1", 4],
    ["LSF without an array", null, "LSB_JOBINDEX=0"],
  ],
)("%s", (_, expected, variables, count) => {
  expect(taskOf(variables, count)).toEqual(expected);
});

test.each<[string, message: string, variables: string, count?: number]>([
  [
    "two schedulers",
    "variables of several schedulers are set (JOB_COMPLETION_INDEX and SLURM_ARRAY_TASK_ID); use --shard-index and --shard-count",
    "JOB_COMPLETION_INDEX=0 SLURM_ARRAY_TASK_ID=0",
    2,
  ],
  ["no count", "--shard-count", "JOB_COMPLETION_INDEX=0"],
  [
    "no count of Slurm",
    "SLURM_ARRAY_TASK_COUNT: expected a whole number, found nothing",
    SLURM(0, ""),
  ],
  [
    "no number",
    'expected a whole number, found "-1"',
    "AWS_BATCH_JOB_ARRAY_INDEX=-1 AWS_BATCH_JOB_ARRAY_SIZE=2",
  ],
  [
    "a task that is none of them",
    "expected one of 5 task numbers from 0, found 5",
    "CLOUD_RUN_TASK_INDEX=5 CLOUD_RUN_TASK_COUNT=5",
  ],
  [
    "between two steps",
    "in steps of 10, found 15",
    SLURM(15, "_MIN=10 _STEP=10 _COUNT=4"),
  ],
  ...[3, 7].map((id): [string, string, string] => [
    `task ${id} of --array=3,7`,
    "SLURM_ARRAY_TASK_ID: this array has 2 tasks between 3 and 7, so it has gaps; resubmit the whole array; finished shards are not recomputed",
    SLURM(id, "_MIN=3 _MAX=7 _STEP=1 _COUNT=2"),
  ]),
])("refused: %s", (_, message, variables, count) => {
  expect(() => taskOf(variables, count)).toThrow(message);
});
