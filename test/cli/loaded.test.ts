import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
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

test("compiled code is kept in the cache directory of the user, if there is one", () => {
  // Node.js 20 has no such cache. Worker threads read the variable.
  const preload = at("cache.cjs");
  writeFileSync(
    preload,
    `require("module").enableCompileCache = (path) => console.log(path);
process.on("exit", () => console.log(process.env.NODE_COMPILE_CACHE));`,
  );
  const cacheOf = (env: Record<string, string>) =>
    spawnSync(process.execPath, ["-r", preload, CLI, "--version"], {
      encoding: "utf8",
      env,
      // Node.js tries without end to create a tree of directories in /proc.
      timeout: 60_000,
    }).stdout.split("\n");
  const home = at("home");
  mkdirSync(home);
  const none = cacheOf({});
  const [version = ""] = none;
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(none).toEqual([version, "undefined", ""]);
  const cache = `${home}/.cache/softjac`;
  expect(cacheOf({ HOME: home })).toEqual([cache, version, cache, ""]);
  expect(statSync(cache).mode & 0o777).toBe(0o700);
  const other = `${at("caches")}/softjac`;
  const both = { HOME: home, XDG_CACHE_HOME: at("caches") };
  expect(cacheOf(both)).toEqual([other, version, other, ""]);
  expect(cacheOf({ XDG_CACHE_HOME: "relative" })).toEqual(none);
  expect(cacheOf({ HOME: "/proc" })).toEqual(none);
  if (process.getuid?.() !== 0) return;
  chownSync(cache, 1, 1);
  expect(cacheOf({ HOME: home })).toEqual(none);
});
