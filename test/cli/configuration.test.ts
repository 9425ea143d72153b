import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { workDirectory } from "../support/logits-input.js";
import { refused } from "../support/refused.js";
import { DIGITS, softjac, typed } from "./support.js";

// Options from configuration files and environment variables.

const at = workDirectory();
let files = 0;

function fileOf(content: unknown): string {
  const path = at(`config-${files++}.json`);
  const text = typeof content === "string" ? content : JSON.stringify(content);
  writeFileSync(path, text);
  return path;
}

/** Parses a command line; the variables are written as in a shell, without SOFTJAC_. */
async function parse(line: string, variables = "") {
  const words = variables.split(" ").filter(Boolean);
  const env = Object.fromEntries(
    words.map((word) => `SOFTJAC_${word}`.split(/=(.*)/)),
  );
  const parsed = await parseArguments(line.split(" "), COMMANDS, { env });
  if (parsed.kind !== "command") throw new Error("expected a command");
  return parsed;
}

const RUN = "run in.arrow -o out.arrow";

test("the command line overrides variables, which override the file", async () => {
  const config = fileOf({
    ...{ threads: 1, "chunk-rows": 10, temperature: 2.5, sync: false },
    ...{ keep: ["id", "label"], emit: "softmax,entropy", quiet: true },
  });
  const { options, settings, line } = await parse(
    `${RUN} --threads 3`,
    `CONFIG=${config} THREADS=2 CHUNK_ROWS=20 QUIET=false LAYOUT=`,
  );
  expect(options).toEqual({
    ...{ inputs: ["in.arrow"], output: "out.arrow", threads: 3, chunkRows: 20 },
    ...{ temperature: 2.5, keep: ["id", "label"], sync: false },
    emit: ["softmax", "entropy"],
  });
  expect(Object.fromEntries(settings)).toEqual({ config, quiet: false });
  expect([...line].sort()).toEqual(["inputs", "output", "threads"]);
});

test("a file has the option names of the library, and can have required options", async () => {
  const inputs = ["a.arrow", "b.arrow"];
  const output = "out/";
  const file = { inputs, output, shardRows: 5, position: "3,7-9" };
  const row = { results: "out.arrow", row: 3 };
  const config = fileOf({ ...file, ...row, base: 2 });
  for (const [line, options] of [
    ["run", { inputs, output, shardRows: 5, base: "2" }],
    ["status", { output }],
    ["show", { ...row, position: [3, 7, 8, 9] }],
  ] as const)
    expect((await parse(line, `CONFIG=${config}`)).options).toEqual(options);
  const { options } = await parse("finalize", `OUTPUT=${output}`);
  expect(options).toEqual({ output });
});

const WHOLE = "expected a whole number from 1 to 256, found";

test.each<[content: unknown, message: string]>([
  ["{", "cannot be read as JSON: "],
  [[1], "expected a JSON object with options, found an array"],
  ["null", "expected a JSON object with options, found null"],
  ["5", "expected a JSON object with options, found a number"],
  [{ threds: 1 }, "threds is not the name of an option"],
  [{ config: "x" }, "config is not the name of an option"],
  [
    { heartbeat: 10 },
    "heartbeat was removed; progress lines are written every 30 s",
  ],
  [
    { verifyReport: "x" },
    "verify-report was removed; softjac verify prints the errors, and --report writes them to a file",
  ],
  [{ emit: "softmax,doubt" }, "emit: doubt was renamed to uncertainty"],
  [{ emit: ["doubt"] }, "emit: doubt was renamed to uncertainty"],
  [{ chunkRows: 1, "chunk-rows": 1 }, "chunk-rows is given twice"],
  ['{"layout":"packed","layout":"csr"}', "layout is given twice"],
  [{ threads: "2" }, `threads: ${WHOLE} "2"`],
  [{ threads: 0 }, `threads: ${WHOLE} 0`],
  [{ layout: "bcr" }, "layout: expected one of bsr, packed, csr"],
  [{ sync: "no" }, 'sync: expected true or false, found "no"'],
  [{ keep: [1] }, "keep: expected a list of names, found [1]"],
])("rejects a file: %j", async (content, message) => {
  const config = fileOf(content);
  const parsed = parse(`${RUN} --config ${config}`);
  await expect(parsed).rejects.toThrow(`${config}: ${message}`);
  await refused(parsed, "ERR_CONFIGURATION");
});

test("rejects a pipe, device or directory before opening it; accepts a link to a file", async () => {
  const pipe = at("pipe");
  execFileSync("mkfifo", [pipe]);
  for (const [path, kind] of [
    ["/dev/null", "a device or pipe"],
    [at("."), "a directory"],
    [pipe, "a device or pipe"],
  ] as const) {
    const message = `the config file: ${path} is ${kind}; give the path of a regular file`;
    const parsed = parse(`${RUN} --config ${path}`);
    await refused(parsed, "ERR_USAGE", message);
    await refused(parse(RUN, `CONFIG=${path}`), "ERR_USAGE", message);
  }
  symlinkSync(fileOf({ threads: 3 }), at("link"));
  const { options } = await parse(`${RUN} --config ${at("link")}`);
  expect(options.threads).toBe(3);
});

test.each([
  ["THREADS", "x", 'expected a whole number, found "x"'],
  ["THREADS", "0", `${WHOLE} 0`],
  ["SYNC", "no", 'expected true or false, found "no"'],
  ["EMIT", "doubt", "doubt was renamed to uncertainty"],
  ["DTYPE", "float16", 'expected one of float32, float64, found "float16"'],
])("rejects SOFTJAC_%s=%s", async (name, value, message) => {
  const parsed = parse(RUN, `${name}=${value}`);
  await expect(parsed).rejects.toThrow(`SOFTJAC_${name}: ${message}`);
});

test("warns of unknown variables, except those of a Kubernetes service", async () => {
  const service =
    "SERVICE_HOST=10.0.0.1 PORT=tcp://10.0.0.1:80 PORT_80_TCP=tcp://10.0.0.1:80";
  const variables = `THREDS=1 ${service} LIMIT=1 VERIFY_REPORT=x`;
  const { warnings } = await parse(RUN, variables);
  expect(warnings).toEqual([
    "SOFTJAC_THREDS is ignored: no option has this name",
    "SOFTJAC_VERIFY_REPORT is ignored: the option was removed; softjac verify prints the errors, and --report writes them to a file",
  ]);
});

test.each([
  [["--config", fileOf({ threads: 0 })], 78, /config-\d+\.json: threads: expe/],
  [
    ["--config", at("none.json")],
    78,
    /none\.json: no such file or directory\n$/,
  ],
  [["--config"], 64, /--config needs a value/],
])("the command with %j exits with %i", (more, status, message) => {
  const found = softjac("run", DIGITS, "-o", at("out.arrow"), ...more);
  expect(found.status).toBe(status);
  expect(found.stderr).toMatch(message);
});

test("a file for runs over one input can have options of datasets", async () => {
  const config = fileOf({ shardRows: 500, force: true, grace: 3, threads: 1 });
  const one = typed`run ${DIGITS} -o ${at("one.arrow")} --config ${config}`;
  expect(one.status, one.stderr).toBe(0);
  const many = typed`run ${DIGITS} -o ${at("many")}/ --config ${config}`;
  expect(many.status, many.stderr).toBe(0);
  expect(many.stderr).toContain("4 computed now");
});
