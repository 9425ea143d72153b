import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { commandsOf, pathOfExample, readExample } from "../support/examples.js";
import { workDirectory } from "../support/logits-input.js";
import { hasProgram } from "../support/machine.js";

// Runs the examples that need no container and no queue, with stand-ins for the schedulers.

const at = workDirectory();
const bin = at("bin");
mkdirSync(bin);
function script(name: string, text: string): string {
  writeFileSync(join(bin, name), text);
  chmodSync(join(bin, name), 0o755);
  return join(bin, name);
}
script("softjac", `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`);
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
const folder = at("logits");
mkdirSync(folder);
await built.generate({
  output: join(folder, "a.arrow"),
  rows: 500,
  classes: 3,
});

/** Puts a softjac before the real one that appends its arguments to a file and runs a script. */
function standIn(name: string, text: string) {
  const directory = at(name);
  mkdirSync(directory);
  const log = join(directory, "log");
  writeFileSync(
    join(directory, "softjac"),
    `#!/bin/bash\necho "$@" >> "${log}"\n${text}\n`,
  );
  chmodSync(join(directory, "softjac"), 0o755);
  return {
    env: { ...env, PATH: `${directory}:${env.PATH}` },
    calls: () =>
      existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [],
  };
}

/** Saves its progress after SIGTERM. */
const UNTIL_SIGTERM = `trap "exit 75" TERM; echo started; while :; do sleep 0.05; done`;

