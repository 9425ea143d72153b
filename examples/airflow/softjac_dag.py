"""Computes a dataset with Airflow 3: a plan task, 8 tasks that compute shards, and a finalize task.

Needs softjac on the PATH of every Airflow worker, and inputs and output on a file system that all of them share (or S3).
Change: INPUTS, OUTPUT, TASKS, the schedule and the number of retries.
Checked: run by the tests with a stub of Airflow (plan, shards, finalize, exit codes, on_kill). Not run by Airflow.
"""
import datetime
import subprocess

from airflow.sdk import DAG, BaseOperator

try:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
except ImportError:  # first releases of Airflow 3
    from airflow.exceptions import AirflowException, AirflowFailException

INPUTS, OUTPUT, TASKS = "/data/logits", "/data/jacobian", 8
# Usage, bad or missing input, internal error, output of another run, permissions, configuration: a retry would fail again.
# Everything else is retried: 69 (service unavailable), 74 (I/O error), 75 (stopped, progress saved), killed processes.
NO_RETRY = {64, 65, 66, 70, 73, 77, 78}


class Softjac(BaseOperator):
    """Runs softjac as a direct child process, without a shell, which would not pass SIGTERM on."""

    def __init__(self, *, arguments, **kwargs):
        super().__init__(**kwargs)
        self.arguments = arguments

    def execute(self, context):
        self.process = subprocess.Popen(["softjac", *self.arguments])
        code = self.process.wait()
        if code in NO_RETRY:
            raise AirflowFailException(f"softjac exited with {code}; not retried")
        if code != 0:
            raise AirflowException(f"softjac exited with {code}")

    def on_kill(self):
        # softjac saves its progress and exits within 25 s (--grace).
        self.process.terminate()


with DAG(
    "softjac",
    start_date=datetime.datetime(2026, 1, 1),
    schedule=None,
    catchup=False,
    default_args={"retries": 4, "retry_delay": datetime.timedelta(minutes=1)},
):
    plan = Softjac(task_id="plan", arguments=["plan", INPUTS, "-o", OUTPUT])
    shards = [
        Softjac(
            task_id=f"shards_{index}",
            arguments=["run-shard", "-o", OUTPUT, "--shard-index", str(index), "--shard-count", str(TASKS)],
        )
        for index in range(TASKS)
    ]
    finalize = Softjac(task_id="finalize", arguments=["finalize", OUTPUT])
    plan >> shards >> finalize
