import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { workDirectory } from "../support/logits-input.js";
import { CLI, softjac } from "./support.js";

const at = workDirectory();
const taken = at("taken.arrow");
writeFileSync(taken, "");
const SIZE = ["--rows", "100", "--classes", "5"];

test("prints a summary on standard error, nothing with --quiet, the report with --json", () => {
  const { status, stdout, stderr } = softjac("generate", at("a"), ...SIZE);
  expect(status).toBe(0);
  expect(stdout).toBe("");
  expect(stderr).toMatch(
    /a\n {2}rows {4}100 x 5 classes\n {2}logits {2}normal, scale 3, seed 0 \(float64\)\n {2}bytes {3}[\d,]+ \(.+\)\n {2}time {4}.+\/s\n$/,
  );
  expect(softjac("generate", at("b"), ...SIZE, "--quiet")).toMatchObject({
    stdout: "",
    stderr: "",
    status: 0,
  });
  const json = softjac(
    ...["generate", at("c"), ...SIZE, "--json"],
    ...["--kind", "notebook", "--seed", "7", "--dtype", "float32"],
  );
  expect(json.stderr).toBe("");
  expect(JSON.parse(json.stdout)).toMatchObject({
    status: "done",
    kind: "notebook",
    scale: null,
    seed: 7,
    dtype: "float32",
    rows: 100,
    classes: 5,
  });
});

test("the same command gives the same bytes; --force overwrites", () => {
  softjac("generate", at("d"), ...SIZE);
  const before = readFileSync(at("d"));
  expect(softjac("generate", at("d"), ...SIZE, "--force").status).toBe(0);
  expect(readFileSync(at("d")).equals(before)).toBe(true);
});

test.each<[exit: number, line: string, message: string]>([
  [
    64,
    "--rows 100 --classes 5",
    'missing argument <output>: output file; run "softjac generate --help"',
  ],
  [
    64,
    "x --classes 5",
    'missing required option --rows; run "softjac generate --help"',
  ],
  [
    64,
    "x --rows 1 --classes 5 --dry-run",
    'unknown option --dry-run for "softjac generate"; run "softjac generate --help --all" for the list',
  ],
  [
    64,
    "x --rows 1e3 --classes 5",
    '--rows: expected a whole number, found "1e3"',
  ],
  [
    73,
    `${taken} --rows 1 --classes 5`,
    `${taken} already exists; use --force to overwrite it`,
  ],
  [
    74,
    `${at("no/where")} --rows 1 --classes 5`,
    `${at("no/where")}: its directory could not be examined: ENOENT, its directory does not exist`,
  ],
])("%i: %s", (exit, line, message) => {
  expect(softjac("generate", ...line.split(" "))).toEqual({
    status: exit,
    stdout: "",
    stderr: `softjac: ${message}\n`,
  });
});

test("SIGINT during the run exits with 130 and leaves no file", async () => {
  const output = at("stopped.arrow");
  const child = spawn(process.execPath, [
    CLI,
    ...["generate", output, "--rows", "3000000", "--classes", "10"],
  ]);
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) =>
    child.on("exit", resolve),
  );
  const temporary = () =>
    readdirSync(dirname(output)).filter((name) => name.includes("stopped"));
  while (temporary().length === 0 && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(stderr).toBe(
    "softjac: the run was stopped before it was complete; nothing was written\n",
  );
  expect(existsSync(output)).toBe(false);
  expect(temporary()).toEqual([]);
});
