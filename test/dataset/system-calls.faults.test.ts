import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import { hasProgram } from "../support/machine.js";

// Calls of the system that fail, and those that a process does not survive.

const at = workDirectory();
const folder = at("logits");
mkdirSync(folder);
for (const [seed, name] of ["a", "b"].entries())
  await built.generate({
    output: join(folder, `${name}.arrow`),
    rows: 50,
    classes: 5,
    seed,
  });
let names = 0;
const newOutput = () => at(`out-${names++}`);
const args = (output: string) => [
  ...["run", folder, "-o", `${output}/`, "--shard-rows", "50"],
  ...["--threads", "1", "--json"],
];

const reference = newOutput();
softjac(...args(reference));
const expected = filesOf(reference);

function leftOf(output: string): string[] {
  return readdirSync(dirname(output)).filter((name) =>
    name.startsWith(`${basename(output)}.__`),
  );
}

/** Nothing half visible; the same command completes it. */
function expectGoesOn(output: string, where: string): void {
  if (existsSync(output)) expect(filesOf(output), where).toEqual(expected);
  const again = softjac(...args(output));
  expect(again.status, `${where}: ${again.stderr}`).toBe(0);
  expect(filesOf(output), where).toEqual(expected);
  expect(leftOf(output), where).toEqual([]);
}

test("EIO of every sync, link, rename and mkdir: 74, or 75 where shards are saved, and the same command goes on", () => {
  const preload = fileURLToPath(new URL("kill-at.mjs", import.meta.url));
  const start = (output: string, env: Record<string, string>) =>
    spawnSync(process.execPath, ["--import", preload, CLI, ...args(output)], {
      encoding: "utf8",
      env: { ...process.env, ...env },
    });
  const counted = start(newOutput(), { KILL_WHEN: "fail-count" });
  expect(counted.status, counted.stderr).toBe(0);
  const calls = Number(/calls: (\d+)/.exec(counted.stderr)?.[1]);
  // 2 folders, 7 names and 1 rename; 18 syncs before and after them (durable.test.ts lists them).
  expect(calls).toBe(28);
  for (let n = 1; n <= calls; n++) {
    const output = newOutput();
    const where = `call ${n} of ${calls}`;
    const failed = start(output, { KILL_AT: `${n}`, KILL_WHEN: "fail" });
    const [, saved] =
      /^softjac: \/.*: EIO, the device failed; check the disk or the network file system(; [12] of 2 shards are done; run the same command again to continue)?$/m.exec(
        failed.stderr,
      ) ?? expect.fail(`${where}: ${failed.stderr}`);
    expect(failed.status, `${where}: ${failed.stderr}`).toBe(saved ? 75 : 74);
    expectGoesOn(output, where);
  }
}, 120_000);

test.skipIf(!hasProgram("strace"))(
  "SIGKILL at every call that changes the file system, as the system sees them",
  () => {
    const start = (output: string, inject: string) =>
      spawnSync(
        "strace",
        [
          ...["-f", "-qq", "-o", at("trace"), "-e", inject],
          ...[process.execPath, CLI, ...args(output)],
        ],
        // strace counts by thread: one makes all the calls.
        { encoding: "utf8", env: { ...process.env, UV_THREADPOOL_SIZE: "1" } },
      );
    // On other machines they have other names; a name that is not there is no error.
    const calls = [
      ...["?mkdir,?mkdirat", "?link,?linkat", "?unlink,?unlinkat", "?rmdir"],
      ...["?rename,?renameat,?renameat2", "fsync", "ftruncate"],
    ];
    let killed = 0;
    for (const call of calls)
      for (let n = 1; ; n++) {
        const output = newOutput();
        const inject = `inject=${call}:signal=SIGKILL:when=${n}`;
        const { signal, status } = start(output, inject);
        if (status === 0) break;
        expect(signal).toBe("SIGKILL");
        killed++;
        expectGoesOn(output, `killed at ${call} ${n}`);
      }
    // Those of the test above (mkdir for each folder: 2 more), 2 sizes, and 8 removals. Other versions of Node make more.
    expect(killed).toBeGreaterThanOrEqual(40);
  },
  300_000,
);
