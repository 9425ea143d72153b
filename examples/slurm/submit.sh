#!/bin/bash
# A dataset by a Slurm array. usage: submit.sh INPUTS OUTPUT [TASKS] [OPTIONS OF softjac plan…]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
inputs=$1 output=$2 tasks=${3:-4}
shift $(($# < 3 ? $# : 3))

# Writes the plan beside the output: what tasks make, and from what. Once more does no harm.
softjac plan "$inputs" -o "$output" "$@"
array=$(sbatch --parsable --array="0-$((tasks - 1))" --export="ALL,SOFTJAC_OUTPUT=$output" "$here/array.sbatch")
# afterany: after a task that failed, afterok would wait for ever. What is missing then, finalize says, and exits with 75.
sbatch --parsable --dependency="afterany:$array" --export="ALL,SOFTJAC_OUTPUT=$output" "$here/finalize.sbatch"
