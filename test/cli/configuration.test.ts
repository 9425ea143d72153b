import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { workDirectory } from "../support/logits-input.js";
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

async function parse(words: string[], env: Record<string, string> = {}) {
  const line = await parseArguments(words, COMMANDS, { env });
  if (line.kind !== "command") throw new Error("expected a command");
  return line;
}

const RUN = ["run", "in.arrow", "-o", "out.arrow"];

test("the command line overrides variables, which override the file", async () => {
  const config = fileOf({
    threads: 1,
    "chunk-rows": 10,
    chunkRows2: undefined,
    temperature: 2.5,
    keep: ["id", "label"],
    emit: "softmax,entropy",
    sync: false,
    quiet: true,
  });
  const env = {
    SOFTJAC_CONFIG: config,
    SOFTJAC_THREADS: "2",
    SOFTJAC_CHUNK_ROWS: "20",
    SOFTJAC_QUIET: "false",
    SOFTJAC_LAYOUT: "",
  };
  const { options, settings, line } = await parse(
    [...RUN, "--threads", "3"],
    env,
  );
  expect(options).toEqual({
    inputs: ["in.arrow"],
    output: "out.arrow",
    threads: 3,
    chunkRows: 20,
    temperature: 2.5,
    keep: ["id", "label"],
    emit: ["softmax", "entropy"],
    sync: false,
  });
  expect(Object.fromEntries(settings)).toEqual({
    config,
    quiet: false,
  });
  expect([...line].sort()).toEqual(["inputs", "output", "threads"]);
});

test("a file has the option names of the library, and can have required options", async () => {
  const config = fileOf({
    inputs: ["a.arrow", "b.arrow"],
    output: "out/",
    shardRows: 5,
    select: "3,7-9",
  });
  expect((await parse(["run", "--config", config])).options).toEqual({
    inputs: ["a.arrow", "b.arrow"],
    output: "out/",
    shardRows: 5,
  });
  expect((await parse(["status", "--config", config])).options).toEqual({
    output: "out/",
  });
  expect((await parse(["run-shard", "--config", config])).options).toEqual({
    output: "out/",
    select: [3, 7, 8, 9],
  });
  expect(
    (await parse(["finalize"], { SOFTJAC_OUTPUT: "out/" })).options,
  ).toEqual({
    output: "out/",
  });
});

const REFUSED: [content: unknown, message: string][] = [
  ["{", "cannot be read as JSON: "],
  [[1], "expected a JSON object with options, found an array"],
  ["null", "expected a JSON object with options, found null"],
  [{ threds: 1 }, "threds is not the name of an option"],
  [{ config: "x" }, "config is not the name of an option"],
  [{ chunkRows: 1, "chunk-rows": 1 }, "chunk-rows is given twice"],
  ['{"layout":"packed","layout":"csr"}', "layout is given twice"],
  [
    { threads: "2" },
    'threads: expected a whole number from 1 to 256, found "2"',
  ],
  [
    { threads: 1000 },
    "threads: expected a whole number from 1 to 256, found 1000",
  ],
  [{ layout: "bcr" }, "layout: expected bsr or packed or"],
  [{ sync: "no" }, 'sync: expected true or false, found "no"'],
  [{ keep: [1] }, "keep: expected a list of names, found [1]"],
];

test.each(REFUSED)("rejects a file: %j", async (content, message) => {
  const config = fileOf(content);
  const call = () => parse([...RUN, "--config", config]);
  await expect(call).rejects.toThrow(`${config}: ${message}`);
  await expect(call).rejects.toThrow(
    expect.objectContaining({ code: "ERR_CONFIGURATION" }),
  );
});

test("rejects a pipe, device or directory before opening it; accepts a link to a file", async () => {
  const pipe = at("pipe");
  execFileSync("mkfifo", [pipe]);
  for (const [path, kind] of [
    ["/dev/null", "a device or pipe"],
    [at("."), "a directory"],
    [pipe, "a device or pipe"],
  ] as const) {
    const call = () => parse([...RUN, "--config", path]);
    await expect(call).rejects.toThrow(
      `the config file: ${path} is ${kind}; give the path of a regular file`,
    );
    await expect(call).rejects.toThrow(
      expect.objectContaining({ code: "ERR_USAGE" }),
    );
    await expect(parse(RUN, { SOFTJAC_CONFIG: path })).rejects.toThrow(kind);
  }
  const link = at("link.json");
  symlinkSync(fileOf({ threads: 3 }), link);
  expect((await parse([...RUN, "--config", link])).options.threads).toBe(3);
});

test.each([
  ["THREADS", "x", 'expected a whole number, found "x"'],
  ["THREADS", "0", "expected a whole number from 1 to 256, found 0"],
  ["SYNC", "no", 'expected true or false, found "no"'],
  ["DTYPE", "float16", 'expected float32 or float64, found "float16"'],
])("rejects a variable: SOFTJAC_%s=%s", async (name, value, message) => {
  await expect(parse(RUN, { [`SOFTJAC_${name}`]: value })).rejects.toThrow(
    `SOFTJAC_${name}: ${message}`,
  );
});

test("a removed option in a file is an error that names its replacement", async () => {
  const config = fileOf({ heartbeat: 10 });
  await expect(parse([...RUN, "--config", config])).rejects.toThrow(
    `${config}: heartbeat was removed; progress lines are written every 30 s`,
  );
});

test("warns of unknown variables, except those of a Kubernetes service", async () => {
  const { warnings } = await parse(RUN, {
    SOFTJAC_THREDS: "1",
    SOFTJAC_SERVICE_HOST: "10.0.0.1",
    SOFTJAC_PORT: "tcp://10.0.0.1:80",
    SOFTJAC_PORT_80_TCP: "tcp://10.0.0.1:80",
    SOFTJAC_SELECT: "1",
  });
  expect(warnings).toEqual([
    "SOFTJAC_THREDS is ignored: no option has this name",
  ]);
});

test("exit codes: 78 for configuration, 64 for the command line", async () => {
  const config = fileOf({ threads: 0 });
  const run = ["run", DIGITS, "-o", at("out.arrow")];
  const wrong = softjac(...run, "--config", config);
  expect(wrong.status).toBe(78);
  expect(wrong.stderr).toContain(`softjac: ${config}: threads: expected`);
  expect(softjac(...run, "--config", at("none.json")).status).toBe(78);
  expect(softjac(...run, "--config").status).toBe(64);
});

test("a file for runs over one input can have options of datasets", async () => {
  const config = fileOf({ shardRows: 500, force: true, grace: 3, threads: 1 });
  const one = softjac("run", DIGITS, "-o", at("one.arrow"), "--config", config);
  expect(one.status, one.stderr).toBe(0);
  const many = typed`run ${DIGITS} -o ${at("many")}/ --config ${config}`;
  expect(many.status, many.stderr).toBe(0);
  expect(many.stderr).toContain("4 computed now");
});
