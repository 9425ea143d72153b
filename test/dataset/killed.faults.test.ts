import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CLI, softjac, wordsOf } from "../cli/support.js";
import { expectCode, start } from "../queue/processes.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { filesOf } from "../support/files-of.js";
import { hasProgram } from "../support/machine.js";
import {
  expectStatus,
  expectWhole,
  flip,
  keepingTime,
  killedAt,
  leftOf,
  partOf,
  publishedDatasets,
  recordsOf,
  writeFolder,
  writeRows,
} from "./support.js";

// A command is killed, or fails, at each of its calls that change the file system; the same command completes its work.

const { at, checked, whole, newOutput, copyOf } = await publishedDatasets();
const rows = at("rows");
writeRows(rows);

/** Kills a command before or after its calls, until it ends by itself. `check` gets what each killed command left. */
async function killEverywhere(
  when: string,
  newCopy: () => string,
  args: (output: string) => string[],
  check: (output: string, where: string) => Promise<void>,
): Promise<void> {
  // After a call is usually the same state as before the next: both tests together take every second state.
  for (let n = when === "before" ? 1 : 2; ; n += stepOf(4)) {
    const output = newCopy();
    const where = `${when} call ${n}`;
    const { code, stderr } = await killedAt(args(output), n, when);
    if (code === "SIGKILL") {
      await check(output, where);
      continue;
    }
    expect(code, stderr).toBe(0);
    expect(n).toBeGreaterThan(20);
    return;
  }
}

test.each(["before", "after"])(
  "a run killed %s a call: nothing is partly visible, and no shard is computed twice",
  async (when) => {
    const same = { inputs: [join(rows, "a")], shardRows: 800, threads: 1 };
    const reference = newOutput();
    await built.runDataset({ ...same, output: reference });
    const expected = filesOf(reference);
    await killEverywhere(
      when,
      newOutput,
      (output) =>
        wordsOf`run ${rows}/a -o ${output}/ --shard-rows 800 --threads 1`,
      async (output, where) => {
        const isVisible = fs.existsSync(output);
        if (isVisible) expect(filesOf(output), where).toEqual(expected);
        const done = recordsOf(output);
        const report = await built.runDataset({ ...same, output });
        if (!isVisible) expect(report.shardsUpToDate, where).toBe(done);
        expectWhole(output, expected, where);
      },
    );
  },
  600_000,
);

test.each(["before", "after"])(
  "a repair killed %s a call: every shard is valid or as before, and the next repair completes",
  async (when) => {
    const damaged = () => {
      const output = copyOf(checked);
      fs.rmSync(partOf(output, 0, 4));
      const part = partOf(output, 2, 4);
      keepingTime(part, () => flip(part));
      return output;
    };
    const before = filesOf(damaged());
    await killEverywhere(
      when,
      damaged,
      (output) => wordsOf`run-shard -o ${output} --repair --threads 1`,
      async (output, where) => {
        for (const [name, hash] of Object.entries(filesOf(output)))
          expect(
            [before[name], whole.checked[name]],
            `${where}: ${name}`,
          ).toContain(hash);
        await built.runShards({ output, repair: true, threads: 1 });
        // A process that was killed after its last shard leaves its directory.
        await built.removeStaleRuns({ output });
        expectWhole(output, whole.checked, where);
      },
    );
  },
  300_000,
);

test("one of three processes is killed: the others complete the dataset", async () => {
  const same = { inputs: [rows], shardRows: 40, threads: 1 };
  const reference = newOutput();
  await built.runDataset({ ...same, output: reference });
  // Each process makes some hundred calls.
  const calls = [4, 12, 25, 45, 70, 100];
  for (let round = 0; round < calls.length; round += stepOf(2)) {
    const output = newOutput();
    const args = wordsOf`run ${rows} -o ${output}/ --shard-rows 40 --quiet --threads 1`;
    const victim = killedAt(args, calls[round] as number, "before");
    for (const one of [start(args), start(args)]) await expectCode(one, 0);
    // It ends by itself if the others were quicker.
    const { code, stderr } = await victim;
    expect([0, "SIGKILL"], stderr).toContain(code);
    expect(filesOf(output), `round ${round}`).toEqual(filesOf(reference));
    await built.runDataset({ ...same, output });
    expect(leftOf(output)).toEqual([]);
  }
}, 60_000);

