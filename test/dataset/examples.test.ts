import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const bin = at("bin");
mkdirSync(bin);
const script = (name: string, text: string) => {
  writeFileSync(join(bin, name), text);
  chmodSync(join(bin, name), 0o755);
};
script("softjac", `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`);
/** Carries jobs out where it stands, an array's tasks last to first. */
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
  export SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=$((last + 1))
  for ((k = last; k >= 0; k--)); do SLURM_ARRAY_TASK_ID=$k bash "$job" >&2; done
else
  bash "$job" >&2
fi
echo 17
`,
);
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
const folder = at("logits");
mkdirSync(folder);
await built.generate({
  output: join(folder, "a.arrow"),
  rows: 500,
  classes: 3,
});

test("Slurm: plan, array, finalize", () => {
  const output = at("slurm");
  const submit = join(examples, "slurm/submit.sh");
  execFileSync(
    "bash",
    [submit, folder, output, "3", "--shard-rows", "60", "--layout", "packed"],
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

/** The lines of softjac in an example, with its own paths. */
function commandsOf(name: string): string[] {
  const text = readFileSync(join(examples, name), "utf8");
  return [
    ...text.matchAll(
      /(?:&& |ExecStart=\S*\/|exec (?:node_modules\/\.bin\/)?)(softjac [^\n"]*)/g,
    ),
  ].map(([, line]) =>
    (line as string)
      .replaceAll(/\{INPUTS\}/g, "logits")
      .replaceAll(/\{OUTPUT\}|\/data\/jacobian/g, "jacobian")
      .replaceAll(/\{index\}/g, "0")
      .replaceAll(/\{TASKS\}/g, "1"),
  );
}

test.each([
  ["cron/crontab", 1],
  ["systemd/softjac.service", 1],
  ["kubernetes/job.yaml", 1],
  ["airflow/softjac_dag.py", 3],
])("the commands of %s", (name, count) => {
  const commands = commandsOf(name);
  expect(commands).toHaveLength(count);
  const cwd = dirname(folder);
  const kubernetes = name.startsWith("kubernetes");
  if (kubernetes)
    expect(softjac("plan", folder, "-o", join(cwd, "jacobian")).status).toBe(0);
  for (const command of commands) {
    const { status, stderr } = spawnSync("bash", ["-c", command], {
      cwd,
      encoding: "utf8",
      env: { ...env, ...(kubernetes && { JOB_COMPLETION_INDEX: "0" }) },
    });
    expect(status, `${command}: ${stderr}`).toBe(0);
  }
  if (kubernetes)
    expect(softjac("finalize", join(cwd, "jacobian")).status).toBe(0);
  expect(existsSync(join(cwd, "jacobian", "_SUCCESS"))).toBe(true);
  execFileSync("rm", ["-rf", join(cwd, "jacobian")]);
});

test("AWS Batch: what it submits", () => {
  script("aws", '#!/bin/sh\necho "$@" >> "$AWS_LOG"\necho id-1\n');
  const log = at("aws.log");
  execFileSync(
    "bash",
    [
      join(examples, "aws-batch/submit.sh"),
      "queue",
      "softjac:1",
      "/d/out",
      "8",
    ],
    { env: { ...env, AWS_LOG: log }, stdio: "pipe" },
  );
  const lines = readFileSync(log, "utf8").trim().split("\n");
  expect(lines).toHaveLength(2);
  const commands = lines.map((line) => {
    const [, json] = /--container-overrides (\{.*\})/.exec(line) ?? [];
    return JSON.parse(json as string).command;
  });
  expect(commands).toEqual([
    ["softjac", "run-shard", "-o", "/d/out"],
    ["softjac", "finalize", "/d/out"],
  ]);
  expect(lines[0]).toContain("--array-properties size=8");
  expect(lines[1]).toContain("--depends-on jobId=id-1");
});
