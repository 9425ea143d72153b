import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { CLI, DIGITS, softjac } from "./support.js";

// Log lines on standard error, and files with reports and metrics.

const at = workDirectory();
const folder = at("logits");
mkdirSync(folder);
for (const [seed, name] of ["a", "b"].entries())
  await built.generate({
    output: join(folder, `${name}.arrow`),
    rows: 200,
    // Smaller shards than these of 8 MB are computed without threads.
    classes: 100,
    seed,
  });
let names = 0;
const newOutput = () => `${at(`out-${names++}`)}/`;
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const jsonLines = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** Parses Prometheus' text format. */
function metricsOf(text: string): Record<string, number> {
  const types = new Set<string>();
  const found: Record<string, number> = {};
  expect(text.endsWith("\n")).toBe(true);
  for (const line of text.trimEnd().split("\n")) {
    const [, comment, about] =
      /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) \S/.exec(line) ?? [];
    if (comment) {
      if (comment === "TYPE") types.add(about as string);
      continue;
    }
    const [, name, value] =
      /^([a-zA-Z_:][\w:]*)\{[a-z]+="(?:[^"\\\n]|\\[\\n"])*"(?:,[a-z]+="(?:[^"\\\n]|\\[\\n"])*")*\} (-?\d\S*)$/.exec(
        line,
      ) ?? [];
    expect(name, line).toBeDefined();
    expect(types.has(name as string), line).toBe(true);
    expect(found[name as string], line).toBeUndefined();
    found[name as string] = Number(value);
  }
  return found;
}

test("--log-format json prints only JSON lines on standard error", () => {
  const output = newOutput();
  const args = ["run", folder, "-o", output, "--shard-rows", "100"];
  const { status, stderr, stdout } = softjac(...args, "--log-format", "json");
  expect(status).toBe(0);
  expect(stdout).toBe("");
  const lines = jsonLines(stderr);
  expect(lines.map(({ msg }) => msg)).toEqual([
    "logits",
    "planned",
    ...[
      "shard completed",
      "shard completed",
      "shard completed",
      "shard completed",
    ],
    "published",
    "done",
  ]);
  const [logits, ...others] = lines;
  expect(logits).toMatchObject({ level: "info", column: "logits" });
  const run = others[0].fingerprint;
  expect(run).toMatch(/^[0-9a-f]{16}$/);
  for (const line of others) {
    expect(line).toMatchObject({ level: "info", run });
    expect(Date.parse(line.time)).toBeGreaterThan(0);
  }
  expect(others[1]).toMatchObject({
    shard: 0,
    file: "part-00000-of-00004.arrow",
    input: "a.arrow",
    rows: 100,
    badRows: 0,
    durationMs: expect.any(Number),
  });
  expect(lines.at(-1).report).toMatchObject({
    status: "done",
    rowsComputed: 400,
  });
});

test("failures are JSON lines; --quiet prints errors only", () => {
  const missing = ["run", at("none"), "-o", at("none.arrow")];
  const failed = softjac(...missing, "--log-format", "json", "--quiet");
  expect(failed.status).toBe(66);
  expect(jsonLines(failed.stderr)).toMatchObject([
    { level: "error", code: "ERR_INPUT_MISSING", exitCode: 66 },
  ]);
  const done = ["run", DIGITS, "-o", at("quiet.arrow"), "--quiet"];
  expect(softjac(...done, "--log-format", "json").stderr).toBe("");
});

