import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.js";
import { type CommandSpec, kebab } from "../../src/cli/command.js";
import { rejectOverwrites } from "../../src/cli/command-line.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { workDirectory } from "../support/logits-input.js";
import { recordedCalls } from "../support/recorded-calls.js";
import { CLI, DIGITS, softjac } from "./support.js";

const at = workDirectory();

/** Options of free text that are not paths of files that the command opens itself. */
const NOT_PATHS = new Set([
  ...["column", "columns", "keep", "classColumn", "label", "cotangent"],
  ...["tangent", "covariance", "title", "run", "endpoint", "region", "queue"],
  ...["queuePassword", "queueName", "worker allow", "show input"],
  ...["features", "base", "weight", "by", "contrast"],
]);

type Path = (file: string) => string;

/** Makes a directory with files of every kind. */
function filesOfEveryKind(name: string): Path {
  const folder = at(name);
  fs.mkdirSync(folder);
  const path = (file: string) => join(folder, file);
  fs.copyFileSync(DIGITS, path("input.arrow"));
  fs.linkSync(path("input.arrow"), path("hard-link"));
  fs.symlinkSync("input.arrow", path("symbolic-link"));
  fs.symlinkSync("nothing", path("dangling-link"));
  execFileSync("mkfifo", [path("fifo")]);
  fs.mkdirSync(path("directory"));
  fs.writeFileSync(path("config.json"), "{}");
  fs.symlinkSync(".", path("linked"));
  return path;
}

/** Returns the state of a directory, which must not change if the command line is rejected. */
function stateOf(path: Path): unknown[] {
  return fs.readdirSync(path(".")).map((name) => {
    const { mode, ino, size, mtimeMs } = fs.lstatSync(path(name));
    return { name, mode, ino, size, mtimeMs };
  });
}

/** Returns a command line with its output, and all required arguments and options. */
function lineOf({ name, options }: CommandSpec, path: Path): string[] {
  const words = options
    .filter(({ isRequired, file }) => isRequired || file === "output")
    .map(({ name, kind, file, argument }) => {
      const of = path(file === "read" ? "input.arrow" : "output.arrow");
      const value = kind === "integer" ? "3" : file ? of : "redis://localhost";
      return argument ? value : `--${kebab(name)}=${value}`;
    });
  return [name, ...words, `--config=${path("config.json")}`];
}

