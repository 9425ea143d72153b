import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { kebab } from "../../src/cli/command.js";
import { optionsOf } from "../../src/options/options-table.js";
import { CLI, DIGITS } from "../cli/support.js";
import { commandsOf } from "../support/examples.js";
import { workDirectory } from "../support/logits-input.js";
import { endRedis, startRedis, test } from "./redis.js";

// The commands of the manual and the examples.

const at = workDirectory();
const redis = await startRedis();
afterAll(endRedis);
const doc = new URL("../../docs/queue.md", import.meta.url);
const manual = readFileSync(fileURLToPath(doc), "utf8");
const env = { ...process.env, SOFTJAC_QUEUE: redis.url };

test("every command of docs/queue.md runs", () => {
  const cwd = at("manual");
  mkdirSync(cwd);
  const [, script = ""] = /```sh\n(.*?)```/s.exec(manual) ?? [];
  expect(script.match(/^softjac /gm)).toHaveLength(4);
  const commands = script.replace(/^export SOFTJAC_QUEUE=.*$/m, "");
  expect(commands).not.toBe(script);
  const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  const words = ["-ec", `${softjac}\n${commands}`];
  execFileSync("bash", words, { cwd, env, stdio: "pipe" });
  expect(existsSync(join(cwd, "jacobian/_SUCCESS"))).toBe(true);
});

test("docs/queue.md states the defaults of the options table", () => {
  const stated = manual.matchAll(
    /`--([a-z-]+)`(?:,| seconds| times)? \(?(\d+)(?: s)?\)/g,
  );
  const found = Array.from(stated, ([, name, value]) => [name, Number(value)]);
  expect(found.length).toBeGreaterThan(5);
  const specs = optionsOf("submit", "wait", "worker");
  const defaults = specs.map((spec) => [kebab(spec.name), spec.default]);
  expect(defaults).toEqual(expect.arrayContaining(found));
});

test.each(["queue/compose.yaml", "kubernetes/queue-workers.yaml"])(
  "the commands of examples/%s",
  (name) => {
    const cwd = at(name.replace("/", "-"));
    for (const input of ["train", "test"])
      cpSync(DIGITS, join(cwd, `logits/${input}.arrow`));
    const commands = new Map(
      commandsOf(name).map(([command = "", ...words]) => [
        command,
        words.map((word) => word.replace(/^\/data/, cwd)),
      ]),
    );
    expect(commands.size).toBe(3);
    for (const command of ["submit", "worker", "wait"]) {
      const args = [CLI, command, ...(commands.get(command) ?? [])];
      const { status, stderr } = spawnSync(process.execPath, args, {
        ...{ cwd, encoding: "utf8" },
        env: { ...env, SOFTJAC_IDLE_LIMIT: "1" },
      });
      expect(status, `${command}: ${stderr}`).toBe(0);
    }
    expect(existsSync(join(cwd, "jacobian/_SUCCESS"))).toBe(true);
  },
);
