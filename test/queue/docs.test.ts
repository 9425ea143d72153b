import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { optionsOf } from "../../src/options/options-table.js";
import { CLI, DIGITS } from "../cli/support.js";
import { commandsOf } from "../support/examples.js";
import { workDirectory } from "../support/logits-input.js";
import { endRedis, startRedis, test } from "./redis.js";

// The manual's and the examples' commands, against a real Redis.

const at = workDirectory();
const redis = await startRedis();
afterAll(endRedis);
const root = fileURLToPath(new URL("../..", import.meta.url));
const manual = readFileSync(join(root, "docs/queue.md"), "utf8");
const env = { ...process.env, SOFTJAC_QUEUE: redis.url };

function folderOfLogits(name: string): string {
  const folder = at(name);
  mkdirSync(join(folder, "logits"), { recursive: true });
  for (const input of ["train", "test"])
    copyFileSync(DIGITS, join(folder, "logits", `${input}.arrow`));
  return folder;
}

test("every command of docs/queue.md runs", () => {
  const cwd = at("manual");
  mkdirSync(cwd);
  const [, script = ""] = /```sh\n(.*?)```/s.exec(manual) ?? [];
  expect(script.match(/^softjac /gm)).toHaveLength(4);
  const commands = script.replace(/^export SOFTJAC_QUEUE=.*$/m, "");
  expect(commands).not.toBe(script);
  const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  execFileSync("bash", ["-ec", `${softjac}\n${commands}`], {
    cwd,
    env,
    stdio: "pipe",
  });
  expect(existsSync(join(cwd, "jacobian/_SUCCESS"))).toBe(true);
});

test("docs/queue.md gives the defaults that the tables have", () => {
  const flag = (name: string) =>
    `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const found = new Map(
    [
      ...manual.matchAll(
        /`(--[a-z-]+)`(?:,| seconds| times)? \(?(\d+)(?: s)?\)/g,
      ),
    ].map(([, name, value]) => [name, Number(value)]),
  );
  const specs = optionsOf("submit", "wait", "worker");
  let checked = 0;
  for (const spec of specs) {
    const value = found.get(flag(spec.name));
    if (value === undefined) continue;
    checked += 1;
    expect(value, spec.name).toBe("default" in spec ? spec.default : null);
  }
  expect(checked).toBeGreaterThan(5);
});

test.each(["queue/compose.yaml", "kubernetes/queue-workers.yaml"])(
  "the commands of examples/%s",
  (name) => {
    const cwd = folderOfLogits(name.replace("/", "-"));
    const order = ["submit", "worker", "wait"];
    const commands = commandsOf(name)
      .map(([command = "", ...words]) => [
        command,
        ...words.map((word) => word.replace(/^\/data/, cwd)),
      ])
      .sort(([a = ""], [b = ""]) => order.indexOf(a) - order.indexOf(b));
    expect(commands.map(([command]) => command)).toEqual(order);
    for (const args of commands) {
      const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], {
        cwd,
        encoding: "utf8",
        env: { ...env, SOFTJAC_IDLE_LIMIT: "1" },
      });
      expect(status, `${args.join(" ")}: ${stderr}`).toBe(0);
    }
    expect(existsSync(join(cwd, "jacobian/_SUCCESS"))).toBe(true);
  },
);
