import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { CLI } from "./support.js";

const at = workDirectory();

/** Modules of Node that a small run does not need; loading one takes as long as the run. */
const SLOW = [
  ...["child_process", "cluster", "crypto", "dns", "http", "http2", "https"],
  ...["inspector", "readline", "repl", "tls", "worker_threads", "zlib"],
].map((name) => `NativeModule ${name}`);

/** Returns the slow modules that a script has loaded when it ends. */
function loadedBy(script: string): string[] {
  const { stderr } = spawnSync(
    process.execPath,
    [
      ...["--input-type=module", "-e"],
      `${script}; process.stderr.write(JSON.stringify(process.moduleLoadList));`,
      "softjac",
    ],
    { encoding: "utf8" },
  );
  const loaded: string[] = JSON.parse(stderr);
  return SLOW.filter((name) => loaded.includes(name));
}

test("a run over an Arrow file loads no slow module of Node", () => {
  const input = at("in.arrow");
  writeLogits(input, { rows: 100, classes: 5, logit: (r, k) => r / (k + 1) });
  const args = ["run", input, "-o", at("out.arrow"), "--quiet"];
  const cli = pathToFileURL(CLI).href;
  const run = `process.argv.push(...${JSON.stringify(args)}); await import("${cli}")`;
  expect(loadedBy(run)).toEqual([]);
  const names = SLOW.map((name) => name.replace("NativeModule ", "node:"));
  expect(loadedBy(names.map((name) => `import "${name}"`).join(";"))).toEqual(
    SLOW,
  );
});
