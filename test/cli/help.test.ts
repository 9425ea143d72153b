import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.js";
import { flagsOf, kebab } from "../../src/cli/command.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { suggestion } from "../../src/cli/unknown.js";
import type { OptionSpec } from "../../src/options/options-table.js";
import { workDirectory } from "../support/logits-input.js";
import { hasProgram } from "../support/machine.js";
import { CLI, DIGITS, softjac, softjacIn } from "./support.js";

// Help, version, completion and colors; exit-codes.test.ts has invalid command lines.

const at = workDirectory();

async function helpOf(...words: string[]): Promise<string> {
  const line = await parseArguments([...words, "--help"], COMMANDS);
  if (line.kind !== "print") throw new Error("expected help");
  return line.text;
}

/** Returns the long options in a help text, in order. */
function listed(help: string): string[] {
  const flags = /^ {2}(?:-\w, (?:-\w, )?| {4})--([\w-]+)/gm;
  return [...help.matchAll(flags)].map(([, name]) => name as string).sort();
}

/** Returns the names of options, including those that every command has. */
function namesIn(options: readonly OptionSpec[]): string[] {
  const names = options.map(({ name }) => kebab(name));
  return [...new Set([...names, "help", "version", "all"])].sort();
}

test.each(COMMANDS)("the help of $name", async (command) => {
  const options = flagsOf(command);
  const help = await helpOf(command.name);
  const lines = help.split("\n");
  expect(lines.length).toBeLessThanOrEqual(36);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(
    80,
  );
  const common = options.filter(({ name }) => command.common.includes(name));
  expect(common.length).toBe(command.common.length);
  expect(listed(help)).toEqual(namesIn(common));

  const all = await helpOf(command.name, "--all");
  expect(listed(all)).toEqual(namesIn(options));
  for (const { name, group } of options) {
    const [before = ""] = all.split(
      new RegExp(`^.{6}--${kebab(name)}(?: |$)`, "m"),
    );
    expect([...before.matchAll(/^(\S+):$/gm)].at(-1)?.[1]).toBe(group);
  }
  const isOfQueue = ["submit", "worker", "wait"].includes(command.name);
  expect(all.includes("SOFTJAC_QUEUE_PASSWORD")).toBe(isOfQueue);
  expect(all).not.toContain("--queue-password");
});

test("softjac --help lists every command; without arguments it is an error", async () => {
  const help = await helpOf();
  for (const { name, summary } of COMMANDS) {
    expect(help).toMatch(new RegExp(`^ {2}softjac ${name}( |$)`, "m"));
    expect(help.replace(/\s+/g, " ")).toContain(summary);
  }
  expect(help).toMatch(/^ {2}softjac completion /m);
  expect(softjac()).toEqual({ status: 64, stdout: "", stderr: `${help}\n` });
});

test("help COMMAND, -h, -V, -v", async () => {
  const help = { status: 0, stdout: `${await helpOf("show")}\n`, stderr: "" };
  expect(softjac("help", "show")).toEqual(help);
  expect(softjac("show", "-h")).toEqual(help);
  const all = softjac("--help");
  for (const line of [["help"], ["help", "completion"]])
    expect(softjac(...line)).toEqual(all);
  expect(softjac("completion", "--help")).toEqual(all);
  const stdout = expect.stringMatching(/^\d+\.\d+\.\d+\n$/);
  for (const word of ["--version", "-V", "-v"])
    expect(softjac(word)).toEqual({ status: 0, stdout, stderr: "" });
});

test.each([
  ["frobnicate", ["run", "verify"]],
  ["--limit", ["--emit", "--input"]],
  ["", ["run"]],
  ["x", []],
])("no suggestion for %j", (name, names) => {
  expect(suggestion(name, names)).toBe("");
});

test("--no-color and NO_COLOR override FORCE_COLOR", () => {
  const output = at("shown.arrow");
  softjac("run", DIGITS, "-o", output, "--quiet");
  const hasColors = (NO_COLOR: string, ...more: string[]) =>
    softjacIn(
      { env: { FORCE_COLOR: "1", NO_COLOR } },
      ...["show", output, "--row", "1", ...more],
    ).stdout.includes("\x1b");
  expect(hasColors("")).toBe(true);
  expect(hasColors("1")).toBe(false);
  expect(hasColors("", "--no-color")).toBe(false);
});

describe("completion in", () => {
  symlinkSync(CLI, at("softjac"));
  const PATH = `${dirname(at("softjac"))}:${process.env.PATH}`;
  const options = { encoding: "utf8", timeout: 60_000 } as const;

  /** Runs a script of a shell with the path of softjac's completion script as $1. */
  function inShell(shell: string, script: string): string[] {
    const env = { ...process.env, PATH, SHELL: `/bin/${shell}` };
    const made = spawnSync("softjac", ["completion"], { ...options, env });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    writeFileSync(at(shell), made.stdout);
    const words = ["-c", script, shell, at(shell)];
    const { stdout, stderr } = spawnSync(shell, words, { ...options, env });
    expect(stderr).toBe("");
    return stdout
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  }

  test("a shell that is named, whatever SHELL is", () => {
    const env = { ...process.env, PATH, SHELL: "/bin/bash" };
    const call = (...args: string[]) =>
      spawnSync("softjac", ["completion", ...args], { ...options, env });
    expect(call("zsh").stdout).toMatch(/^#compdef softjac/);
    expect(call("bash").stdout).toBe(call().stdout);
    expect(call("fish")).toMatchObject({
      ...{ status: 64, stdout: "" },
      stderr:
        "softjac: completion: expected bash or zsh, found fish; without a name, SHELL decides\n",
    });
  });

  test("bash", () => {
    const LINES: Record<string, string> = {
      "softjac ru": "run run-shard",
      "softjac run --la": "--label --layout",
      "softjac run --chunk": "--chunk-rows",
      "softjac run --layout ": "bsr coo csr dense factored packed",
    };
    const completed = Object.keys(LINES).map((line) => {
      const words = line.split(" ").map((word) => `'${word}'`);
      return `COMP_WORDS=(${words.join(" ")}) COMP_CWORD=${words.length - 1}
_softjac_yargs_completions
echo $(printf '%s\\n' "\${COMPREPLY[@]}" | sort)`;
    });
    const script = ['source "$1"', ...completed].join("\n");
    expect(inShell("bash", script)).toEqual(Object.values(LINES));
  });

  test.skipIf(!hasProgram("zsh"))("zsh", () => {
    // Runs a shell in a pseudo-terminal, and reads its output until the word appears.
    const script = `zmodload zsh/zpty
zpty shell zsh -f -i
type() {
  zpty -w -n shell "$1"
  local piece
  zpty -r shell piece "*\${~2}*" && print -r -- "found $2"
}
type "PROMPT=ready; autoload -U compinit; compinit -u -D; source '$1'; print -r lo''aded"$'\\n' 'loaded*ready'
type $'softjac verif\\t' 'verif*y'
type $'x.arrow --samp\\t' 'samp*le'
zpty -d shell`;
    expect(inShell("zsh", script)).toEqual(
      ["loaded*ready", "verif*y", "samp*le"].map((word) => `found ${word}`),
    );
  });
});
