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

function attempts(input: string, piped?: Buffer): [string, string][] {
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [ATTEMPTS, output, input],
    { encoding: "utf8", input: piped, timeout: HANGS_MS },
  );
  expect({ stderr, status, signal }).toEqual({
    stderr: "",
    status: 0,
    signal: null,
  });
  const { outcomes, peakBytes } = JSON.parse(stdout);
  expect(peakBytes).toBeLessThan(MOST_BYTES);
  return outcomes[input];
}

test.skipIf(!folder)(
  "whatever is tried on files that broke other readers, they are refused by name, and nothing is written",
  () => {
    const names = readdirSync(folder as string).filter(
      (name) => !name.endsWith(".md"),
    );
    expect(names).toHaveLength(55);
    for (const name of names) {
      const path = `${folder}/${name}`;
      const tried = [
        ...attempts(path),
        ...attempts("-", readFileSync(path)).map(([, code]) => ["-", code]),
      ];
      // What a file says of itself may be looked at where its values cannot be.
      for (const [attempt, code] of tried)
        if (attempt !== "inspect" || code !== "ok")
          expect(INPUT_ERRORS, `${name}, ${attempt}`).toContain(code);
      expect(existsSync(output)).toBe(false);
    }
  },
);
