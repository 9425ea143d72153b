import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { CLI, softjacIn, typed } from "../cli/support.js";
import { built } from "../support/built.js";
import { commandsOf, pathOfExample, readExample } from "../support/examples.js";
import { rows } from "../support/input-runs.js";
import { workDirectory } from "../support/logits-input.js";
import { hasProgram } from "../support/machine.js";
import { expectStatus } from "./support.js";

// Runs the examples that need no container and no queue, with scripts in place of the schedulers.

const at = workDirectory();

/** Writes a script into a directory of programs, which is made if it is missing. */
function script(directory: string, name: string, text: string): void {
  fs.mkdirSync(at(directory), { recursive: true });
  fs.writeFileSync(join(at(directory), name), text, { mode: 0o755 });
}
const real = `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`;
script("bin", "softjac", real);
const env = { ...process.env, PATH: `${at("bin")}:${process.env.PATH}` };
const folder = at("logits");
fs.mkdirSync(folder);
await built.generate({ output: at("logits/a.arrow"), rows: 500, classes: 3 });

const bash = (args: string[], more: NodeJS.ProcessEnv = env) =>
  spawnSync("bash", args, { encoding: "utf8", env: more });
const python = (args: string[], more: NodeJS.ProcessEnv, path: string) =>
  spawnSync("python3", ["-B", ...args], {
    ...({ encoding: "utf8", env: { ...more, PYTHONPATH: path } } as const),
  });
const hasPython = hasProgram("python3");

function expectPublished(output: string) {
  expect(fs.existsSync(join(output, "_SUCCESS"))).toBe(true);
}

/** Replaces softjac by a script that appends its arguments to a file. */
function standIn(name: string, text: string) {
  const log = at(`${name}/log`);
  script(name, "softjac", `#!/bin/bash\necho "$@" >> "${log}"\n${text}\n`);
  return {
    env: { ...env, PATH: `${at(name)}:${env.PATH}` },
    calls: () => fs.readFileSync(log, "utf8").trim().split("\n").length,
  };
}

/** Saves its progress after SIGTERM. */
const UNTIL_SIGTERM = `trap "exit 75" TERM; echo started; while :; do sleep 0.05; done`;

describe("Slurm", () => {
  // Runs a job at once, and the tasks of an array from the last to the first.
  script(
    "bin",
    "sbatch",
    `#!/bin/bash
for word in "$@"; do
  case $word in
    --array=*) last=\${word#--array=0-} ;;
    --export=ALL,*) export "\${word#--export=ALL,}" ;;
    --*) ;;
    *) job=$word ;;
  esac
done
if [ -n "\${last:-}" ]; then
  export SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=$((last + 1)) SLURM_CPUS_PER_TASK=1
  for ((k = last; k >= 0; k--)); do SLURM_ARRAY_TASK_ID=$k bash "$job" >&2; done
else
  bash "$job" >&2
fi
echo 17
`,
  );
  const srun = `#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n`;
  script("bin", "srun", srun);
  script("bin", "scontrol", `#!/bin/sh\necho "scontrol $*"\n`);

  test("plan, array, finalize", () => {
    const output = at("slurm");
    const options = ["--shard-rows", "60", "--layout", "packed"];
    const submit = pathOfExample("slurm/submit.sh");
    const done = bash([submit, folder, output, "3", ...options]);
    expect(done.status, done.stderr).toBe(0);
    const { stdout } = typed`status ${output} --json`;
    const published = { status: "published", shards: 9, shardsDone: 9 };
    expect(JSON.parse(stdout)).toMatchObject(published);
  });

  test.each([
    [75, 0, "scontrol requeue 17_3\n"],
    [69, 9, "scontrol requeue 17_3\n"],
    [74, 10, ""],
    [65, 0, ""],
    [0, 0, ""],
  ])("exit code %i after %i restarts", (status, restarts, stdout) => {
    const { env } = standIn(`slurm-${status}`, `exit ${status}`);
    const slurm = {
      ...{ SOFTJAC_OUTPUT: "out", SLURM_CPUS_PER_TASK: "1" },
      ...{ SLURM_ARRAY_JOB_ID: "17", SLURM_ARRAY_TASK_ID: "3" },
      SLURM_RESTART_COUNT: `${restarts}`,
    };
    const job = pathOfExample("slurm/array.sbatch");
    const found = bash([job], { ...env, ...slurm });
    expect(found).toMatchObject({ status, stdout });
  });
});