describe("report and metrics files", () => {
  const files = () => {
    const n = names++;
    const [report, metrics] = [at(`r${n}`), at(`m${n}`)];
    const args = ["--report", report, "--metrics", metrics];
    return { report, metrics, args };
  };

  test("of a run over a file", () => {
    const { report, metrics, args } = files();
    const output = at('quo"te.arrow');
    const made = softjac("run", DIGITS, "-o", output, "--json", ...args);
    expect(made.status, made.stderr).toBe(0);
    const { command, exitCode, started, ended, ...rest } = json(report);
    expect({ command, exitCode }).toEqual({ command: "run", exitCode: 0 });
    expect(Date.parse(ended)).toBeGreaterThanOrEqual(Date.parse(started));
    expect(rest).toEqual(JSON.parse(made.stdout));
    expect(metricsOf(readFileSync(metrics, "utf8"))).toMatchObject({
      softjac_running: 0,
      softjac_exit_code: 0,
      softjac_rows: 1797,
      softjac_rows_done: 1797,
      softjac_output_bytes: rest.outputBytes,
    });
    // No temporary files remain.
    expect(readdirSync(at(".")).filter((n) => n.endsWith(".tmp"))).toEqual([]);
  });

  test("of a dataset that fails, and of the run that continues it", () => {
    const inputs = at("half");
    mkdirSync(inputs);
    writeFileSync(join(inputs, "a.arrow"), readFileSync(DIGITS));
    writeFileSync(join(inputs, "b.arrow"), "ARROW1\0\0");
    const { report, metrics, args } = files();
    const output = newOutput();
    const run = ["run", inputs, "-o", output, "--shard-rows", "600", ...args];
    expect(softjac(...run, "--keep-going").status).toBe(65);
    expect(json(report)).toMatchObject({
      command: "run",
      exitCode: 65,
      status: "failed",
      shardsComputed: 3,
      skippedInputs: [{ name: "b.arrow" }],
      error: { code: "ERR_INPUTS_SKIPPED" },
    });
    expect(metricsOf(readFileSync(metrics, "utf8"))).toMatchObject({
      softjac_exit_code: 65,
      softjac_shards: 3,
      softjac_shards_done: 3,
      softjac_skipped_inputs: 1,
    });
    expect(softjac(...run, "--keep-going", "--allow-missing").status).toBe(0);
    expect(json(report)).toMatchObject({ status: "done", shardsUpToDate: 3 });
  });

  test("are updated during a run, and when it is stopped", async () => {
    const { report, metrics, args } = files();
    const output = newOutput();
    const preload = (name: string) => [
      "--import",
      fileURLToPath(new URL(name, import.meta.url)),
    ];
    const child = spawn(
      process.execPath,
      [
        ...preload("../dataset/threads-that.mjs"),
        ...preload("./fast-heartbeat.mjs"),
        ...[CLI, "run", folder, "-o", output],
        ...["--shard-rows", "100", "--threads", "2", "--chunk-rows", "10"],
        ...["--grace", "0", ...args],
      ],
      {
        env: { ...process.env, THREADS_DO: "wait", THREADS_AT: ".arrow" },
      },
    );
    let stderr = "";
    child.stderr.on("data", (bytes) => {
      stderr += bytes;
    });
    const closed = once(child, "close");
    let found: Record<string, number> = {};
    while (!(Number(found.softjac_shards_done) > 0)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (existsSync(metrics)) found = metricsOf(readFileSync(metrics, "utf8"));
    }
    expect(found).toMatchObject({ softjac_running: 1, softjac_shards: 4 });
    expect(found.softjac_exit_code).toBeUndefined();
    expect(found.softjac_rows_done).toBeGreaterThan(0);
    child.kill("SIGTERM");
    expect((await closed)[0]).toBe(75);
    expect(metricsOf(readFileSync(metrics, "utf8"))).toMatchObject({
      softjac_running: 0,
      softjac_exit_code: 75,
    });
    expect(json(report)).toMatchObject({ status: "failed", exitCode: 75 });
    expect(stderr).toMatch(
      /^\d of 4 shards, \d+ of 400 rows, \d+ rows\/s, .* left, .* of memory$/m,
    );
    expect(stderr).toContain(
      "softjac: stopping: the current shard is abandoned",
    );
  }, 30_000);

  test("that cannot be written: warns once and exits with 74 if everything else succeeded", () => {
    const none = join(at("no"), "such", "folder");
    const output = at("told.arrow");
    const made = softjac("run", DIGITS, "-o", output, "--metrics", none);
    expect(made.status).toBe(74);
    expect(made.stderr.match(/ENOENT/g)).toHaveLength(1);
    expect(existsSync(output)).toBe(true);
  });
});
