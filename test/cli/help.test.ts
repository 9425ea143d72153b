import { describe, expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.js";
import { flagsOf } from "../../src/cli/command.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { kebab } from "../../src/cli/flags.js";
import { suggestion } from "../../src/cli/unknown.js";
import type { OptionSpec } from "../../src/options/options-table.js";
import { workDirectory } from "../support/logits-input.js";
import { DIGITS, softjac, softjacIn } from "./support.js";

const at = workDirectory();

async function helpOf(words: string[], columns = 80): Promise<string> {
  const line = await parseArguments([...words, "--help"], COMMANDS, {
    columns,
  });
  if (line.kind !== "print") throw new Error("expected help");
  return line.text;
}

/** Returns the long options in a help text, in order. */
function listed(help: string): string[] {
  return [...help.matchAll(/^ {2}(?:-\w, (?:-\w, )?| {4})--([\w-]+)/gm)].map(
    ([, name]) => name as string,
  );
}

/** Returns the names of options, including those that every command has. */
function namesIn(options: readonly OptionSpec[]): string[] {
  const names = options.map(({ name }) => kebab(name));
  return [...new Set([...names, "help", "version", "all"])].sort();
}

describe.each(COMMANDS.map((command) => [command.name, command] as const))(
  "the help of %s",
  (name, command) => {
    const options = flagsOf(command);

    test("has at most a screen and a half, with the common options", async () => {
      const help = await helpOf([name]);
      expect(softjac(name, "--help").stdout).toBe(`${help}\n`);
      expect(help.split("\n").length).toBeLessThanOrEqual(36);
      const common = options.filter((o) => command.common.includes(o.name));
      expect(common.length).toBe(command.common.length);
      expect(listed(help).sort()).toEqual(namesIn(common));
      for (const line of help.split("\n"))
        expect(line.length, line).toBeLessThanOrEqual(80);
    });

    test("with --all has every option once, in its group", async () => {
      const help = await helpOf([name, "--all"]);
      expect(listed(help).sort()).toEqual(namesIn(options));
      for (const option of options) {
        const row = new RegExp(`^ {2}.{4}--${kebab(option.name)}(?: |$)`, "m");
        const before = help.slice(0, help.search(row));
        expect([...before.matchAll(/^(\S+):$/gm)].at(-1)?.[1]).toBe(
          option.group,
        );
      }
    });
  },
);

test("softjac --help lists every command", async () => {
  const help = await helpOf([]);
  for (const { name, summary } of COMMANDS) {
    expect(help).toMatch(new RegExp(`^ {2}softjac ${name}( |$)`, "m"));
    expect(help.replace(/\s+/g, " ")).toContain(summary);
  }
});

test("softjac without arguments prints help on standard error and exits with 64", async () => {
  expect(softjac()).toMatchObject({
    status: 64,
    stdout: "",
    stderr: `${await helpOf([])}\n`,
  });
});

test("help COMMAND, -h, -V, -v", async () => {
  const help = { status: 0, stdout: `${await helpOf(["show"])}\n`, stderr: "" };
  for (const words of [
    ["help", "show"],
    ["show", "-h"],
  ])
    expect(softjac(...words)).toMatchObject(help);
  const version = { status: 0, stderr: "" };
  for (const word of ["--version", "-V", "-v"]) {
    const found = softjac(word);
    expect(found).toMatchObject(version);
    expect(found.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  }
});

test.each(
  Object.entries({
    rnu: 'unknown command "rnu"; did you mean run?',
    "run a -o b --treshold 1":
      'unknown option --treshold for "softjac run"; did you mean --threshold?',
    "show a --foo --bar":
      'unknown options --foo, --bar for "softjac show"; run "softjac show --help --all" for the list',
    "run a -o b --status-file c":
      "--status-file was removed; use --metrics FILE, --log-format json or softjac status",
    "run a -o b --no-tensor-type":
      "--tensor-type was removed; the jacobian column is always marked as a tensor",
    "run a -o": "option -o needs a value",
    "run a -o b -o c": "--output is given 2 times; give it once",
    "run a -o b --force=yes": "--force takes no value",
    "run a -o b --layout bsx":
      '--layout: expected one of bsr, packed, csr, coo, factored, dense, found "bsx"; did you mean bsr?',
    "generate a --rows 1 --classes 2 --kind flat":
      '--kind: expected one of notebook, normal, peaked, found "flat"',
    "run a -o b --threads abc":
      '--threads: expected a whole number, found "abc"',
    "show --row 1":
      'missing argument <results>: output file or directory; run "softjac show --help"',
    "run a": 'missing required option -o/--output; run "softjac run --help"',
    "show a b --row 1":
      'unexpected argument "b"; softjac show takes one output file or directory',
    "worker x": 'unexpected argument "x"; softjac worker takes options only',
  }),
)("softjac %s: 64 and one sentence", (line, message) => {
  expect(softjac(...line.split(" "))).toMatchObject({
    status: 64,
    stdout: "",
    stderr: `softjac: ${message}\n`,
  });
});

test("unknown names that resemble no option have no suggestion", () => {
  expect(suggestion("frobnicate", ["run", "verify"])).toBe("");
  expect(suggestion("--limit", ["--emit", "--input"])).toBe("");
  expect(suggestion("", ["run"])).toBe("");
  expect(suggestion("x", [])).toBe("");
});

test("--no-color and NO_COLOR print no escape sequences, even if the environment forces colors", () => {
  const output = at("shown.arrow");
  expect(softjac("run", DIGITS, "-o", output, "--quiet").status).toBe(0);
  const shown = (NO_COLOR: string, ...more: string[]) =>
    softjacIn(
      { env: { FORCE_COLOR: "1", NO_COLOR } },
      ...["show", output, "--row", "1", ...more],
    ).stdout;
  expect(shown("")).toContain("\u001b[");
  expect(shown("1")).not.toContain("\u001b");
  expect(shown("", "--no-color")).not.toContain("\u001b");
});

test("the command is the first word, also if an argument has the name of another", () => {
  const planned = at("run");
  const plan = softjac("plan", DIGITS, "-o", planned);
  expect(plan.status).toBe(0);
  expect(plan.stderr).toContain("planned, 1 shards");
  expect(softjac("inspect", "run")).toMatchObject({
    status: 66,
    stderr: "softjac: run: no such file or directory\n",
  });
  expect(softjac("foo", "run", DIGITS).stderr).toMatch(/unknown command "foo"/);
});
