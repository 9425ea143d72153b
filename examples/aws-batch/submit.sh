#!/bin/bash
# A dataset by an AWS Batch array job. usage: submit.sh QUEUE JOB_DEFINITION OUTPUT TASKS
# The definition's container has softjac and the file system (EFS, FSx) that the plan was written to; its retry strategy
# may be: {"attempts": 5, "evaluateOnExit": [{"onExitCode": "75", "action": "RETRY"}, {"onReason": "Host EC2*", "action":
# "RETRY"}, {"onExitCode": "*", "action": "EXIT"}]}
set -euo pipefail
queue=$1 definition=$2 output=$3 tasks=$4

command() { printf '{"command": ["softjac", %s]}' "$1"; }

array=$(aws batch submit-job --job-name softjac --job-queue "$queue" --job-definition "$definition" \
  --array-properties "size=$tasks" --query jobId --output text \
  --container-overrides "$(command "\"run-shard\", \"-o\", \"$output\"")")
aws batch submit-job --job-name softjac-finalize --job-queue "$queue" --job-definition "$definition" \
  --depends-on "jobId=$array" --query jobId --output text \
  --container-overrides "$(command "\"finalize\", \"$output\"")"
