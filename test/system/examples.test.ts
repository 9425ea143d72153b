import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, type ExpectStatic, expect, test } from "vitest";
import { kebab } from "../../src/cli/command.js";
import { COMMANDS } from "../../src/cli/commands.js";
import {
  commandsOf,
  EXAMPLES,
  pathOfExample,
  readExample,
} from "../support/examples.js";
import { workDirectory } from "../support/logits-input.js";
import { hasProgram } from "../support/machine.js";

// Checks of all examples that need no run of softjac: commands, flags, syntax, and which exit codes are retried.

const at = workDirectory();

/** The softjac commands of each example, in the order of the file. */
const USED: Record<string, string[]> = {
  Dockerfile: [],
  "README.md": [],
  "airflow/softjac_dag.py": ["plan", "run-shard", "finalize"],
  "aws-batch/submit.sh": ["plan", "run-shard", "finalize"],
  "cron/crontab": ["run"],
  "kubernetes/finalize.yaml": ["finalize"],
  "kubernetes/job.yaml": ["plan", "run-shard"],
  "kubernetes/queue-workers.yaml": ["submit", "wait", "worker"],
  "nextflow/main.nf": ["plan", "run-shard", "finalize"],
  "newton-fit.mjs": ["reduce"],
  "notebook.mjs": ["run"],
  "queue/compose.yaml": ["submit", "worker", "wait"],
  "ray/softjac_ray.py": ["run-shard", "plan", "finalize"],
  "slurm/array.sbatch": ["run-shard"],
  "slurm/finalize.sbatch": ["finalize"],
  "slurm/submit.sh": ["plan"],
  "snakemake/Snakefile": ["plan", "run-shard", "finalize"],
  "snakemake/retry.sh": [],
  "systemd/softjac.service": ["run"],
  "systemd/softjac.timer": [],
};

