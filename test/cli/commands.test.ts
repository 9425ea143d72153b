import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { start, THREADS_AND_SIGNALS } from "../queue/processes.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { CLI, DIGITS, softjac, typed } from "./support.js";

// Output of commands that succeed or are stopped; exit-codes.test.ts has failures.

const at = workDirectory();
const results = at("results.arrow");
await built.run({ input: DIGITS, output: results, keep: ["label", "split"] });
const page = at("page.html");

const COMPARED = `
  softmax       ok  largest error 0.500 ulp (bound 0.500), mean 0.00000208 %
  jacobian      ok  largest error 0.500 ulp (bound 0.500), mean 0.00000216 %`;

/** Summaries of commands, with N for numbers that vary. */
const SUMMARIES: Record<string, string> = {
  [`run ${DIGITS} -o ${at("run.arrow")} --keep id,label --force`]: `softjac: reading logits from logits (float32, 10 classes)
${at("run.arrow")}
  rows     1,797 x 10 classes
  results  softmax, jacobian (bsr, float32)
  bytes    N (N)
  time     N s, N rows/s, N/s`,
  [`generate ${at("a.arrow")} --rows 100 --classes 5 --force`]: `${at("a.arrow")}
  rows    100 x 5 classes
  logits  normal, scale 3, seed 0 (float64)
  bytes   N (N)
  time    N s, N rows/s, N/s`,
  [`report ${results} -o ${page} --label label --force`]: `${page}
  page         N
  shows        ${results}: 1,797 rows of 10 classes, bsr
  saturated    319 rows whose 1 - p is 0 in float32, 0 in float64
  calibration  ECE 0.00338, NLL 0.01997, Brier score 0.0111
  time         N s`,
  [`verify ${results} -i ${DIGITS} --sample 1797 --seed 3`]: `${results}: OK
  rows          1,797 of 1,797 recomputed in N s${COMPARED}
  not compared  label, split (use --all)`,
  [`verify ${results} -i ${DIGITS} --all`]: `${results}: OK
  rows      1,797 of 1,797 recomputed in N s${COMPARED.replaceAll("      ok", "  ok")}
  bytes     ok  all are identical to a new run`,
};

test.each(Object.entries(SUMMARIES))("softjac %s", (line, summary) => {
  const words = line.split(" ");
  const { stderr, ...rest } = softjac(...words);
  const numbers =
    /(?<=^ {2}(?:bytes|time|page) .*|recomputed in )\d[\d.,]*(?: [kM]B)?/gm;
  expect(stderr.replace(numbers, "N")).toBe(`${summary}\n`);
  expect(rest).toEqual({ status: 0, stdout: "" });
});

test("--quiet prints nothing on success", () => {
  const quiet = typed`verify ${results} -i ${DIGITS} --quiet`;
  expect(quiet).toEqual({ status: 0, stdout: "", stderr: "" });
});

const ofDigits = { rows: 1797, status: "done" };
test.each<[string, () => Promise<object>, object]>([
  [
    `run ${DIGITS} -o ${at("json.arrow")} --force`,
    () => built.run({ input: DIGITS, output: at("json.arrow"), force: true }),
    {
      ...{ ...ofDigits, column: "logits", layout: "bsr", dtype: "float32" },
      ...{ classes: 10, rowsDone: 1797, badRows: 0, firstBadRow: null },
      ...{ threads: 0, kernel: "simd" },
    },
  ],
  [
    `verify ${results} -i ${DIGITS} --all`,
    () => built.verify({ output: results, input: DIGITS, all: true }),
    {
      ...{ rows: 1797, rowsChecked: 1797, ok: true, problems: [] },
      ...{ notCompared: [], bytes: { compared: true, message: null } },
    },
  ],
])(
  "softjac %s --json prints the report of the library",
  async (line, call, fields) => {
    const { status, stdout, stderr } = softjac(...line.split(/\s+/), "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const [printed, own] = [JSON.parse(stdout), await call()].map((report) => ({
      ...report,
      ...{ durationMs: 0, peakMemoryBytes: 0, rowsPerSecond: 0 },
    }));
    expect(printed).toEqual(own);
    expect(own).toMatchObject(fields);
  },
);

