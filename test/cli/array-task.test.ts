import { expect, test } from "vitest";
import { arrayTask } from "../../src/cli/array-task.js";

type Env = Record<string, string>;

test.each<[string, Env, number | undefined, [number, number] | null]>([
  ["no scheduler", { HOME: "/" }, undefined, null],
  ["Kubernetes", { JOB_COMPLETION_INDEX: "3" }, 8, [3, 8]],
  [
    "Slurm, --array=0-15",
    {
      SLURM_ARRAY_TASK_ID: "7",
      SLURM_ARRAY_TASK_MIN: "0",
      SLURM_ARRAY_TASK_MAX: "15",
      SLURM_ARRAY_TASK_STEP: "1",
      SLURM_ARRAY_TASK_COUNT: "16",
    },
    undefined,
    [7, 16],
  ],
  [
    "Slurm, --array=10-40:10",
    {
      SLURM_ARRAY_TASK_ID: "40",
      SLURM_ARRAY_TASK_MIN: "10",
      SLURM_ARRAY_TASK_STEP: "10",
      SLURM_ARRAY_TASK_COUNT: "4",
    },
    undefined,
    [3, 4],
  ],
  [
    "AWS Batch",
    { AWS_BATCH_JOB_ARRAY_INDEX: "0", AWS_BATCH_JOB_ARRAY_SIZE: "2" },
    undefined,
    [0, 2],
  ],
  [
    "Cloud Run",
    { CLOUD_RUN_TASK_INDEX: "4", CLOUD_RUN_TASK_COUNT: "5" },
    undefined,
    [4, 5],
  ],
  [
    "Google Batch",
    { BATCH_TASK_INDEX: "1", BATCH_TASK_COUNT: "3" },
    undefined,
    [1, 3],
  ],
  ["PBS", { PBS_ARRAY_INDEX: "2" }, 3, [2, 3]],
  [
    "Grid Engine, -t 1-9:2",
    { SGE_TASK_ID: "5", SGE_TASK_FIRST: "1", SGE_TASK_STEPSIZE: "2" },
    5,
    [2, 5],
  ],
  [
    "Grid Engine without an array",
    { SGE_TASK_ID: "undefined" },
    undefined,
    null,
  ],
  ["LSF, from 1 on", { LSB_JOBINDEX: "1" }, 4, [0, 4]],
  ["LSF without an array", { LSB_JOBINDEX: "0" }, undefined, null],
])("%s", (_, env, count, expected) => {
  const task = arrayTask(env, count);
  expect(task && [task.index, task.count]).toEqual(expected);
});

test.each<[string, Env, number | undefined, string]>([
  [
    "two schedulers",
    { JOB_COMPLETION_INDEX: "0", SLURM_ARRAY_TASK_ID: "0" },
    2,
    "variables of several schedulers are set (JOB_COMPLETION_INDEX and SLURM_ARRAY_TASK_ID); use --shard-index and --shard-count",
  ],
  ["no count", { JOB_COMPLETION_INDEX: "0" }, undefined, "--shard-count"],
  [
    "no count of Slurm",
    { SLURM_ARRAY_TASK_ID: "0" },
    undefined,
    "SLURM_ARRAY_TASK_COUNT: expected a whole number, found nothing",
  ],
  [
    "no number",
    { AWS_BATCH_JOB_ARRAY_INDEX: "-1", AWS_BATCH_JOB_ARRAY_SIZE: "2" },
    undefined,
    'expected a whole number, found "-1"',
  ],
  [
    "a task that is none of them",
    { CLOUD_RUN_TASK_INDEX: "5", CLOUD_RUN_TASK_COUNT: "5" },
    undefined,
    "expected one of 5 task numbers from 0, found 5",
  ],
  [
    "between two steps",
    {
      SLURM_ARRAY_TASK_ID: "15",
      SLURM_ARRAY_TASK_MIN: "10",
      SLURM_ARRAY_TASK_STEP: "10",
      SLURM_ARRAY_TASK_COUNT: "4",
    },
    undefined,
    "in steps of 10, found 15",
  ],
  ...["3", "7"].map((id): [string, Env, number | undefined, string] => [
    `task ${id} of --array=3,7`,
    {
      SLURM_ARRAY_TASK_ID: id,
      SLURM_ARRAY_TASK_MIN: "3",
      SLURM_ARRAY_TASK_MAX: "7",
      SLURM_ARRAY_TASK_STEP: "1",
      SLURM_ARRAY_TASK_COUNT: "2",
    },
    undefined,
    "SLURM_ARRAY_TASK_ID: this array has 2 tasks between 3 and 7, so it has gaps; resubmit the whole array; finished shards are not recomputed",
  ]),
])("refused: %s", (_, env, count, message) => {
  expect(() => arrayTask(env, count)).toThrow(message);
});