/** Returns the message that rejects the files of a command line, or null. */
async function refusal(...line: string[]): Promise<string | null> {
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
const same = (what: string) => `the same file as ${what}; choose another path`;

const WRITING = COMMANDS.filter(({ options }) =>
  options.some(({ file }) => file === "state"),
);

test.each(WRITING)(
  "softjac $name overwrites none of its files",
  async (command) => {
    const path = filesOfEveryKind(command.name);
    const line = lineOf(command, path);
    const flagsFor = (use: string) =>
      command.options
        .filter(({ file }) => file === use)
        .map(({ name, argument }) => (argument ? name : `--${kebab(name)}`));
    const states = flagsFor("state");
    const [output] = flagsFor("output");
    const files: [file: string, message: string][] = [
      [path("config.json"), same(`the config file ${path("config.json")}`)],
    ];
    if (line.some((word) => word.endsWith(path("input.arrow"))))
      for (const file of ["input.arrow", "hard-link", "linked/input.arrow"])
        files.push([path(file), same(`the input ${path("input.arrow")}`)]);
    const ofStates: typeof files = [
      ...files,
      [path("symbolic-link"), `a symbolic link; ${KIND}`],
      [path("dangling-link"), `a symbolic link; ${KIND}`],
      [path("fifo"), `a device or pipe; ${KIND}`],
      [path("directory"), `a directory; ${KIND}`],
      ["/dev/null", `a device or pipe; ${KIND}`],
      ["-", `not a file name; ${KIND}`],
      ["s3://bucket/key", `not a file name; ${KIND}`],
      [path("new/"), `not a file name; ${KIND}`],
    ];
    const inside = `inside ${output}; choose a path outside`;
    if (output)
      ofStates.push(
        [path("output.arrow"), same(output)],
        [path("linked/Output.arrow"), same(output)],
        [path("output.arrow/part"), inside],
      );
    const before = stateOf(path);
    for (const [file, message] of ofStates)
      for (const state of states)
        expect(await refusal(...line, `${state}=${file}`)).toBe(
          `${state}: ${file} is ${message}`,
        );
    for (const [file, message] of output ? files : []) {
      const given = line.map((word) =>
        word.replace(path("output.arrow"), file),
      );
      expect(await refusal(...given)).toBe(`${output}: ${file} is ${message}`);
    }
    for (const [k, state] of states.entries())
      for (const other of states.slice(k + 1))
        for (const file of ["state", "linked/state", "STATE"]) {
          const given = [`${state}=${path("state")}`, `${other}=${path(file)}`];
          expect(await refusal(...line, ...given)).toBe(
            `${state}: ${path("state")} is ${same(other)}`,
          );
        }
    expect(stateOf(path)).toEqual(before);

    const distinct = states.map((state) => `${state}=${path(state)}`);
    expect(await refusal(...line, ...distinct)).toBeNull();
    // Files of an earlier run are replaced.
    for (const state of states) fs.writeFileSync(path(state), "earlier");
    expect(await refusal(...line, ...distinct)).toBeNull();
  },
);

test("every option of free text states its use of a file, or is not a path", () => {
  const unstated = COMMANDS.flatMap((command) =>
    command.options
      .filter(({ kind, choices, file }) => {
        const isPath = kind === "path" || kind === "paths";
        const isFree = (kind === "string" || kind === "list") && !choices;
        return (isPath || isFree) && !file;
      })
      .map(({ name, kind }) =>
        NOT_PATHS.has(name) && !kind.startsWith("path")
          ? name
          : `${command.name} ${name}`,
      ),
  );
  expect(unstated.filter((name) => !NOT_PATHS.has(name))).toEqual([]);
});

test("inputs in directories and patterns, and files that streams are redirected to", async () => {
  const path = filesOfEveryKind("folders");
  fs.mkdirSync(path("inputs"));
  const file = path("inputs/a.arrow");
  fs.linkSync(path("input.arrow"), file);
  const report = (input: string, report: string) =>
    refusal("run", input, `--output=${path("out")}/`, `--report=${report}`);
  for (const given of [path("inputs"), path("in*/*.arrow")])
    expect(await report(given, path("hard-link"))).toBe(
      `--report: ${path("hard-link")} is ${same(`the input ${file}`)}`,
    );
  const inside = path("inputs/report.json");
  const message = `inside the input ${path("inputs")}; choose a path outside`;
  expect(await report(path("inputs"), inside)).toBe(
    `--report: ${inside} is ${message}`,
  );
  expect(await report(path("in*/*.arrow"), inside)).toBeNull();
  expect(
    await refusal("report", path("inputs"), `--output=${file}`, "--force"),
  ).toBe(`--output: ${file} is ${message}`);
  const stdout = path("stdout");
  const words = ["run", DIGITS, "-o", path("out.arrow"), "--json", "--report"];
  const script = `"$0" "$@" ${stdout} > ${stdout}`;
  const sh = ["-c", script, process.execPath, CLI, ...words];
  expect(spawnSync("sh", sh, { encoding: "utf8" })).toMatchObject({
    status: 64,
    stderr: `softjac: --report: ${stdout} is ${same("standard output")}\n`,
  });
});

describe("the command itself", () => {
  const path = filesOfEveryKind("command");
  const before = stateOf(path);
  const expectRefused = (
    status: number,
    message: string,
    ...line: string[]
  ) => {
    const stderr = `softjac: ${message}\n`;
    expect(softjac(...line)).toEqual({ status, stdout: "", stderr });
    expect(stateOf(path)).toEqual(before);
  };

  test("rejects a state file of the config file before any work", () => {
    const config = at("with-report.json");
    fs.writeFileSync(config, JSON.stringify({ report: path("hard-link") }));
    const run = ["run", path("input.arrow"), "-o", path("new.arrow")];
    const message = `--report: ${path("hard-link")} is ${same(`the input ${path("input.arrow")}`)}`;
    expectRefused(64, message, ...run, "--config", config);
  });

  test.each([
    `run ${DIGITS} --force -o`,
    `report ${DIGITS} --force -o`,
    "generate --rows 2 --classes 2 --force",
  ])("softjac %s never replaces what is not a regular file", (line) => {
    for (const [file, kind] of [
      ["symbolic-link", "a symbolic link"],
      ["dangling-link", "a symbolic link"],
      ["fifo", "a device or pipe"],
      ...(line.startsWith("run") ? [] : [["directory", "a directory"]]),
    ] as [string, string][]) {
      const message = `${path(file)} is ${kind}; choose another path`;
      expectRefused(73, message, ...line.split(" "), path(file));
    }
  });

  // Node decodes arguments, which shells pass on as bytes.
  test("a name that is not UTF-8 is rejected if no file has it", () => {
    const sh = (file: string, ...args: string[]) => {
      const script = `file=$(printf '${file}'); exec "$0" "$@" "$file"`;
      const words = ["-c", script, process.execPath, CLI, "run", DIGITS];
      return spawnSync("sh", [...words, "--force", "-o", ...args], {
        ...{ cwd: path("."), encoding: "utf8" },
      });
    };
    for (const [option, file, ...output] of [
      ["--output", "x\\376.arrow"],
      ["--output", "x\\376/"],
      ["--output", "x\\376/out.arrow"],
      ["--report", "x\\376", path("new.arrow"), "--report"],
      ["--metrics", "x\\376", path("new.arrow"), "--metrics"],
    ] as const) {
      const shown = file.replace("\\376", "\ufffd");
      expect(sh(file, ...output)).toMatchObject({
        status: 64,
        stderr: `softjac: ${option}: ${shown}: file names must be UTF-8; choose another name\n`,
      });
    }
    expect(stateOf(path)).toEqual(before);
    // A directory has this name.
    fs.mkdirSync(path("d\ufffd"));
    expect(sh("d\\357\\277\\275/out.arrow").status).toBe(0);
    expect(fs.readdirSync(path("d\ufffd"))).toEqual(["out.arrow"]);
    fs.rmSync(path("d\ufffd"), { recursive: true });
  });
});

test.each([
  `run ${DIGITS} -o ${at("made.arrow")}`,
  `generate ${at("made.arrows")} --rows 2 --classes 2`,
  `report ${at("results.arrow")} -o ${at("made.html")}`,
])(
  "softjac %s opens every file that it creates as a new file, without following links",
  (line) => {
    softjac("run", DIGITS, "-o", at("results.arrow"), "--quiet");
    const states = ["report", "metrics"].map(
      (name) => `--${name}=${at(`made-${name}`)}`,
    );
    const words = [...line.split(" "), ...states];
    const { status, stderr, calls } = recordedCalls(words);
    expect(status, stderr).toBe(0);
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_TRUNC } = fs.constants;
    const writable = calls.filter(
      ({ call, flags }) =>
        call === "open" &&
        (typeof flags === "string" ? flags !== "r" : Number(flags) & 3),
    );
    // Output, report, and metrics at the start and at the end.
    const names = writable.map(({ path }) => basename(path).split(".")[1]);
    const expected = ["made", "made-metrics", "made-metrics", "made-report"];
    expect(names.sort()).toEqual(expected);
    const bits = O_CREAT | O_EXCL | O_NOFOLLOW | O_TRUNC;
    for (const { flags, path } of writable) {
      expect(path).toMatch(/\/\.[\w-]+(\.\w+)?\.[0-9a-f-]+\.tmp$/);
      expect(Number(flags) & bits).toBe(O_CREAT | O_EXCL | O_NOFOLLOW);
    }
  },
);
