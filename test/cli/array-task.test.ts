import { expect, test } from "vitest";
import { arrayTask } from "../../src/cli/array-task.js";
import { pairsOf } from "../support/pairs-of.js";

/** Returns the task for environment variables, given as A=1 B=2; _ stands for SLURM_ARRAY_TASK_. */
function taskOf(variables: string, count?: number) {
  const text = variables.replace(/(?<= |^)_/g, "SLURM_ARRAY_TASK_");
  const env = text.split(" ").map((one) => one.split("="));
  const task = arrayTask(Object.fromEntries(env), count);
  return task && `${task.index} of ${task.count}`;
}

test.each<[variables: string, expected: string | null, count?: number]>([
  ["HOME=/", null],
  ["JOB_COMPLETION_INDEX=3", "3 of 8", 8],
  ["_ID=7 _MIN=0 _MAX=15 _STEP=1 _COUNT=16", "7 of 16"],
  ["_ID=40 _MIN=10 _STEP=10 _COUNT=4", "3 of 4"],
  ["AWS_BATCH_JOB_ARRAY_INDEX=0 AWS_BATCH_JOB_ARRAY_SIZE=2", "0 of 2"],
  ["CLOUD_RUN_TASK_INDEX=4 CLOUD_RUN_TASK_COUNT=5", "4 of 5"],
  ["BATCH_TASK_INDEX=1 BATCH_TASK_COUNT=3", "1 of 3"],
  ["PBS_ARRAY_INDEX=2", "2 of 3", 3],
  ["SGE_TASK_ID=5 SGE_TASK_FIRST=1 SGE_TASK_STEPSIZE=2", "2 of 5", 5],
  ["SGE_TASK_ID=undefined", null],
  ["LSB_JOBINDEX=1", "0 of 4", 4],
  ["LSB_JOBINDEX=0", null],
])("%s is task %s", (variables, expected, count) => {
  expect(taskOf(variables, count)).toBe(expected);
});

const WRONG = `
JOB_COMPLETION_INDEX=0 _ID=0
variables of several schedulers are set (JOB_COMPLETION_INDEX and SLURM_ARRAY_TASK_ID); use --shard-index and --shard-count
JOB_COMPLETION_INDEX=0
JOB_COMPLETION_INDEX: Kubernetes does not tell the number of tasks; use --shard-count
_ID=0
SLURM_ARRAY_TASK_COUNT: expected a whole number, found nothing
AWS_BATCH_JOB_ARRAY_INDEX=-1 AWS_BATCH_JOB_ARRAY_SIZE=2
AWS_BATCH_JOB_ARRAY_INDEX: expected a whole number, found "-1"
CLOUD_RUN_TASK_INDEX=5 CLOUD_RUN_TASK_COUNT=5
CLOUD_RUN_TASK_INDEX: expected one of 5 task numbers from 0, found 5
_ID=15 _MIN=10 _STEP=10 _COUNT=4
SLURM_ARRAY_TASK_ID: expected one of 4 task numbers from 10 in steps of 10, found 15
_ID=3 _MIN=3 _MAX=7 _STEP=1 _COUNT=2
SLURM_ARRAY_TASK_ID: this array has 2 tasks between 3 and 7, so it has gaps; resubmit the whole array; finished shards are not recomputed
_ID=7 _MIN=3 _MAX=7 _STEP=1 _COUNT=2
SLURM_ARRAY_TASK_ID: this array has 2 tasks between 3 and 7, so it has gaps; resubmit the whole array; finished shards are not recomputed
`;

test.each(pairsOf(WRONG))("%s: %s", (variables, message) => {
  const error = expect.objectContaining({ message, code: "ERR_CONFIGURATION" });
  expect(() => taskOf(variables)).toThrow(error);
});
