#!/bin/bash
# Computes a dataset with a Slurm array: plans it here, then submits array.sbatch and finalize.sbatch.
#   usage: submit.sh INPUTS OUTPUT [TASKS [OPTIONS OF softjac plan...]]
# Needs softjac on the PATH of every node, and inputs and output on a file system that all nodes share.
# Change: the number of tasks; partition, time and CPUs in array.sbatch. To resume, run the same command again.
# Checked: bash -n; run by the tests with fake Slurm commands; run on a one-node Slurm 22.05, where a task that got
# SIGTERM exited with 75, was requeued and resumed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
inputs=$1 output=$2 tasks=${3:-4}
shift $(($# < 3 ? $# : 3))

softjac plan "$inputs" -o "$output" "$@"
array=$(sbatch --parsable --array="0-$((tasks - 1))" --export="ALL,SOFTJAC_OUTPUT=$output" "$here/array.sbatch")
# afterany, because afterok would wait forever after a failed task. If shards are missing, finalize exits with 75.
sbatch --parsable --dependency="afterany:$array" --export="ALL,SOFTJAC_OUTPUT=$output" "$here/finalize.sbatch"
