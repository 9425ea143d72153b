"""A dataset by Ray. usage: softjac_ray.py INPUTS OUTPUT [TASKS]"""
import subprocess
import sys

import ray

inputs, output, tasks = sys.argv[1], sys.argv[2], int((sys.argv[3:] or ["8"])[0])


@ray.remote(num_cpus=2, max_retries=4, retry_exceptions=True)
def shards(index):
    command = ["softjac", "run-shard", "-o", output, "--threads", "2"]
    part = ["--shard-index", str(index), "--shard-count", str(tasks)]
    subprocess.run([*command, *part], check=True)


subprocess.run(["softjac", "plan", inputs, "-o", output], check=True)
ray.init()
ray.get([shards.remote(index) for index in range(tasks)])
subprocess.run(["softjac", "finalize", output], check=True)
