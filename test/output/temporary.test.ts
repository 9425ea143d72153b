import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs, {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename, dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { processMark } from "../../src/io/temporary-names.js";
import { openPending } from "../../src/output/commit.js";
import {
  temporaryPathFor,
  WriteBack,
} from "../../src/output/temporary-file.js";
import { CLI, DIGITS } from "../cli/support.js";
import { built } from "../support/built.js";
import { canMount, mountSmall, unmount } from "../support/machine.js";
import { notDurable, recordedCalls } from "../support/recorded-calls.js";
import { refused } from "../support/refused.js";
import { runsIn } from "../support/runs.js";

const { at, run, write, files, input } = runsIn();
write({ rows: 5, classes: 3, logit: (r, k) => r * k });

describe("an output is synced before it gets its name, and its directory after", () => {
  const args = (output: string) => ["run", DIGITS, "-o", output, "--quiet"];

  test.each<[string, string, string[], Record<string, string>]>([
    ["link", "plain", [], {}],
    ["rename", "plain", ["--force"], {}],
    ["rename", "no-links", [], { LINK_FAILS: "EPERM" }],
    ["link", "one", ["--threads", "1"], {}],
    ["link", "entries", ["--layout", "coo", "--emit", "jacobian"], {}],
    ["link", "compressed", ["--compress", "lz4"], {}],
  ])("by a %s: %s %j %j", (call, name, more, env) => {
    const output = at(`${name}.arrow`);
    const words = [...args(output), ...more];
    const { calls, status, stderr } = recordedCalls(words, env);
    expect(status, stderr).toBe(0);
    const named = calls.filter(({ to, error }) => to === output && !error);
    expect(named).toMatchObject([{ call }]);
    expect(notDurable(calls)).toEqual([]);
  });

  test("--no-sync: nothing is synced", () => {
    const output = at("unsynced.arrow");
    const { calls, status } = recordedCalls([...args(output), "--no-sync"]);
    expect(status).toBe(0);
    expect(calls.filter(({ call }) => /sync$/.test(call))).toEqual([]);
    // The recorder detects missing syncs.
    expect(notDurable(calls)).toEqual([
      `${output}: not synced before its link`,
      `${output}: ${dirname(output)} not synced after its link`,
    ]);
  });
});

describe("temporary files that killed processes left", () => {
  // A process that started at another time: the number of this one is used again.
  const dead = processMark().replace(/\d+$/, "1");
  const nameOf = (output: string, mark = dead) =>
    temporaryPathFor(output).replace(processMark(), mark);
  const make = (path: string) => {
    writeFileSync(path, "left");
    return path;
  };

  test("are removed by the next run after a kill", async () => {
    const output = at("killed.arrow");
    const args = ["generate", output, "--rows", "1000000", "--classes", "100"];
    const child = spawn(process.execPath, [CLI, ...args]);
    while (files(/^\.killed/).length === 0) await setTimeout(5);
    child.kill("SIGKILL");
    await once(child, "close");
    expect(files(/^\.killed/)).toHaveLength(1);
    await run({ output });
    expect(files(/^\.killed/)).toEqual([]);
  });

  const long = "n".repeat(240);
  test.each(["by-run", `${long}.a`])(
    "are removed by a run to %s",
    async (name) => {
      const output = at(name);
      const stale = [nameOf(output), nameOf(output)].map(make);
      const other = make(nameOf(at(`${long}.b`)));
      await run({ output, sync: false });
      expect(existsSync(output)).toBe(true);
      expect([...stale, other].filter(existsSync)).toEqual([other]);
    },
  );

  test("are all that is removed", async () => {
    const output = at("out.arrow");
    const name = basename(make(nameOf(output)));
    const stay = [
      nameOf(at("out.arrows")),
      nameOf(at("out")),
      nameOf(output, processMark()),
      nameOf(output, dead.replace(/^.{8}/, "0123abcd")),
      nameOf(output, "00000000-0-12345-0"),
      ...[
        name.slice(1),
        `${name}.bak`,
        name.replace(/-[0-9a-f]{12}\.tmp$/, ".tmp"),
        name.replace(dead, `x-${dead}`),
        `.out.arrow.${process.pid}-0123456789ab.tmp`,
      ].map(at),
    ].map(make);
    const [link, folder] = [nameOf(output), nameOf(output)];
    symlinkSync(input, link);
    mkdirSync(folder);
    await run({ output });
    const all = [...stay, input, link, folder];
    expect(all.filter(existsSync)).toEqual(all);
    expect(existsSync(at(name))).toBe(false);
  });
});

/** Replaces a function of node:fs, or of node:fs/promises, while `act` runs. */
async function withFs(
  replaced: Record<string, unknown>,
  act: () => Promise<void>,
  module: object = fs,
): Promise<void> {
  const originals = Object.fromEntries(
    Object.keys(replaced).map((name) => [name, Reflect.get(module, name)]),
  );
  Object.assign(module, replaced);
  syncBuiltinESMExports();
  try {
    await act();
  } finally {
    Object.assign(module, originals);
    syncBuiltinESMExports();
  }
}

test("without hard links, a file that another run has published meanwhile stays", async () => {
  const path = at("raced.arrow");
  const pending = await openPending(path, 0, { force: false, sync: false });
  const link = async () => {
    writeFileSync(path, "theirs");
    throw Object.assign(new Error("no links here"), { code: "EPERM" });
  };
  await withFs(
    { link },
    () => refused(pending.commit(), "ERR_OUTPUT_EXISTS"),
    fs.promises,
  );
  await pending.discard();
  expect(readFileSync(path, "utf8")).toBe("theirs");
  expect(statSync(path).nlink).toBe(1);
});

describe("syncs while a file is written", () => {
  const STEP = 16 * 2 ** 20;

  test("an error of earlier bytes is thrown at the next write and at the end", async () => {
    // A device that cannot be synced.
    const fd = openSync("/dev/null", "r+");
    const writeBack = new WriteBack(fd);
    writeBack.reportWritten(STEP - 1);
    await writeBack.finished();
    writeBack.reportWritten(1);
    await refused(writeBack.finished(), "EINVAL");
    expect(() => writeBack.reportWritten(1)).toThrow("EINVAL");
    closeSync(fd);
  });

  test("there is one sync for many bytes", async () => {
    const fd = openSync(at("file"), "w");
    const original = fs.fdatasync;
    const synced: number[] = [];
    const fdatasync = (file: number, done: fs.NoParamCallback) => {
      synced.push(file);
      original(file, done);
    };
    await withFs({ fdatasync }, async () => {
      const writeBack = new WriteBack(fd);
      writeBack.reportWritten(STEP - 1);
      await writeBack.finished();
      expect(synced).toEqual([]);
      for (let n = 0; n < 5; n++) writeBack.reportWritten(STEP);
      await writeBack.finished();
      expect(new Set(synced)).toEqual(new Set([fd]));
    });
    closeSync(fd);
  });
});

describe.skipIf(!canMount())("a disk that fills", () => {
  const large = write(
    { rows: 5000, classes: 10, logit: (r, k) => Math.sin(r * r + k) },
    at("large.arrow"),
  );
  const FULL = ": could not be written: ENOSPC, no space left on its device";
  /** Appends to a file until its device is full. */
  const fillDisk = (path: string) => {
    const { bavail, bsize } = fs.statfsSync(dirname(path));
    fs.appendFileSync(path, new Uint8Array(bavail * bsize));
  };
  const onSmallDisk = async (act: (mount: string) => Promise<void>) => {
    const mount = at(`small-${readdirSync(at("")).length}`);
    expect(mountSmall(mount, "1m")).toBe(true);
    try {
      await act(mount);
    } finally {
      unmount(mount);
    }
  };

  test.each([
    { layout: "coo" },
    { layout: "csr" },
    { layout: "csr", compress: "lz4" },
    { layout: "bsr", compress: "zstd" },
  ] as const)(
    "ends a run whose size is unknown with one sentence: %j",
    (options) =>
      onSmallDisk(async (mount) => {
        const output = `${mount}/out.arrow`;
        const run = { input: large, output, threads: 2, ...options };
        await refused(built.run(run), "ERR_IO", `${output}${FULL}`);
        expect(readdirSync(mount)).toEqual([]);
      }),
  );

  test("during a run of known size, is an error of the output", () =>
    onSmallDisk(async (mount) => {
      const output = `${mount}/out.arrow`;
      const others = `${mount}/other`;
      const running = built.run(
        { input: large, output, emit: ["softmax"], threads: 1, chunkRows: 100 },
        // All the space that the output has not used yet.
        { onProgress: () => fillDisk(others) },
      );
      await refused(running, "ERR_IO", `${output}${FULL}`);
      expect(readdirSync(mount)).toEqual(["other"]);
    }));

  test("keeps the parts of a dataset, which continues when there is room", () =>
    onSmallDisk(async (mount) => {
      const output = `${mount}/out`;
      const options = { inputs: [large], output, shardRows: 400 };
      const full = /not enough disk space|no space left/;
      await refused(built.runDataset(options), "ERR_STOPPED", full);
      const { shardsDone, shards } = await built.dryRunDataset(options);
      expect(shardsDone).toBeGreaterThan(0);
      expect(shardsDone).toBeLessThan(shards);
      const [tmp] = readdirSync(mount).filter((name) => name.includes("__tmp"));
      expect(readdirSync(`${mount}/${tmp}`)).toEqual([]);
      spawnSync("mount", ["-o", "remount,size=64m", mount]);
      const done = { status: "done", shardsUpToDate: shardsDone };
      expect(await built.runDataset(options)).toMatchObject(done);
      expect(readdirSync(mount)).toEqual(["out"]);
    }));
});
