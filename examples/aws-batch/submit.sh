#!/bin/bash
# Computes a dataset with AWS Batch: a plan job, an array job that depends on it, and a finalize job.
#   usage: submit.sh QUEUE JOB_DEFINITION INPUTS OUTPUT TASKS
#   e.g.:  submit.sh spot softjac:1 s3://bucket/logits s3://bucket/jacobian 16
# Needs a job definition with the image of ../Dockerfile and a job role that may list, read and write the bucket. (With
# EFS or FSx mounted in the job definition, INPUTS and OUTPUT may be paths.)
# Change: the arguments; add options (--layout, ...) to the plan below. To resume, run the same command again.
# Checked: bash -n, and run by the tests with a fake aws command. Not run on AWS.
set -euo pipefail
queue=$1 definition=$2 inputs=$3 output=$4 tasks=$5

# AWS Batch allows five conditions; the first that matches decides, and a job that matches none is retried (killed, or its
# host was reclaimed). Retried: 69 (service unavailable), 74 (I/O error), 75 (stopped, progress saved). Not retried: other
# codes that start with 6 or 7 (bad input, permissions, configuration, ...).
retry='{"attempts": 5, "evaluateOnExit": [
  {"onExitCode": "69", "action": "RETRY"},
  {"onExitCode": "6*", "action": "EXIT"},
  {"onExitCode": "74", "action": "RETRY"},
  {"onExitCode": "75", "action": "RETRY"},
  {"onExitCode": "7*", "action": "EXIT"}]}'

# submit NAME ARGUMENTS [OPTIONS...]: the arguments follow the image's ENTRYPOINT, which is softjac.
submit() {
  aws batch submit-job --job-name "$1" --job-queue "$queue" --job-definition "$definition" \
    --retry-strategy "$retry" --container-overrides "{\"command\": [$2]}" "${@:3}" --query jobId --output text
}

plan=$(submit softjac-plan "\"plan\", \"$inputs\", \"-o\", \"$output\"")
# run-shard reads AWS_BATCH_JOB_ARRAY_INDEX and AWS_BATCH_JOB_ARRAY_SIZE.
array=$(submit softjac-shards "\"run-shard\", \"-o\", \"$output\"" --array-properties "size=$tasks" --depends-on "jobId=$plan")
submit softjac-finalize "\"finalize\", \"$output\"" --depends-on "jobId=$array"
