import { execFileSync, spawnSync } from "node:child_process";
import {
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.js";
import type { CommandSpec } from "../../src/cli/command.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { kebab } from "../../src/cli/flags.js";
import { rejectOverwrites } from "../../src/cli/reject-overwrites.js";
import type { OptionSpec } from "../../src/options/options-table.js";
import { workDirectory } from "../support/logits-input.js";
import { recordedCalls } from "../support/recorded-calls.js";
import { CLI, DIGITS, softjac } from "./support.js";

const at = workDirectory();

/** Options of free text that are not paths; all others state whether the command reads or writes the file. */
const NOT_PATHS = [
  ...["column", "columns", "keep", "classColumn", "label", "cotangent"],
  ...["tangent", "covariance", "title", "run", "endpoint", "region", "queue"],
  ...["queuePassword", "queueName"],
];
/** Options that are paths, but not of files that a command opens itself. */
const OF_COMMANDS = ["worker allow", "show input"];

/** Makes a directory with files of every kind. */
function filesOfEveryKind(name: string) {
  const folder = at(name);
  mkdirSync(folder);
  const path = (file: string) => join(folder, file);
  copyFileSync(DIGITS, path("input.arrow"));
  linkSync(path("input.arrow"), path("hard-link"));
  symlinkSync("input.arrow", path("symbolic-link"));
  symlinkSync("nothing", path("dangling-link"));
  execFileSync("mkfifo", [path("fifo")]);
  mkdirSync(path("directory"));
  writeFileSync(path("config.json"), "{}");
  symlinkSync(".", path("linked"));
  return path;
}

/** Returns the state of a directory, which must not change if the command line is rejected. */
function stateOf(folder: string): unknown[] {
  return readdirSync(folder).map((name) => {
    const { mode, ino, size, mtimeMs } = lstatSync(join(folder, name));
    return { name, mode, ino, size, mtimeMs };
  });
}

/** Returns a command line with all required arguments and options. */
function lineOf(
  command: CommandSpec,
  path: (file: string) => string,
): string[] {
  const { name } = command;
  const pathFor = (file: OptionSpec["file"]) =>
    path(file === "read" ? "input.arrow" : "output.arrow");
  const line = [name];
  for (const { name, kind, file, argument } of command.options.filter(
    ({ isRequired }) => isRequired,
  )) {
    const value =
      kind === "integer" ? "3" : file ? pathFor(file) : "redis://localhost";
    line.push(argument ? value : `--${kebab(name)}=${value}`);
  }
  return [...line, `--config=${path("config.json")}`];
}

/** Returns the message that rejects the files of a command line, or null. */
async function refusal(line: string[]): Promise<string | null> {
  const parsed = await parseArguments(line, COMMANDS);
  if (parsed.kind !== "command") throw new Error(`no command: ${line}`);
  try {
    await rejectOverwrites(parsed.command, parsed.options, parsed.settings);
    return null;
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_USAGE" });
    return (error as Error).message;
  }
}

const KIND =
  "give the path of a regular file, or use --json for the report on standard output";
const OTHER = "choose another path";
const CONFIG = (path: (file: string) => string) =>
  `the config file ${path("config.json")}`;

describe.each(
  COMMANDS.filter((command) =>
    command.options.some(({ file }) => file === "state"),
  ).map((command) => [command.name, command] as const),
)("softjac %s", (name, command) => {
  const path = filesOfEveryKind(name);
  const line = lineOf(command, path);
  const before = stateOf(path("."));
  const states = command.options
    .filter(({ file }) => file === "state")
    .map(({ name }) => `--${kebab(name)}`);
  const reads = line.some((word) => word.endsWith(path("input.arrow")));
  const written = command.options.find(({ file }) => file === "output");
  const output = written && (written.argument ? "output" : "--output");
  const input = `the same file as the input ${path("input.arrow")}; ${OTHER}`;

  test("accepts distinct files, and those of an earlier run", async () => {
    const given = states.map((state) => `${state}=${path(state)}`);
    expect(await refusal([...line, ...given])).toBeNull();
    for (const state of states) writeFileSync(path(state), "earlier");
    expect(await refusal([...line, ...given])).toBeNull();
    for (const state of states) rmSync(path(state));
  });

  test.each(states)("%s", async (state) => {
    const cases = [
      [path("symbolic-link"), `a symbolic link; ${KIND}`],
      [path("dangling-link"), `a symbolic link; ${KIND}`],
      [path("fifo"), `a device or pipe; ${KIND}`],
      [path("directory"), `a directory; ${KIND}`],
      ["/dev/null", `a device or pipe; ${KIND}`],
      ["-", `not a file name; ${KIND}`],
      ["s3://bucket/key", `not a file name; ${KIND}`],
      [path("new/"), `not a file name; ${KIND}`],
      [path("config.json"), `the same file as ${CONFIG(path)}; ${OTHER}`],
    ];
    if (reads)
      for (const file of ["input.arrow", "hard-link", "linked/input.arrow"])
        cases.push([path(file), input]);
    if (output) {
      for (const file of ["output.arrow", "linked/Output.arrow"])
        cases.push([path(file), `the same file as ${output}; ${OTHER}`]);
      const inside = `inside ${output}; choose a path outside`;
      cases.push([path("output.arrow/part"), inside]);
    }
    for (const [file, message] of cases)
      expect(await refusal([...line, `${state}=${file}`]), file).toBe(
        `${state}: ${file} is ${message}`,
      );
    expect(stateOf(path("."))).toEqual(before);
  });

  test("rejects two files with one path", async () => {
    for (const [k, state] of states.entries())
      for (const other of states.slice(k + 1))
        for (const file of ["state", "linked/state", "STATE"])
          expect(
            await refusal([
              ...[...line, `${state}=${path("state")}`],
              `${other}=${path(file)}`,
            ]),
          ).toBe(
            `${state}: ${path("state")} is the same file as ${other}; ${OTHER}`,
          );
  });

  if (output)
    test("the output", async () => {
      const cases = [
        [path("config.json"), `the same file as ${CONFIG(path)}; ${OTHER}`],
      ];
      if (reads)
        for (const file of ["input.arrow", "hard-link", "linked/input.arrow"])
          cases.push([path(file), input]);
      for (const [file = "", message] of cases) {
        const given = line.map((word) =>
          word.replace(path("output.arrow"), file),
        );
        expect(await refusal(given), file).toBe(
          `${output}: ${file} is ${message}`,
        );
      }
      expect(stateOf(path("."))).toEqual(before);
    });
});

test("every option of free text states its use of a file, or is not a path", () => {
  for (const command of COMMANDS) {
    for (const { name, kind, choices, file } of command.options)
      if (kind === "path" || kind === "paths")
        expect(file, `${command.name} ${name}`).toBeDefined();
      else if ((kind === "string" || kind === "list") && !choices && !file)
        expect([...NOT_PATHS, ...OF_COMMANDS]).toContain(
          NOT_PATHS.includes(name) ? name : `${command.name} ${name}`,
        );
  }
});

test("inputs in directories and patterns, and files that streams are redirected to", async () => {
  const path = filesOfEveryKind("folders");
  mkdirSync(path("inputs"));
  const file = path("inputs/a.arrow");
  linkSync(path("input.arrow"), file);
  const report = (input: string, report: string) =>
    refusal(["run", input, `--output=${path("out")}/`, `--report=${report}`]);
  for (const given of [path("inputs"), path("in*/*.arrow")])
    expect(await report(given, path("hard-link"))).toBe(
      `--report: ${path("hard-link")} is the same file as the input ${file}; ${OTHER}`,
    );
  const inside = path("inputs/report.json");
  expect(await report(path("inputs"), inside)).toBe(
    `--report: ${inside} is inside the input ${path("inputs")}; choose a path outside`,
  );
  expect(await report(path("in*/*.arrow"), inside)).toBeNull();
  expect(
    await refusal([
      ...["report", path("inputs"), `--output=${file}`, "--force"],
    ]),
  ).toBe(
    `--output: ${file} is inside the input ${path("inputs")}; choose a path outside`,
  );
  const redirected = spawnSync(
    "sh",
    [
      "-c",
      `"$0" "$1" run "$2" -o "$3" --json --report "$4" > "$4"`,
      process.execPath,
      CLI,
      DIGITS,
      path("out.arrow"),
      path("stdout"),
    ],
    { encoding: "utf8" },
  );
  expect(redirected).toMatchObject({
    status: 64,
    stderr: `softjac: --report: ${path("stdout")} is the same file as standard output; ${OTHER}\n`,
  });
});

describe("the command itself", () => {
  const path = filesOfEveryKind("command");
  const before = stateOf(path("."));

  test.each(["run", "verify", "report", "generate", "plan"])(
    "%s rejects a state file before any work",
    (name) => {
      const command = COMMANDS.find((one) => one.name === name);
      const line = lineOf(command as CommandSpec, path);
      const refused = softjac(...line, "--metrics", path("fifo"));
      expect(refused).toMatchObject({
        status: 64,
        stdout: "",
        stderr: `softjac: --metrics: ${path("fifo")} is a device or pipe; ${KIND}\n`,
      });
      expect(stateOf(path("."))).toEqual(before);
    },
  );

  // Node decodes arguments, which shells pass on as bytes.
  test("a name that is not UTF-8 is rejected if no file has it", () => {
    const sh = (file: string, ...args: string[]) =>
      spawnSync(
        "sh",
        [
          "-c",
          `file=$(printf '${file}'); exec "$0" "$@" "$file"`,
          ...[process.execPath, CLI, ...args],
        ],
        { cwd: path("."), encoding: "utf8" },
      );
    const run = ["run", DIGITS, "--force", "-o"];
    for (const [file, shown] of [
      ["x\\376.arrow", "x\ufffd.arrow"],
      ["x\\376/", "x\ufffd/"],
      ["x\\376/out.arrow", "x\ufffd/out.arrow"],
    ] as const)
      expect(sh(file, ...run)).toMatchObject({
        status: 64,
        stderr: `softjac: --output: ${shown}: file names must be UTF-8; choose another name\n`,
      });
    for (const state of ["--report", "--metrics"])
      expect(sh("x\\377", ...run, path("new.arrow"), state).stderr).toBe(
        `softjac: ${state}: x\ufffd: file names must be UTF-8; choose another name\n`,
      );
    expect(stateOf(path("."))).toEqual(before);
    // A directory has this name.
    mkdirSync(path("d\ufffd"));
    expect(sh("d\\357\\277\\275/out.arrow", ...run).status).toBe(0);
    expect(readdirSync(path("d\ufffd"))).toEqual(["out.arrow"]);
    rmSync(path("d\ufffd"), { recursive: true });
  });

  test("paths from the environment and the config file", () => {
    const config = at("with-report.json");
    writeFileSync(config, JSON.stringify({ report: path("hard-link") }));
    const run = ["run", path("input.arrow"), "-o", path("new.arrow")];
    expect(softjac(...run, "--config", config)).toMatchObject({
      status: 64,
      stderr: `softjac: --report: ${path("hard-link")} is the same file as the input ${path("input.arrow")}; ${OTHER}\n`,
    });
    expect(stateOf(path("."))).toEqual(before);
  });

  test.each([
    ["run", [DIGITS]],
    ["report", [DIGITS]],
    ["generate", []],
  ])("%s never replaces what is not a regular file", (name, words) => {
    const kinds = {
      "symbolic-link": "a symbolic link",
      "dangling-link": "a symbolic link",
      fifo: "a device or pipe",
      ...(name !== "run" && { directory: "a directory" }),
    };
    for (const [file, kind] of Object.entries(kinds)) {
      const line =
        name === "generate"
          ? [name, path(file), "--rows", "2", "--classes", "2"]
          : [name, ...words, "-o", path(file)];
      expect(softjac(...line, "--force")).toMatchObject({
        status: 73,
        stderr: `softjac: ${path(file)} is ${kind}; choose another path\n`,
      });
    }
    expect(stateOf(path("."))).toEqual(before);
  });
});

test.each([
  ["run", ["run", DIGITS, "-o"], ".arrow"],
  ["generate", ["generate", "--rows", "2", "--classes", "2"], ".arrow"],
  ["report", ["report", "results.arrow", "-o"], ".html"],
])(
  "%s opens every file that it creates as a new file, without following links",
  (name, words, extension) => {
    const path = filesOfEveryKind(`flags-${name}`);
    if (name === "report")
      softjac("run", DIGITS, "-o", path("results.arrow"), "--quiet");
    const line = words.map((word) =>
      word === "results.arrow" ? path(word) : word,
    );
    const states = ["report", "metrics"].map(
      (state) => `--${state}=${path(state)}`,
    );
    const made = recordedCalls([...line, path(`made${extension}`), ...states]);
    expect(made.status, made.stderr).toBe(0);
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_TRUNC } = constants;
    const created = made.calls.filter(
      ({ call, flags }) => call === "open" && Number(flags) & O_CREAT,
    );
    // Output, report, and metrics at the start and at the end.
    expect(
      created
        .map(({ path }) =>
          basename(path).replace(/(?<=\.)[0-9a-f-]+(?=\.tmp$)/, "N"),
        )
        .sort(),
    ).toEqual([
      `.made${extension}.N.tmp`,
      ".metrics.N.tmp",
      ".metrics.N.tmp",
      ".report.N.tmp",
    ]);
    for (const { flags } of created)
      expect(Number(flags) & (O_EXCL | O_NOFOLLOW | O_TRUNC)).toBe(
        O_EXCL | O_NOFOLLOW,
      );
    // No other call opens a file for writing.
    const writable = made.calls.filter(
      ({ call, flags }) =>
        call === "open" &&
        (typeof flags === "string" ? flags !== "r" : Number(flags) & 3),
    );
    expect(writable).toEqual(created);
  },
);