test.each([
  [["cron/crontab"], {}],
  [["systemd/softjac.service"], {}],
  [
    ["kubernetes/job.yaml", "kubernetes/finalize.yaml"],
    { JOB_COMPLETION_INDEX: "0" },
  ],
])("the commands of %j", (files, variables) => {
  const cwd = dirname(folder);
  const where = { cwd, env: { PATH: env.PATH, ...variables } };
  for (const words of files.flatMap(commandsOf)) {
    const local = (word: string) =>
      word.replace(/^\/data\//, "").replace(/^8$/, "1");
    expectStatus(softjacIn(where, ...words.map(local)), 0);
  }
  expectPublished(join(cwd, "jacobian"));
  fs.rmSync(join(cwd, "jacobian"), { recursive: true });
});

test("AWS Batch: the jobs that are submitted", () => {
  const aws = `#!/bin/bash\nprintf '%s\\n' "$@" | tr '\\n' ' ' >> "$AWS_LOG"\necho >> "$AWS_LOG"\nwc -l < "$AWS_LOG"\n`;
  script("bin", "aws", aws);
  const log = at("aws.log");
  const args = ["queue", "softjac:1", "s3://b/in", "s3://b/out", "8"];
  const submit = pathOfExample("aws-batch/submit.sh");
  expect(bash([submit, ...args], { ...env, AWS_LOG: log }).status).toBe(0);
  const lines = fs.readFileSync(log, "utf8").trim().split("\n");
  const commands = lines.map((line) => {
    const [, json = ""] = /--container-overrides (\{.*?\}) /.exec(line) ?? [];
    return JSON.parse(json).command.join(" ");
  });
  expect(commands).toEqual([
    "plan s3://b/in -o s3://b/out",
    "run-shard -o s3://b/out",
    "finalize s3://b/out",
  ]);
  for (const line of lines) expect(line).toContain("evaluateOnExit");
  expect(lines[1]).toContain("--array-properties size=8 --depends-on jobId=1");
  expect(lines[2]).toContain("--depends-on jobId=2");
});

describe("snakemake/retry.sh", () => {
  const retry = pathOfExample("snakemake/retry.sh");

  const counts = rows("65 1; 0 1; 75 3");
  test.each(counts)("exit code %i: %i attempts", (code, attempts) => {
    const { env, calls } = standIn(`retry-${code}`, `exit ${code}`);
    expect(bash([retry, "3", "0", "softjac", "run"], env).status).toBe(code);
    expect(calls()).toBe(attempts);
  });

  // It reports on standard error that it waits.
  test.each([
    ["an attempt is forwarded", UNTIL_SIGTERM, "0", "stdout", 75],
    ["two attempts ends it", "exit 74", "600", "stderr", 74],
  ] as const)("SIGTERM during %s", async (...row) => {
    const [name, text, pause, stream, expected] = row;
    const { env, calls } = standIn(`retry-${name}`, text);
    const args = [retry, "3", pause, "softjac", "run"];
    const child = spawn("bash", args, { env });
    await once(child[stream], "data");
    child.kill("SIGTERM");
    expect((await once(child, "exit"))[0]).toBe(expected);
    expect(calls()).toBe(1);
    for (const output of [child.stdout, child.stderr]) output.destroy();
  });
});

test.skipIf(!hasProgram("snakemake"))("Snakemake: a whole workflow", () => {
  const output = at("snakemade");
  const args = [
    ...["--snakefile", pathOfExample("snakemake/Snakefile")],
    ...["--directory", at("."), "--cores", "2"],
    ...["--config", `inputs=${folder}`, `output=${output}`, "tasks=2"],
  ];
  execFileSync("snakemake", args, { env, stdio: "pipe" });
  expectPublished(output);
});

describe.skipIf(!hasPython)("Airflow", () => {
  const dags = at("dags");
  script("dags/airflow", "__init__.py", "");
  script(
    "dags/airflow/sdk",
    "__init__.py",
    `tasks = []
class DAG:
    def __init__(self, dag_id, **options): pass
    def __enter__(self): pass
    def __exit__(self, *error): pass
class BaseOperator:
    def __init__(self, *, task_id): self.task_id, self.after = task_id, []; tasks.append(self)
    def __rshift__(self, others):
        for other in others: other.after.append(self)
        return others
    def __rrshift__(self, others): self.after += others
`,
  );
  script(
    "dags/airflow/sdk",
    "exceptions.py",
    "class AirflowException(Exception): pass\nclass AirflowFailException(AirflowException): pass\n",
  );
  const settings = `INPUTS, OUTPUT, TASKS = "${folder}", "${at("airflown")}", 2`;
  const example = readExample("airflow/softjac_dag.py");
  const dag = example.replace(/^INPUTS, OUTPUT, TASKS = .*/m, settings);
  script("dags", "softjac_dag.py", dag);
  const airflow = (text: string, more: NodeJS.ProcessEnv) => {
    const code = `import softjac_dag\nfrom airflow.sdk import tasks\n${text}`;
    return python(["-c", code], more, dags);
  };
  const attempt = `try: tasks[0].execute({})
except Exception as error: print(type(error).__name__)`;

  test("plan, shards, finalize", () => {
    const text = `assert [len(task.after) for task in tasks] == [0, 1, 1, 2]
for task in tasks: task.execute({})`;
    const { status, stderr } = airflow(text, env);
    expect(status, stderr).toBe(0);
    expectPublished(at("airflown"));
  });

  test.each([
    [65, "AirflowFailException\n"],
    [75, "AirflowException\n"],
  ])("exit code %i: %s", (code, expected) => {
    const { env } = standIn(`airflow-${code}`, `exit ${code}`);
    expect(airflow(attempt, env).stdout).toBe(expected);
  });

  test("on_kill sends SIGTERM to softjac", () => {
    const kill =
      "import threading; threading.Timer(0.5, tasks[0].on_kill).start()";
    const { env } = standIn("airflow-kill", UNTIL_SIGTERM);
    const { stdout } = airflow(`${kill}\n${attempt}`, env);
    expect(stdout).toBe("started\nAirflowException\n");
  });
});

describe.skipIf(!hasPython)("Ray", () => {
  script(
    "ray",
    "ray.py",
    `class remote:
    def __init__(self, **options): self.options = options
    def __call__(self, function): self.function = function; return self
    def remote(self, *arguments):
        for attempt in range(self.options["max_retries"] + 1):
            try: return self.function(*arguments)
            except tuple(self.options["retry_exceptions"]) as error: last = error
        raise last
def init(): pass
def get(results): return results
`,
  );
  const ray = (output: string, more: NodeJS.ProcessEnv) => {
    const example = pathOfExample("ray/softjac_ray.py");
    return python([example, folder, output, "2"], more, at("ray"));
  };

  test("plan, shards, finalize", () => {
    const { status, stderr } = ray(at("rayed"), env);
    expect(status, stderr).toBe(0);
    expectPublished(at("rayed"));
  });

  const counts = rows("65 1; 75 5");
  test.each(counts)("exit code %i: %i attempts", (code, attempts = 0) => {
    const text = `[ "$1" = plan ] || exit ${code}`;
    const { env, calls } = standIn(`ray-${code}`, text);
    expect(ray("out", env).status).toBe(1);
    expect(calls()).toBe(1 + attempts);
  });
});
