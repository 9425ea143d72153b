import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { distFile } from "../support/dist.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const CLI = pathToFileURL(distFile("cli.js")).href;

/** Modules of Node that a small run does not need. */
const SLOW_TO_LOAD = [
  ...["child_process", "cluster", "crypto", "dns", "http", "http2", "https"],
  ...["inspector", "readline", "repl", "tls", "worker_threads", "zlib"],
];

/** Returns the modules of Node that a command has loaded when it ends. */
function loadedBy(...args: string[]): string[] {
  const script = `
    process.argv.push(...${JSON.stringify(args)});
    await import(${JSON.stringify(CLI)});
    process.stderr.write(JSON.stringify(process.moduleLoadList));`;
  const { stderr, status } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", script, "softjac"],
    { encoding: "utf8" },
  );
  expect(status, stderr).toBe(0);
  return JSON.parse(stderr) as string[];
}

test("a run over an Arrow file loads no module that it does not need", () => {
  const input = at("in.arrow");
  writeLogits(input, { rows: 100, classes: 5, logit: (r, k) => r / (k + 1) });
  const loaded = loadedBy("run", input, "-o", at("out.arrow"), "--quiet");
  expect(loaded).toContain("NativeModule fs");
  // Loading one of them takes as long as computing a small run.
  for (const name of SLOW_TO_LOAD)
    expect(loaded).not.toContain(`NativeModule ${name}`);
});

test("moduleLoadList has these names", () => {
  const imports = SLOW_TO_LOAD.map((name) => `import "node:${name}";`).join("");
  const script = `${imports}
    process.stderr.write(JSON.stringify(process.moduleLoadList));`;
  const { stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", script],
    { encoding: "utf8" },
  );
  expect(JSON.parse(stderr)).toEqual(
    expect.arrayContaining(SLOW_TO_LOAD.map((name) => `NativeModule ${name}`)),
  );
});
