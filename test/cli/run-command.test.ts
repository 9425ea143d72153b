import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { untilSaid } from "../support/until-said.js";
import { CLI, DIGITS, NO_SIMD, softjac, typed } from "./support.js";

const at = workDirectory();

test("prints a summary on standard error and nothing on standard output", () => {
  const { status, stdout, stderr } = typed`run ${DIGITS} -o ${at("a.arrow")}
    --keep id,label`;
  expect(status).toBe(0);
  expect(stdout).toBe("");
  expect(stderr).toMatch(
    /^softjac: reading logits from logits \(float32, 10 classes\)\n.*a\.arrow\n {2}rows {5}1,797 x 10 classes\n {2}results {2}softmax, jacobian \(bsr, float32\)\n {2}bytes {4}81\d,\d{3} \(81\d\.\d kB\)\n {2}time {5}[\d.]+ s, [\d,]+ rows\/s, .+\/s\n$/,
  );
});

test("--quiet prints nothing; --json prints the report", () => {
  expect(softjac("run", DIGITS, "-o", at("b.arrow"), "--quiet")).toMatchObject({
    stdout: "",
    stderr: "",
    status: 0,
  });
  const { stdout, stderr } = typed`run ${DIGITS} -o ${at("c.arrow")} --json`;
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toMatchObject({
    status: "done",
    column: "logits",
    layout: "bsr",
    dtype: "float32",
    rows: 1797,
    classes: 10,
    rowsDone: 1797,
    badRows: 0,
    firstBadRow: null,
    threads: 0,
    kernel: "simd",
  });
});

test("--dry-run prints the plan and writes nothing", () => {
  const { status, stdout } = typed`run ${DIGITS} -o ${at("d.arrow")} --dry-run`;
  expect(status).toBe(0);
  expect(stdout).toContain("(dry run: nothing is written)");
  expect(stdout).toContain("record batches  1 of 1,797 rows");
  expect(existsSync(at("d.arrow"))).toBe(false);
  const json = typed`run ${DIGITS} -o ${at("d.arrow")} --dry-run --json`;
  const { outputBytes } = JSON.parse(json.stdout);
  const done = softjac("run", DIGITS, "-o", at("d.arrow"), "--json");
  expect(JSON.parse(done.stdout).outputBytes).toBe(outputBytes);
});

test("a closed pipe ends it without an error message", () => {
  const script = `"${process.execPath}" "${CLI}" run "${DIGITS}" -o "${at("e.arrow")}" --json | true`;
  execFileSync("bash", ["-c", `set -o pipefail; ${script}`]);
  expect(existsSync(at("e.arrow"))).toBe(true);
});

const large = at("large.arrow");
writeLogits(large, {
  rows: 60_000,
  classes: 31,
  dtype: "float32",
  logit: (r, k) => ((r * 7 + k) % 13) / 3,
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("%s in the middle: exit %i, nothing left", async (signal, exit) => {
  const output = at(`${signal}.arrow`);
  const child = spawn(process.execPath, [
    "--import",
    NO_SIMD,
    CLI,
    "run",
    large,
    "-o",
    output,
    "--chunk-rows",
    "50",
  ]);
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) =>
    child.on("exit", resolve),
  );
  const temporary = () =>
    readdirSync(dirname(output)).filter((name) =>
      name.includes(`${signal}.arrow.`),
    );
  while (temporary().length === 0 && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill(signal);
  expect(await ended).toBe(exit);
  expect(stderr).toBe(
    "softjac: reading logits from logits (float32, 31 classes)\nsoftjac: the run was stopped before it was complete; nothing was written\n",
  );
  expect(existsSync(output)).toBe(false);
  expect(temporary()).toEqual([]);
});

test("the second signal ends it at once and removes the temporary file", async () => {
  const output = at("twice.arrow");
  const preload = (path: string) => [
    "--import",
    fileURLToPath(new URL(path, import.meta.url)),
  ];
  const child = spawn(
    process.execPath,
    [
      ...preload("../dataset/threads-that.mjs"),
      ...preload("../support/says-signals.mjs"),
      ...[CLI, "run", large, "-o", output, "--threads", "2"],
    ],
    // The first signal alone would wait forever.
    { env: { ...process.env, THREADS_DO: "hang", THREADS_AT: large } },
  );
  const ended = new Promise<number | null>((resolve) =>
    child.on("exit", resolve),
  );
  const temporary = () =>
    readdirSync(dirname(output)).filter((name) =>
      name.includes("twice.arrow."),
    );
  const heard = untilSaid(child, "says-signals: SIGINT");
  await untilSaid(child, "threads-that: hang");
  expect(temporary()).toHaveLength(1);
  child.kill("SIGINT");
  await heard;
  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(existsSync(output)).toBe(false);
  expect(temporary()).toEqual([]);
});