const size = { rows: 50, classes: 5 };
const two = await writeFolder(at("two"), ["a", "b"], size);
const argsOf = (output: string) =>
  wordsOf`run ${two} -o ${output}/ --shard-rows 50 --threads 1 --json`;
const sound = newOutput();
softjac(...argsOf(sound));

/** Expects that nothing is partly visible, and that the same run completes the dataset. */
async function expectContinues(output: string, n: number, where: string) {
  if (fs.existsSync(output))
    expect(filesOf(output), where).toEqual(filesOf(sound));
  // The library takes less time than another command.
  const options = { inputs: [two], output, shardRows: 50, threads: 1 };
  if (n > 1)
    expect(await built.runDataset(options), where).toMatchObject({ shards: 2 });
  else expectStatus(softjac(...argsOf(output)), 0);
  expectWhole(output, filesOf(sound), where);
}

/** Every second call is enough for each name, each directory and each kind of file. */
const STEP = stepOf(2);

test("EIO of fsync, link, rename or mkdir: 74, or 75 if shards are saved, and the same command continues", async () => {
  const counted = await killedAt(argsOf(newOutput()), 0, "fail-count");
  expect(counted.code, counted.stderr).toBe(0);
  const calls = Number(/calls: (\d+)/.exec(counted.stderr)?.[1]);
  // 2 directories, 7 names and 1 rename; 18 syncs before and after them (durable.test.ts lists them).
  expect(calls).toBe(28);
  for (let n = 1; n <= calls; n += STEP) {
    const output = newOutput();
    const where = `call ${n} of ${calls}`;
    const { code, stderr } = await killedAt(argsOf(output), n, "fail");
    const [, saved] =
      /^softjac: \/.*: EIO, the device failed; check the disk or the network file system(; [12] of 2 shards are done; run the same command again to continue)?$/m.exec(
        stderr,
      ) ?? expect.fail(`${where}: ${stderr}`);
    expect(code, `${where}: ${stderr}`).toBe(saved ? 75 : 74);
    await expectContinues(output, n, where);
  }
}, 120_000);

test.skipIf(!hasProgram("strace"))(
  "SIGKILL at system calls that change the file system",
  async () => {
    // On other machines they have other names; a name that does not exist is no error.
    const calls = [
      ...["?mkdir,?mkdirat", "?link,?linkat", "?unlink,?unlinkat", "?rmdir"],
      ...["?rename,?renameat,?renameat2", "fsync", "ftruncate"],
    ];
    // killEverywhere() has the same calls, but those that Node makes by itself.
    const step = stepOf(4);
    let killed = 0;
    for (const call of calls)
      for (let n = 1; ; n += step) {
        const output = newOutput();
        const { signal, status } = spawnSync(
          "strace",
          [
            // Without --seccomp-bpf, under which strace 6.1 counts no further than 1.
            ...["-f", "-qq", "-o", at("trace"), "-e", `trace=${call}`],
            ...["-e", `inject=${call}:signal=SIGKILL:when=${n}`],
            ...[process.execPath, CLI, ...argsOf(output)],
          ],
          // strace counts by thread: one makes all the calls.
          { env: { ...process.env, UV_THREADPOOL_SIZE: "1" } },
        );
        if (status === 0) break;
        expect(signal).toBe("SIGKILL");
        killed++;
        await expectContinues(output, n, `killed at ${call} ${n}`);
      }
    // Those of the test above (mkdir for each directory: 2 more), 2 sizes, and 8 removals. Other versions of Node make more.
    expect(killed * step).toBeGreaterThanOrEqual(40);
  },
  300_000,
);
