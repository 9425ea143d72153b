import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { withMeanwhileAt } from "../support/at-each-call.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { filesOf } from "../support/files-of.js";
import { leftOf } from "./outputs.js";
import { flip, keepingTime, partOf, publishedDatasets } from "./published.js";

// A repair is killed at each of its calls, or finds another process at the same work.

const { checked, whole, copyOf } = await publishedDatasets();

test("another process repairs the dataset between any two calls of a repair", async () => {
  for (let n = 1; ; n += 2) {
    const output = copyOf(checked);
    keepingTime(partOf(output, 3), () => flip(partOf(output, 3)));
    const repair = () => built.runShards({ output, repair: true, threads: 1 });
    const { result, reached } = await withMeanwhileAt(n, repair, repair);
    expect(result.status, `call ${n}`).toMatch(/^(done|up to date)$/);
    expect(filesOf(output), `call ${n}`).toEqual(whole.checked);
    expect(leftOf(output), `call ${n}`).toEqual([]);
    if (!reached) {
      expect(n).toBeGreaterThan(30);
      return;
    }
  }
});

test.each(["before", "after"])(
  "a repair that is killed %s any call: every part is sound or as damaged as it was, and the next repair completes",
  async (when) => {
    const preload = fileURLToPath(new URL("kill-at.mjs", import.meta.url));
    const command = (output: string) => [
      ...["run-shard", "-o", output, "--repair", "--threads", "1"],
    ];
    const start = (output: string, env: Record<string, string>) =>
      spawnSync(
        process.execPath,
        ["--import", preload, CLI, ...command(output)],
        { encoding: "utf8", env: { ...process.env, ...env } },
      );
    const damaged = () => {
      const output = copyOf(checked);
      rmSync(partOf(output, 0));
      keepingTime(partOf(output, 2), () => flip(partOf(output, 2)));
      return output;
    };
    const broken = filesOf(damaged());
    // After a call is mostly the same moment as before the next: both tests together take every second moment.
    for (let n = when === "before" ? 1 : 2; ; n += stepOf(4)) {
      const output = damaged();
      const where = `${when} call ${n}`;
      const killAt = { KILL_AT: `${n}`, KILL_WHEN: when };
      const { signal, status, stderr } = start(output, killAt);
      if (signal === null) {
        expect(status, stderr).toBe(0);
        expect(n).toBeGreaterThan(20);
        return;
      }
      expect(signal, where).toBe("SIGKILL");
      for (const [name, hash] of Object.entries(filesOf(output)))
        expect(
          [broken[name], whole.checked[name]],
          `${where}: ${name}`,
        ).toContain(hash);
      await built.runShards({ output, repair: true, threads: 1 });
      expect(filesOf(output), where).toEqual(whole.checked);
      // A process that was killed after the last repair leaves its folder.
      await built.removeStaleRuns({ output });
      expect(leftOf(output), where).toEqual([]);
    }
  },
  300_000,
);
