import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { workDirectory } from "../support/logits-input.js";
import { hasProgram } from "../support/machine.js";
import { softjac } from "./support.js";

// What shells themselves make of the scripts.

const at = workDirectory();
const script = (shell: string) => {
  const { status, stdout, stderr } = softjac("completion", shell);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const path = at(`softjac.${shell}`);
  writeFileSync(path, stdout);
  return path;
};

/** Words that a shell offers at the end of a line. */
const OFFERS: Record<string, (line: string) => string[]> = {
  bash(line) {
    const words = line.split(" ");
    const list = words.map((word) => `'${word}'`).join(" ");
    const { stdout, stderr } = spawnSync(
      "bash",
      [
        "-c",
        `source '${at("softjac.bash")}'
compopt() { :; }
COMP_WORDS=(${list}) COMP_CWORD=${words.length - 1}
_softjac
printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { encoding: "utf8" },
    );
    expect(stderr).toBe("");
    return stdout.trim().split("\n").filter(Boolean);
  },
  fish(line) {
    const { stdout, stderr } = spawnSync(
      "fish",
      ["-c", `source '${at("softjac.fish")}'; complete -C '${line}'`],
      { encoding: "utf8", env: { ...process.env, HOME: at(".") } },
    );
    expect(stderr).toBe("");
    return stdout
      .trim()
      .split("\n")
      .map((found) => found.split("\t")[0] as string)
      .filter(Boolean);
  },
};

for (const [shell, offers] of Object.entries(OFFERS))
  test.skipIf(!hasProgram(shell))(
    `${shell} offers commands, options, and their values`,
    () => {
      script(shell);
      expect(offers("softjac ru").sort()).toEqual(["run", "run-shard"]);
      expect(offers("softjac run --la").sort()).toEqual([
        "--label",
        "--layout",
      ]);
      expect(offers("softjac run --layout ").sort()).toEqual([
        "bsr",
        "coo",
        "csr",
        "dense",
        "factored",
        "packed",
      ]);
      expect(offers("softjac run --emit softmax,log_j").sort()).toEqual([
        "softmax,log_jacobian",
        "softmax,log_jvp",
      ]);
      expect(offers("softjac run --no-s")).toEqual(["--no-sync"]);
      expect(offers("softjac status --th")).toEqual([]);
      expect(offers("softjac completion z")).toEqual(["zsh"]);
    },
  );

test.skipIf(!hasProgram("zsh"))("zsh completes, in a terminal", () => {
  const source = script("zsh");
  // A shell in a pseudo-terminal of zsh's own, which is typed to; what it prints is read until it shows the word.
  const program = `zmodload zsh/zpty
zpty shell zsh -f -i
type() {
  zpty -w -n shell "$1"
  local piece
  zpty -r shell piece "*\${~2}*" && print -r -- "found $2"
}
type "PROMPT=ready; autoload -U compinit; compinit -u -D; source '${source}'; print -r lo''aded"$'\\n' 'loaded*ready'
type $'softjac verif\\t' 'verif*y'
type $'x.arrow --tol\\t' 'tol*erance'
type $'\\x15softjac run --layout pa\\t' 'pa*cked'
type $'\\x15softjac completion f\\t' 'f*ish'
zpty -d shell`;
  const { stdout } = spawnSync("zsh", ["-f", "-c", program], {
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.trim()),
  ).toEqual([
    "found loaded*ready",
    "found verif*y",
    "found tol*erance",
    "found pa*cked",
    "found f*ish",
  ]);
});

test("another shell, or none, is refused", () => {
  expect(softjac("completion", "fih")).toMatchObject({
    status: 64,
    stderr:
      "softjac: expected one of bash, zsh, fish, found fih (did you mean fish?)\n",
  });
  expect(softjac("completion").status).toBe(64);
});
