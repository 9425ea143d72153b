import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { workDirectory } from "../support/logits-input.js";
import { hasProgram } from "../support/machine.js";
import { CLI, softjac } from "./support.js";

// Completions of shells with the script that softjac prints.

const at = workDirectory();
symlinkSync(CLI, at("softjac"));
const env = {
  ...process.env,
  PATH: `${dirname(at("softjac"))}:${process.env.PATH}`,
};

function scriptFor(shell: string): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [CLI, "completion"],
    { encoding: "utf8", env: { ...env, SHELL: `/bin/${shell}` } },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const path = at(`softjac.${shell}`);
  writeFileSync(path, stdout);
  return path;
}

test("bash offers commands, options and their values", () => {
  const script = scriptFor("bash");
  const offers = (line: string): string[] => {
    const words = line.split(" ");
    const list = words.map((word) => `'${word}'`).join(" ");
    const { stdout, stderr } = spawnSync(
      "bash",
      [
        "-c",
        `source '${script}'
COMP_WORDS=(${list}) COMP_CWORD=${words.length - 1}
_softjac_yargs_completions
printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { encoding: "utf8", env },
    );
    expect(stderr).toBe("");
    return stdout.trim().split("\n").filter(Boolean).sort();
  };
  expect(offers("softjac ru")).toEqual(["run", "run-shard"]);
  expect(offers("softjac run --la")).toEqual(["--label", "--layout"]);
  expect(offers("softjac run --chunk")).toEqual(["--chunk-rows"]);
  expect(offers("softjac run --layout ")).toEqual([
    "bsr",
    "coo",
    "csr",
    "dense",
    "factored",
    "packed",
  ]);
});

test.skipIf(!hasProgram("zsh"))("zsh completes in a terminal", () => {
  const source = scriptFor("zsh");
  // Runs a shell in a pseudo-terminal, and reads its output until the word appears.
  const program = `zmodload zsh/zpty
zpty shell zsh -f -i
type() {
  zpty -w -n shell "$1"
  local piece
  zpty -r shell piece "*\${~2}*" && print -r -- "found $2"
}
type "PROMPT=ready; autoload -U compinit; compinit -u -D; source '${source}'; print -r lo''aded"$'\\n' 'loaded*ready'
type $'softjac verif\\t' 'verif*y'
type $'x.arrow --samp\\t' 'samp*le'
zpty -d shell`;
  const { stdout } = spawnSync("zsh", ["-f", "-c", program], {
    encoding: "utf8",
    timeout: 60_000,
    env,
  });
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.trim()),
  ).toEqual(["found loaded*ready", "found verif*y", "found samp*le"]);
});

test("completion is a command", () => {
  expect(softjac("--help").stdout).toMatch(/^ {2}softjac completion /m);
});