test("every example is known to these tests, and has a row in its README", () => {
  expect(EXAMPLES).toEqual(Object.keys(USED).sort());
  const rows = readExample("README.md").match(/^\| `[^|]*/gm) ?? [];
  const named = [...rows.join().matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  expect(named.sort()).toEqual(EXAMPLES.filter((name) => name !== "README.md"));
});

test.each(Object.entries(USED))("the commands of %s", (name, expected) => {
  const text = readExample(name);
  const commands = commandsOf(name);
  expect(commands.map(([command]) => command)).toEqual(expected);
  for (const [command = "", ...words] of commands)
    expect(flagsOf(command)).toEqual(
      expect.arrayContaining(words.filter((word) => /^-{1,2}[a-z]/.test(word))),
    );
  // softjac comes from a tarball or the image. npx does not pass signals on.
  expect(text).not.toMatch(/\bnpx\b/);
  expect(text).not.toMatch(
    /(npm|pnpm|yarn|bun) (install|i|ci|add|exec)\b[^\n]*(?<![\w/.-])softjac(?![\w./*-])/,
  );
  if (!/README|notebook|newton/.test(name))
    expect(text.slice(0, 1800)).toMatch(/Change: .*Checked: /s);
});

test("the image starts softjac itself, as a user other than root", () => {
  const lines = readExample("Dockerfile").split("\n");
  expect(lines).toContain('ENTRYPOINT ["softjac"]');
  expect(lines).toContain("USER 1000");
  for (const name of ["kubernetes/job.yaml", "kubernetes/queue-workers.yaml"])
    expect(readExample(name)).not.toMatch(/^\s+command:/m);
});

describe.concurrent("syntax", () => {
  const shells = EXAMPLES.filter((name) => /\.(sh|sbatch)$/.test(name));
  test.for(shells)("bash -n %s", async (name, { expect }) => {
    await succeeds(expect, "bash", "-n", pathOfExample(name));
  });

  const pythons = EXAMPLES.filter((name) => name.endsWith(".py"));
  test.skipIf(!hasProgram("python3")).for(pythons)(
    "python3 compiles %s",
    async (name, { expect }) => {
      const script =
        "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')";
      await succeeds(expect, "python3", "-c", script, pathOfExample(name));
    },
  );

  test.skipIf(!hasProgram("systemd-analyze"))(
    "systemd-analyze verify",
    async ({ expect }) => {
      const [service, timer] = ["softjac.service", "softjac.timer"].map(
        (name) => {
          const text = readExample(`systemd/${name}`);
          // Verification looks for the program.
          const { execPath } = process;
          writeFileSync(
            at(name),
            text.replace("/usr/local/bin/softjac", execPath),
          );
          return at(name);
        },
      ) as [string, string];
      const args = ["verify", service, timer];
      const { stderr } = await succeeds(expect, "systemd-analyze", ...args);
      // Other units of the machine may have warnings.
      expect(stderr).not.toContain("softjac");
    },
  );
});

const RETRIED = [69, 74, 75];
const NOT_RETRIED = [64, 65, 66, 70, 73, 77, 78];

/** Whether an example's scheduler starts softjac again after an exit code. */
const DECISIONS: Record<string, (text: string) => (code: number) => boolean> = {
  "airflow/softjac_dag.py": noRetrySet,
  "ray/softjac_ray.py": noRetrySet,
  "aws-batch/submit.sh": (text) => {
    const [, json = ""] = /^retry='([^']*)'/m.exec(text) ?? [];
    const rules: { onExitCode: string; action: string }[] =
      JSON.parse(json).evaluateOnExit;
    expect(rules.length).toBeLessThanOrEqual(5);
    return (code) => {
      const rule = rules.find(({ onExitCode: glob }) =>
        glob.endsWith("*")
          ? String(code).startsWith(glob.slice(0, -1))
          : String(code) === glob,
      );
      return (rule?.action ?? "RETRY") === "RETRY";
    };
  },
  "kubernetes/finalize.yaml": podFailurePolicy,
  "kubernetes/job.yaml": podFailurePolicy,
  "nextflow/main.nf": (text) => {
    const found = [...text.matchAll(/exitStatus in \[(.*)\] \? 'finish'/g)];
    expect(found).toHaveLength(3);
    expect(new Set(found.map(([, codes]) => codes)).size).toBe(1);
    return (code) => !numbersOf(found[0]?.[1]).includes(code);
  },
  "slurm/array.sbatch": shellCase,
  "snakemake/retry.sh": shellCase,
  "systemd/softjac.service": (text) => {
    const [, codes] = /^RestartForceExitStatus=(.*)/m.exec(text) ?? [];
    return (code) => numbersOf(codes).includes(code);
  },
};

test.each(Object.keys(DECISIONS))(
  "%s: which exit codes are retried",
  (name) => {
    const isRetried = DECISIONS[name]?.(readExample(name));
    const codes = [...RETRIED, ...NOT_RETRIED];
    expect(codes.filter((code) => isRetried?.(code))).toEqual(RETRIED);
  },
);

/** Runs a program that must succeed. Concurrent tests have an `expect` of their own. */
async function succeeds(
  expectThat: ExpectStatic,
  program: string,
  ...args: string[]
) {
  const { code, ...output } = await promisify(execFile)(program, args).then(
    (output) => ({ ...output, code: 0 }),
    (error) => error,
  );
  expectThat(code, output.stderr).toBe(0);
  return output;
}

/** Returns all flags of a command. */
function flagsOf(name: string): string[] {
  const command = COMMANDS.find((command) => command.name === name);
  return (command?.options ?? []).flatMap(({ name, alias, kind }) => [
    `--${kebab(name)}`,
    ...(alias ? [`-${alias}`] : []),
    ...(kind === "boolean" ? [`--no-${kebab(name)}`] : []),
  ]);
}

function numbersOf(text = ""): number[] {
  return (text.match(/\d+/g) ?? []).map(Number);
}

function noRetrySet(text: string) {
  const [, codes] = /^NO_RETRY = \{(.*)\}/m.exec(text) ?? [];
  return (code: number) => !numbersOf(codes).includes(code);
}

function podFailurePolicy(text: string) {
  const fails = [...text.matchAll(/onExitCodes: .*values: \[(.*)\]/g)].flatMap(
    ([, codes]) => numbersOf(codes),
  );
  return (code: number) => !fails.includes(code);
}

function shellCase(text: string) {
  const [, codes] = /^ +([\d |]+)\)/m.exec(text) ?? [];
  return (code: number) => numbersOf(codes).includes(code);
}
