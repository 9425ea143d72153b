"""Computes a dataset with Ray: plans it, computes shards in Ray tasks, and publishes it.

    python softjac_ray.py INPUTS OUTPUT [TASKS]

Needs softjac on the PATH of every node, and inputs and output on a file system that all of them share (or S3).
Change: CPUS, the number of retries, and ray.init() for your cluster. To resume, run the same command again.
Checked: run on one node with Ray 2.58, including a retry after 75 and no retry after 65; run by the tests with a
stub of Ray.
"""
import subprocess
import sys

import ray

CPUS = 2
# Usage, bad or missing input, internal error, output of another run, permissions, configuration: a retry would fail again.
# Everything else is retried: 69 (service unavailable), 74 (I/O error), 75 (stopped, progress saved), killed processes.
NO_RETRY = {64, 65, 66, 70, 73, 77, 78}


class Retry(Exception):
    """Tells Ray to run the task again."""


def softjac(*arguments):
    process = subprocess.Popen(["softjac", *arguments])
    try:
        code = process.wait()
    except BaseException:
        # Ray cancels a task by raising an exception in it. softjac saves its progress and exits within 25 s (--grace).
        process.terminate()
        process.wait()
        raise
    if code in NO_RETRY:
        raise RuntimeError(f"softjac exited with {code}; not retried")
    if code != 0:
        raise Retry(f"softjac exited with {code}")


@ray.remote(num_cpus=CPUS, max_retries=4, retry_exceptions=[Retry])
def shards(output, index, count):
    softjac("run-shard", "-o", output, "--shard-index", str(index), "--shard-count", str(count), "--threads", str(CPUS))


if __name__ == "__main__":
    inputs, output, tasks = sys.argv[1], sys.argv[2], int((sys.argv[3:] or ["8"])[0])
    softjac("plan", inputs, "-o", output)
    ray.init()
    ray.get([shards.remote(output, index, tasks) for index in range(tasks)])
    softjac("finalize", output)
