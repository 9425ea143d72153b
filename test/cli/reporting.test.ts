import fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { start } from "../queue/processes.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { DIGITS, softjac, typed } from "./support.js";

// Log lines on standard error, and files with reports and metrics.

const at = workDirectory();
const folder = at("logits");
fs.mkdirSync(folder);
for (const [seed, name] of ["a", "b"].entries())
  await built.generate({
    output: join(folder, `${name}.arrow`),
    // Smaller shards than these of 8 MB are computed without threads.
    ...{ rows: 200, classes: 100, seed },
  });
const report = at("report.json");
const metrics = at("metrics.prom");
const FILES = ["--report", report, "--metrics", metrics];
const reported = () => JSON.parse(fs.readFileSync(report, "utf8"));
const jsonLines = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const METRIC =
  /^# HELP ([a-zA-Z_:][\w:]*) \S.*\n# TYPE \1 gauge\n\1\{[a-z]+="(?:[^"\\\n]|\\[\\n"])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\n"])*")*\} (-?\d\S*)\n/gm;

/** Parses the metrics file, which is in Prometheus' text format. */
function measured(): Record<string, number> {
  const text = fs.readFileSync(metrics, "utf8");
  expect(text.replace(METRIC, "")).toBe("");
  const found = [...text.matchAll(METRIC)].map(([, name = "", value]) => [
    name.replace("softjac_", ""),
    Number(value),
  ]);
  expect(new Set(found.map(([name]) => name)).size).toBe(found.length);
  return Object.fromEntries(found);
}

test("--log-format json prints only JSON lines on standard error", () => {
  const { status, stderr, stdout } = typed`run ${folder} -o ${at("json")}/
    --shard-rows 100 --log-format json`;
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  const [logits, ...lines] = jsonLines(stderr);
  expect(logits).toMatchObject({
    msg: "logits",
    level: "info",
    column: "logits",
  });
  const [{ fingerprint: run }, first] = lines;
  expect(run).toMatch(/^[0-9a-f]{16}$/);
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
  const all = { level: "info", run, time };
  expect(lines).toMatchObject([
    { ...all, msg: "planned" },
    ...Array(4).fill({ ...all, msg: "shard completed" }),
    { ...all, msg: "published" },
    { ...all, msg: "done", report: { status: "done", rowsComputed: 400 } },
  ]);
  expect(first).toMatchObject({
    ...{ shard: 0, file: "part-00000-of-00004.arrow", input: "a.arrow" },
    ...{ rows: 100, badRows: 0, durationMs: expect.any(Number) },
  });
});

test("failures are JSON lines; --quiet prints errors only", () => {
  const failed = typed`run ${at("none")} -o ${at("none.arrow")} --quiet
    --log-format json`;
  expect(failed.status).toBe(66);
  expect(jsonLines(failed.stderr)).toMatchObject([
    { level: "error", code: "ERR_INPUT_MISSING", exitCode: 66 },
  ]);
  const { stderr } = typed`run ${DIGITS} -o ${at("quiet.arrow")} --quiet
    --log-format json`;
  expect(stderr).toBe("");
});

test("report and metrics of a run over a file", () => {
  const { status, stderr, stdout } = typed`run ${DIGITS} --json
    -o ${at('quo"te.arrow')} --report ${report} --metrics ${metrics}`;
  expect(status, stderr).toBe(0);
  const { started, ended, ...rest } = reported();
  expect(Date.parse(ended)).toBeGreaterThanOrEqual(Date.parse(started));
  const own = JSON.parse(stdout);
  expect(rest).toEqual({ command: "run", exitCode: 0, ...own });
  expect(measured()).toMatchObject({
    ...{ running: 0, exit_code: 0, rows: 1797, rows_done: 1797 },
    output_bytes: own.outputBytes,
  });
  expect(fs.readdirSync(at(".")).filter((n) => n.endsWith(".tmp"))).toEqual([]);
});

test("report and metrics of a dataset that fails, and of the run that continues it", () => {
  const inputs = at("half");
  fs.mkdirSync(inputs);
  fs.writeFileSync(join(inputs, "a.arrow"), fs.readFileSync(DIGITS));
  fs.writeFileSync(join(inputs, "b.arrow"), "ARROW1\0\0");
  const run = (more: string) => typed`run ${inputs} -o ${at("half-out")}/
    --shard-rows 600 --keep-going ${more} --report ${report} --metrics ${metrics}`;
  expect(run("--sync").status).toBe(65);
  expect(reported()).toMatchObject({
    ...{ command: "run", exitCode: 65, status: "failed", shardsComputed: 3 },
    skippedInputs: [{ name: "b.arrow" }],
    error: { code: "ERR_INPUTS_SKIPPED" },
  });
  expect(measured()).toMatchObject({
    ...{ exit_code: 65, shards: 3, shards_done: 3, skipped_inputs: 1 },
  });
  expect(run("--allow-missing").status).toBe(0);
  expect(reported()).toMatchObject({ status: "done", shardsUpToDate: 3 });
});

test("report and metrics are updated during a run, and when it is stopped", async () => {
  const { child, ended, said } = start(
    [
      ...["run", folder, "-o", `${at("stopped")}/`, "--shard-rows", "100"],
      ...["--threads", "2", "--chunk-rows", "10", "--grace", "0", ...FILES],
    ],
    {
      preload: ["../dataset/threads-that.mjs", "../cli/fast-heartbeat.mjs"],
      env: { THREADS_DO: "wait", THREADS_AT: ".arrow" },
    },
  );
  let found: Record<string, number> = { exit_code: 0 };
  while (!(found.exit_code === undefined && Number(found.shards_done) > 0)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (fs.existsSync(metrics)) found = measured();
  }
  expect(found).toMatchObject({ running: 1, shards: 4 });
  expect(found.rows_done).toBeGreaterThan(0);
  child.kill("SIGTERM");
  expect((await ended).code).toBe(75);
  expect(measured()).toMatchObject({ running: 0, exit_code: 75 });
  expect(reported()).toMatchObject({ status: "failed", exitCode: 75 });
  expect(said()).toMatch(
    /^\d+ of 400 rows, .* left, \d of 4 shards, \d+ rows\/s, .* of memory$/m,
  );
  expect(said()).toContain("softjac: stopping: the current shard is abandoned");
}, 30_000);

test.each([
  [],
  ["--quiet"],
  ["--log-format", "json"],
  ["--quiet", "--log-format", "json"],
])(
  "files that cannot be written are one warning each, and 74 if all else succeeded: %s %s %s",
  (...more) => {
    const output = at("unmeasured.arrow");
    const files = ["--metrics", at("no/metrics"), "--report", at("no/report")];
    const args = ["-o", output, "--force", ...files, ...more];
    const { status, stderr } = softjac("run", DIGITS, ...args);
    expect(status).toBe(74);
    expect(stderr.match(/\w+: could not be created: ENOENT/g)).toEqual([
      "metrics: could not be created: ENOENT",
      "report: could not be created: ENOENT",
    ]);
    expect(fs.existsSync(output)).toBe(true);
  },
);
