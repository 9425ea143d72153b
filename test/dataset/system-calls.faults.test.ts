import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import { hasProgram } from "../support/machine.js";
import { leftOf, outputsIn, writeFolder } from "./outputs.js";

// Calls of the system that fail, and those that a process does not survive.

const at = workDirectory();
const newOutput = outputsIn(at);
const folder = await writeFolder(at("logits"), ["a", "b"], {
  rows: 50,
  classes: 5,
});
const args = (output: string) => [
  ...["run", folder, "-o", `${output}/`, "--shard-rows", "50"],
  ...["--threads", "1", "--json"],
];

const reference = newOutput();
softjac(...args(reference));
const expected = filesOf(reference);

/** Completes the run: the first time by the same command, later by the same call of the library, which takes less time. */
async function resume(output: string, n: number, where: string): Promise<void> {
  if (n > 1) {
    const options = { inputs: [folder], output, shardRows: 50, threads: 1 };
    expect(await built.runDataset(options), where).toMatchObject({ shards: 2 });
    return;
  }
  const { status, stderr } = softjac(...args(output));
  expect(status, `${where}: ${stderr}`).toBe(0);
}

/** Expects that nothing is half visible, and that the same run completes the dataset. */
async function expectGoesOn(
  output: string,
  n: number,
  where: string,
): Promise<void> {
  if (existsSync(output)) expect(filesOf(output), where).toEqual(expected);
  await resume(output, n, where);
  expect(filesOf(output), where).toEqual(expected);
  expect(leftOf(output), where).toEqual([]);
}

/** Every second call is enough for each name, each folder and each kind of file. */
const STEP = stepOf(2);

test("EIO of syncs, links, renames and mkdirs: 74, or 75 where shards are saved, and the same command goes on", async () => {
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
  for (let n = 1; n <= calls; n += STEP) {
    const output = newOutput();
    const where = `call ${n} of ${calls}`;
    const failed = start(output, { KILL_AT: `${n}`, KILL_WHEN: "fail" });
    const [, saved] =
      /^softjac: \/.*: EIO, the device failed; check the disk or the network file system(; [12] of 2 shards are done; run the same command again to continue)?$/m.exec(
        failed.stderr,
      ) ?? expect.fail(`${where}: ${failed.stderr}`);
    expect(failed.status, `${where}: ${failed.stderr}`).toBe(saved ? 75 : 74);
    await expectGoesOn(output, n, where);
  }
}, 120_000);

test.skipIf(!hasProgram("strace"))(
  "SIGKILL at calls that change the file system, as the system sees them",
  async () => {
    const start = (output: string, call: string, n: number) =>
      spawnSync(
        "strace",
        [
          // Without --seccomp-bpf, under which strace 6.1 counts no further than 1.
          ...["-f", "-qq", "-o", at("trace"), "-e", `trace=${call}`],
          ...["-e", `inject=${call}:signal=SIGKILL:when=${n}`],
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
      for (let n = 1; ; n += STEP) {
        const output = newOutput();
        const { signal, status } = start(output, call, n);
        if (status === 0) break;
        expect(signal).toBe("SIGKILL");
        killed++;
        await expectGoesOn(output, n, `killed at ${call} ${n}`);
      }
    // Those of the test above (mkdir for each folder: 2 more), 2 sizes, and 8 removals. Other versions of Node make more.
    expect(killed * STEP).toBeGreaterThanOrEqual(40);
  },
  300_000,
);
