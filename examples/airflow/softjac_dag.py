"""A dataset by Airflow: plan, tasks, finalize. A retry goes on where the last try stopped."""
import datetime

from airflow import DAG
from airflow.operators.bash import BashOperator

INPUTS, OUTPUT, TASKS = "/data/logits", "/data/jacobian", 8
# 99 is Airflow's exit code for "skipped"; softjac has none of that number. Wrong options and bad input (64 to 73, 77, 78)
# would end the same again: two retries are for machines that die.
RETRY = {"retries": 2, "retry_delay": datetime.timedelta(minutes=1)}

with DAG("softjac", start_date=datetime.datetime(2026, 1, 1), schedule=None, catchup=False, default_args=RETRY):
    plan = BashOperator(task_id="plan", bash_command=f"exec softjac plan {INPUTS} -o {OUTPUT}")
    shards = [
        BashOperator(
            task_id=f"shards_{index}",
            bash_command=f"exec softjac run-shard -o {OUTPUT} --shard-index {index} --shard-count {TASKS}",
        )
        for index in range(TASKS)
    ]
    finalize = BashOperator(task_id="finalize", bash_command=f"exec softjac finalize {OUTPUT}")
    plan >> shards >> finalize
