import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { start as startCommand } from "../queue/processes.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { leftOf, outputsIn, wipOf } from "./outputs.js";

// A run of a dataset is killed at each of its calls; the same command completes it.

const at = workDirectory();
const folder = at("logits");
const ROWS = { "a/1.arrow": 700, "a/2.arrow": 1, "b/c/3.arrow": 1500 };
for (const [k, [name, rows]] of Object.entries(ROWS).entries()) {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeLogits(join(folder, name), {
    rows,
    classes: 4,
    batchRows: [333],
    logit: (r, j) => Math.sin(r * 31 + j * 7 + k) * 6,
  });
}
const newOutput = outputsIn(at);

describe("killed at any call that changes the file system", () => {
  const preload = fileURLToPath(new URL("kill-at.mjs", import.meta.url));
  const small = [
    "run",
    join(folder, "a"),
    "--shard-rows",
    "800",
    "--json",
    "--threads",
    "1",
  ];
  const start = (output: string, env: Record<string, string>) =>
    spawnSync(
      process.execPath,
      ["--import", preload, CLI, ...small, "-o", `${output}/`],
      { encoding: "utf8", env: { ...process.env, ...env } },
    );

  test.each(["before", "after"])(
    "%s it: the same bytes, nothing half visible, nothing made twice",
    async (when) => {
      const same = { inputs: [join(folder, "a")], shardRows: 800, threads: 1 };
      const reference = newOutput();
      await built.runDataset({ ...same, output: reference });
      const expected = filesOf(reference);
      // After a call is mostly the same moment as before the next: both tests together take every second moment.
      for (let n = when === "before" ? 1 : 2; ; n += stepOf(4)) {
        const output = newOutput();
        const where = `${when} call ${n}`;
        const killAt = { KILL_AT: `${n}`, KILL_WHEN: when };
        const { signal, status, stderr } = start(output, killAt);
        if (signal === null) {
          expect(status, stderr).toBe(0);
          expect(n).toBeGreaterThan(20);
          return;
        }
        expect(signal, where).toBe("SIGKILL");
        const visible = existsSync(output);
        if (visible) expect(filesOf(output), where).toEqual(expected);
        const commits = join(wipOf(output) ?? "none", "_commits");
        const done = existsSync(commits) ? readdirSync(commits).length : 0;
        const report = await built.runDataset({ ...same, output });
        if (!visible) expect(report.shardsUpToDate, where).toBe(done);
        expect(filesOf(output), where).toEqual(expected);
        expect(leftOf(output), where).toEqual([]);
      }
    },
    600_000,
  );
});

describe("several processes at once", () => {
  const args = (output: string) => [
    "run",
    folder,
    "-o",
    `${output}/`,
    "--shard-rows",
    "40",
    "--quiet",
    "--threads",
    "1",
  ];
  const start = (output: string, killAt?: number) =>
    startCommand(args(output), {
      ...(killAt && { preload: ["../dataset/kill-at.mjs"] }),
      env: { KILL_AT: `${killAt}`, KILL_WHEN: "before" },
    }).ended;

  test("all end well, with the bytes of one; who is killed leaves nothing", async () => {
    const reference = newOutput();
    const same = { inputs: [folder], shardRows: 40, threads: 1 };
    await built.runDataset({ ...same, output: reference });
    const expected = filesOf(reference);
    // Each process makes some hundred calls.
    const calls = [4, 12, 25, 45, 70, 100];
    for (let round = 0; round < calls.length; round += stepOf(2)) {
      const output = newOutput();
      const [victim, ...others] = [
        start(output, calls[round]),
        start(output),
        start(output),
      ] as const;
      for (const ended of others) {
        const { code, stderr } = await ended;
        expect(code, stderr).toBe(0);
      }
      // The victim ends by itself if the others were quicker.
      const { code, stderr } = await victim;
      expect([0, "SIGKILL"], stderr).toContain(code);
      expect(filesOf(output), `round ${round}`).toEqual(expected);
      await built.runDataset({ ...same, output });
      expect(leftOf(output)).toEqual([]);
    }
  }, 60_000);
});
