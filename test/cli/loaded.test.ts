import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { distFile } from "../support/dist.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const CLI = pathToFileURL(distFile("cli.js")).href;

/** What of Node a command has loaded when it ends. */
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

test("a run over an Arrow file pays for the start of nothing that it does without", () => {
  const input = at("in.arrow");
  writeLogits(input, { rows: 100, classes: 5, logit: (r, k) => r / (k + 1) });
  const loaded = loadedBy("run", input, "-o", at("out.arrow"), "--quiet");
  expect(loaded).toContain("NativeModule fs");
  // One of them takes as long as all of a small run's computing.
  for (const name of ["crypto", "zlib", "worker_threads"])
    expect(loaded).not.toContain(`NativeModule ${name}`);
});