describe("Slurm", () => {
  // Runs a job at once, and the tasks of an array from the last to the first.
  script(
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
  script(
    "srun",
    `#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n`,
  );
  script("scontrol", `#!/bin/sh\necho "scontrol $*"\n`);

  test("plan, array, finalize", () => {
    const output = at("slurm");
    const options = ["--shard-rows", "60", "--layout", "packed"];
    execFileSync(
      "bash",
      [pathOfExample("slurm/submit.sh"), folder, output, "3", ...options],
      { env, stdio: "pipe" },
    );
    expect(existsSync(join(output, "_SUCCESS"))).toBe(true);
    const status = softjac("status", output, "--json");
    expect(JSON.parse(status.stdout)).toMatchObject({
      status: "published",
      shards: 9,
      shardsDone: 9,
    });
  });

  test.each([
    [75, 0, "scontrol requeue 17_3\n"],
    [69, 9, "scontrol requeue 17_3\n"],
    [74, 10, ""],
    [65, 0, ""],
    [0, 0, ""],
  ])("exit code %i after %i restarts", (code, restarts, requeued) => {
    const { env } = standIn(`slurm-${code}`, `exit ${code}`);
    const { status, stdout } = spawnSync(
      "bash",
      [pathOfExample("slurm/array.sbatch")],
      {
        encoding: "utf8",
        env: {
          ...env,
          SOFTJAC_OUTPUT: "out",
          SLURM_CPUS_PER_TASK: "1",
          SLURM_ARRAY_JOB_ID: "17",
          SLURM_ARRAY_TASK_ID: "3",
          SLURM_RESTART_COUNT: String(restarts),
        },
      },
    );
    expect(status).toBe(code);
    expect(stdout).toBe(requeued);
  });
});

test.each([
  ["cron/crontab", {}],
  ["systemd/softjac.service", {}],
  ["kubernetes", { JOB_COMPLETION_INDEX: "0" }],
])("the commands of %s", (name, variables) => {
  const files =
    name === "kubernetes"
      ? ["kubernetes/job.yaml", "kubernetes/finalize.yaml"]
      : [name];
  const cwd = dirname(folder);
  for (const [command = "", ...words] of files.flatMap(commandsOf)) {
    const args = words.map((word) =>
      word.replace(/^\/data\//, "").replace(/^8$/, "1"),
    );
    const { status, stderr } = spawnSync(
      process.execPath,
      [CLI, command, ...args],
      {
        cwd,
        encoding: "utf8",
        env: { ...env, ...variables },
      },
    );
    expect(status, `${command}: ${stderr}`).toBe(0);
  }
  expect(existsSync(join(cwd, "jacobian", "_SUCCESS"))).toBe(true);
  rmSync(join(cwd, "jacobian"), { recursive: true });
});

test("AWS Batch: the jobs that are submitted", () => {
  script(
    "aws",
    `#!/bin/bash\nprintf '%s\\n' "$@" | tr '\\n' ' ' >> "$AWS_LOG"\necho >> "$AWS_LOG"\nwc -l < "$AWS_LOG"\n`,
  );
  const log = at("aws.log");
  const args = ["queue", "softjac:1", "s3://b/in", "s3://b/out", "8"];
  execFileSync("bash", [pathOfExample("aws-batch/submit.sh"), ...args], {
    env: { ...env, AWS_LOG: log },
    stdio: "pipe",
  });
  const lines = readFileSync(log, "utf8").trim().split("\n");
  const commands = lines.map((line) => {
    const [, json] = /--container-overrides (\{.*?\}) /.exec(line) ?? [];
    return JSON.parse(json as string).command;
  });
  expect(commands).toEqual([
    ["plan", "s3://b/in", "-o", "s3://b/out"],
    ["run-shard", "-o", "s3://b/out"],
    ["finalize", "s3://b/out"],
  ]);
  for (const line of lines) expect(line).toContain("evaluateOnExit");
  expect(lines[1]).toContain("--array-properties size=8 --depends-on jobId=1");
  expect(lines[2]).toContain("--depends-on jobId=2");
});

describe("snakemake/retry.sh", () => {
  const retry = pathOfExample("snakemake/retry.sh");

  test.each([
    [65, 65, 1],
    [0, 0, 1],
    [75, 75, 3],
  ])("exit code %i: %i after %i attempts", (code, expected, attempts) => {
    const { env, calls } = standIn(`retry-${code}`, `exit ${code}`);
    const { status } = spawnSync("bash", [retry, "3", "0", "softjac", "run"], {
      env,
    });
    expect(status).toBe(expected);
    expect(calls()).toHaveLength(attempts);
  });

  test("SIGTERM is forwarded, and nothing is tried again", async () => {
    const { env, calls } = standIn("retry-sigterm", UNTIL_SIGTERM);
    const child = spawn("bash", [retry, "3", "0", "softjac", "run"], { env });
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    const [code] = await once(child, "close");
    expect(code).toBe(75);
    expect(calls()).toHaveLength(1);
  });

  test("SIGTERM between two attempts ends it", async () => {
    const { env, calls } = standIn("retry-between", "exit 74");
    const child = spawn("bash", [retry, "3", "600", "softjac", "run"], { env });
    // It says on standard error that it waits.
    await once(child.stderr, "data");
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    expect(code).toBe(74);
    expect(calls()).toHaveLength(1);
    child.stdout.destroy();
    child.stderr.destroy();
  });
});

test.skipIf(!hasProgram("snakemake"))("Snakemake: a whole workflow", () => {
  const output = at("snakemade");
  execFileSync(
    "snakemake",
    [
      ...["--snakefile", pathOfExample("snakemake/Snakefile")],
      ...["--directory", at("."), "--cores", "2"],
      ...["--config", `inputs=${folder}`, `output=${output}`, "tasks=2"],
    ],
    { env, stdio: "pipe" },
  );
  expect(existsSync(join(output, "_SUCCESS"))).toBe(true);
});

describe.skipIf(!hasProgram("python3"))("Airflow", () => {
  const dags = at("dags");
  mkdirSync(join(dags, "airflow/sdk"), { recursive: true });
  writeFileSync(join(dags, "airflow/__init__.py"), "");
  writeFileSync(
    join(dags, "airflow/sdk/__init__.py"),
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
  writeFileSync(
    join(dags, "airflow/sdk/exceptions.py"),
    "class AirflowException(Exception): pass\nclass AirflowFailException(AirflowException): pass\n",
  );
  writeFileSync(
    join(dags, "softjac_dag.py"),
    readExample("airflow/softjac_dag.py").replace(
      /^INPUTS, OUTPUT, TASKS = .*/m,
      `INPUTS, OUTPUT, TASKS = "${folder}", "${at("airflown")}", 2`,
    ),
  );
  const airflow = (text: string, options: { env: NodeJS.ProcessEnv }) =>
    spawnSync(
      "python3",
      [
        "-B",
        "-c",
        `import softjac_dag\nfrom airflow.sdk import tasks\n${text}`,
      ],
      {
        encoding: "utf8",
        env: { ...options.env, PYTHONPATH: dags },
      },
    );
  const attempt = `try: tasks[0].execute({})
except Exception as error: print(type(error).__name__)`;

  test("plan, shards, finalize", () => {
    const { status, stderr } = airflow(
      `assert [len(task.after) for task in tasks] == [0, 1, 1, 2]
for task in tasks: task.execute({})`,
      { env },
    );
    expect(status, stderr).toBe(0);
    expect(existsSync(join(at("airflown"), "_SUCCESS"))).toBe(true);
  });

  test.each([
    [65, "AirflowFailException\n"],
    [75, "AirflowException\n"],
  ])("exit code %i: %s", (code, expected) => {
    const { stdout } = airflow(attempt, standIn(`af-${code}`, `exit ${code}`));
    expect(stdout).toBe(expected);
  });

  test("on_kill sends SIGTERM to softjac", () => {
    const { stdout } = airflow(
      `import threading; threading.Timer(0.5, tasks[0].on_kill).start()\n${attempt}`,
      standIn("af-kill", UNTIL_SIGTERM),
    );
    expect(stdout).toBe("started\nAirflowException\n");
  });
});

describe.skipIf(!hasProgram("python3"))("Ray", () => {
  const modules = at("ray");
  mkdirSync(modules);
  writeFileSync(
    join(modules, "ray.py"),
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
  const ray = (output: string, env: NodeJS.ProcessEnv) =>
    spawnSync(
      "python3",
      ["-B", pathOfExample("ray/softjac_ray.py"), folder, output, "2"],
      { encoding: "utf8", env: { ...env, PYTHONPATH: modules } },
    );

  test("plan, shards, finalize", () => {
    const { status, stderr } = ray(at("rayed"), env);
    expect(status, stderr).toBe(0);
    expect(existsSync(join(at("rayed"), "_SUCCESS"))).toBe(true);
  });

  test.each([
    [65, 1],
    [75, 5],
  ])("exit code %i of run-shard: %i attempts", (code, attempts) => {
    const { env, calls } = standIn(
      `ray-${code}`,
      `[ "$1" = plan ] || exit ${code}`,
    );
    expect(ray("out", env).status).toBe(1);
    expect(calls()).toHaveLength(1 + attempts);
  });
});