test("the log of report has one line about the page and no tables", () => {
  const { status, stderr } = typed`report ${results} -o ${page} --force
    --log-format json`;
  expect(status).toBe(0);
  const { msg, report } = JSON.parse(stderr);
  expect(msg).toBe("done");
  const summary = { rowsWithResults: 1797 };
  expect(report).toMatchObject({ status: "done", output: page, summary });
  expect(stderr.length).toBeLessThan(3000);
});

test("a closed pipe ends the command without an error message", () => {
  const output = at("piped.arrow");
  const line = `run "${DIGITS}" -o "${output}" --json | true`;
  const script = `set -o pipefail; "${process.execPath}" "${CLI}" ${line}`;
  expect(execFileSync("bash", ["-c", script], { encoding: "utf8" })).toBe("");
  expect(existsSync(output)).toBe(true);
});

const large = at("large.arrow");
await built.generate({ output: large, rows: 60_000, classes: 31 });
const filesOf = (name: string) =>
  readdirSync(at(".")).filter((file) => file.includes(name));

test.each([
  ["SIGINT", 130, `run ${large} --chunk-rows 50 -o`],
  ["SIGTERM", 143, `run ${large} --chunk-rows 50 -o`],
  ["SIGHUP", 129, `run ${large} --chunk-rows 50 -o`],
  ["SIGINT", 130, "generate --rows 3000000 --classes 10"],
] as const)(
  "%s exits with %i and leaves no file: %s",
  async (signal, exit, line) => {
    const name = `${signal}-${line.slice(0, 3)}`;
    const preload = ["../support/no-simd.mjs"];
    const run = start([...line.split(" "), at(name)], { preload });
    while (filesOf(name).length === 0 && run.child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    run.child.kill(signal);
    const { code, stderr } = await run.ended;
    expect(stderr.replace(/^softjac: reading logits from .*\n/, "")).toBe(
      "softjac: the run was stopped before it was complete; nothing was written\n",
    );
    expect(code).toBe(exit);
    expect(filesOf(name)).toEqual([]);
  },
);

test("the second signal ends the command at once and removes the temporary file", async () => {
  // The first signal alone would wait forever.
  const env = { THREADS_DO: "hang", THREADS_AT: large };
  const line = ["run", large, "-o", at("twice.arrow"), "--threads", "2"];
  const { child, until, ended } = start(line, {
    preload: THREADS_AND_SIGNALS,
    env,
  });
  await until(/threads-that: hang/);
  expect(filesOf("twice")).toHaveLength(1);
  child.kill("SIGINT");
  await until(/says-signals: SIGINT/);
  child.kill("SIGINT");
  expect((await ended).code).toBe(130);
  expect(filesOf("twice")).toEqual([]);
});

/** Copies the results with a changed byte in the softmax of class 4 of a row. */
function turned(row: number, byte: number, mask: number): string {
  const softmax = tableFromIPC(readFileSync(results)).getChild("softmax");
  const values = Buffer.from(softmax.at(row).slice().buffer);
  const bytes = readFileSync(results);
  const position = bytes.indexOf(values) + 4 * 4 + byte;
  bytes[position] = (bytes[position] as number) ^ mask;
  const path = at(`turned-${row}.arrow`);
  writeFileSync(path, bytes);
  return path;
}

test("verify: a wrong sign exits with 65 and names the row, also with --quiet", () => {
  const wrong = turned(0, 3, 0x80);
  for (const quiet of [[], ["--quiet"]]) {
    const { status, stderr } = softjac("verify", wrong, "-i", DIGITS, ...quiet);
    expect(status).toBe(65);
    expect(stderr).toContain(`${wrong}: FAILED\n`);
    expect(stderr).toMatch(/softmax +BAD.*row 0/s);
  }
});

test("verify: only --all detects the last bit of a value", () => {
  const wrong = turned(1, 0, 1);
  const sampled = typed`verify ${wrong} -i ${DIGITS} --sample 2`;
  expect(sampled.status).toBe(0);
  const { status, stderr } = typed`verify ${wrong} -i ${DIGITS} --all`;
  expect(status).toBe(65);
  expect(stderr).toMatch(
    /record batch 0: column softmax, table row 1, value 4: expected \d+ at byte \d+, found/,
  );
  expect(stderr).toMatch(/bytes +BAD differ from a new run, see below/);
});
