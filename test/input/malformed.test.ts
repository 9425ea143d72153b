import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { workDirectory } from "../support/logits-input.js";
import { sharedFolder } from "../support/machine.js";

// Files that broke other readers of Arrow: found by fuzzing them, and kept since.

const at = workDirectory();
const output = at("out.arrow");
const folder = sharedFolder("malformed");
const ATTEMPTS = fileURLToPath(
  new URL("../support/attempts.mjs", import.meta.url),
);
const INPUT_ERRORS = [
  "ERR_INPUT_FORMAT",
  "ERR_INPUT_UNSUPPORTED",
  "ERR_LOGITS_COLUMN",
];
const MOST_BYTES = 512 * 2 ** 20;
const HANGS_MS = 60_000;

function attempts(
  inputs: string[],
  piped?: Buffer,
): Record<string, [attempt: string, code: string][]> {
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [ATTEMPTS, output, ...inputs],
    { encoding: "utf8", input: piped, timeout: HANGS_MS },
  );
  expect({ stderr, status, signal }).toEqual({
    stderr: "",
    status: 0,
    signal: null,
  });
  const { outcomes, peakBytes } = JSON.parse(stdout);
  expect(peakBytes).toBeLessThan(MOST_BYTES);
  return outcomes;
}

test.skipIf(!folder)(
  "whatever is tried on files that broke other readers, they are refused by name, and nothing is written",
  () => {
    const names = readdirSync(folder as string).filter(
      (name) => !name.endsWith(".md"),
    );
    expect(names).toHaveLength(55);
    const paths = names.map((name) => `${folder}/${name}`);
    const tried = Object.entries(attempts(paths));
    expect(tried).toHaveLength(55);
    // A stream is read from a file as well; a process for each pipe takes most of the time.
    for (const path of paths.filter((_, k) => k % 5 === 0))
      tried.push([
        `${path} by a pipe`,
        attempts(["-"], readFileSync(path))["-"] ?? [],
      ]);
    for (const [name, outcomes] of tried) {
      expect(outcomes.length, name).toBeGreaterThan(0);
      // What a file says of itself may be looked at where its values cannot be.
      for (const [attempt, code] of outcomes)
        if (attempt !== "inspect" || code !== "ok")
          expect(INPUT_ERRORS, `${name}, ${attempt}`).toContain(code);
    }
    expect(existsSync(output)).toBe(false);
  },
);
