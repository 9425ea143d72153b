import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CLI, DIGITS } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { built } from "../support/built.js";
import { changeAfterRead } from "../support/change-after-read.js";
import { fixture, type Options } from "../support/input-runs.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// Inputs that change while they are read. Each change is made right after the command's own first read of the file.

const at = workDirectory();
const ROWS = 40;
const CLASSES = 3;
const LONG_AGO = new Date("2020-02-02T02:02:02.020Z");

const length = ROWS * CLASSES;
const values = Float64Array.from({ length }, (_, k) => (k % 7) / 2);
const shape = [ROWS, CLASSES];
const array = npy(values, shape);
writeLogits(at("logits.arrow"), {
  rows: ROWS,
  classes: CLASSES,
  logit: (row, k) => values[row * CLASSES + k] as number,
});
const parquet = new URL("parquet/pyarrow-snappy.parquet", import.meta.url);
const FILES: Record<string, Buffer> = {
  "logits.arrow": fs.readFileSync(at("logits.arrow")),
  "zstd.arrow": fs.readFileSync(fixture("compressed-zstd.arrow")),
  "logits.parquet": fs.readFileSync(fileURLToPath(parquet)),
  "logits.npy": array,
  "deflated.npz": zip({ "logits.npy": array }, { deflated: true }),
};
for (const [name, bytes] of Object.entries(FILES)) {
  fs.writeFileSync(at(name), bytes);
  fs.utimesSync(at(name), LONG_AGO, LONG_AGO);
}

/** Writes the bytes that the file has to it again. */
function rewrite(path: string): void {
  const bytes = fs.readFileSync(path);
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, bytes);
  fs.closeSync(fd);
}

/** Replaces the file by a copy with the same bytes and times. */
function replace(path: string): void {
  const { atime, mtime } = fs.statSync(path);
  fs.copyFileSync(path, `${path}.copy`);
  fs.utimesSync(`${path}.copy`, atime, mtime);
  fs.renameSync(`${path}.copy`, path);
}

/** Changes the time of the last status change, and nothing else. */
function touchStatus(path: string): void {
  fs.chmodSync(path, 0o640);
  fs.chmodSync(path, 0o644);
  fs.rmSync(`${path}.link`, { force: true });
  fs.linkSync(path, `${path}.link`);
  fs.rmSync(`${path}.link`);
}

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z`;
const ADVICE = "run the command again once nothing writes to it";
const MODIFIED = `changed while it was read \\(modified ${TIME}, now ${TIME}\\): ${ADVICE}`;
const REPLACED = `changed while it was read \\(inode \\d+:\\d+, now \\d+:\\d+\\): ${ADVICE}`;
const REMOVED = `was removed while it was read: ${ADVICE}`;
const error = (path: string, text: string) => ({
  code: "ERR_INPUT_CHANGED",
  message: expect.stringMatching(
    new RegExp(`^${path.replaceAll(".", "\\.")}: ${text}$`),
  ),
});

/** Returns a copy of a file, in a directory of its own, that was last modified long ago. */
let copies = 0;
function fresh(name: string): string {
  const folder = at(`copy-${copies++}`);
  fs.mkdirSync(folder);
  const path = `${folder}/${basename(name)}`;
  fs.copyFileSync(name, path);
  fs.utimesSync(path, LONG_AGO, LONG_AGO);
  return path;
}

/** Does `work` on a file that changes after its first read; returns the outcome and the names beside the file. */
async function during(
  path: string,
  change: (path: string) => void,
  work: () => Promise<unknown>,
) {
  let changed = false;
  const changeOnce = () => {
    change(path);
    changed = true;
  };
  const outcome = await changeAfterRead(path, changeOnce, work).then(
    ({ result }) => result,
    (error) => error,
  );
  expect(changed).toBe(true);
  return { outcome, left: fs.readdirSync(dirname(path)).sort() };
}

/** An input, and an output beside it. */
const into = (input: string, options: Options = {}) => ({
  ...{ input, output: `${dirname(input)}/made.arrow`, ...options },
});

const COMMANDS: Record<
  string,
  (input: string, results: string) => Promise<unknown>
> = {
  run: (input) => built.run(into(input)),
  "run --layout csr": (input) => built.run(into(input, { layout: "csr" })),
  "run --layout coo": (input) => built.run(into(input, { layout: "coo" })),
  "run --compress": (input) => built.run(into(input, { compress: "zstd" })),
  "run --dry-run": (input) => built.dryRun(into(input)),
  inspect: (input) => built.inspect({ input }),
  "inspect --scan": (input) => built.inspect({ input, scan: true }),
  verify: (input, output) => built.verify({ input, output }),
};

/** Returns hooks that change a file once, at the first progress for which `isTime`, and whether they did. */
function changing(
  change: () => void,
  isTime: (rowsDone: number, rows: number) => boolean,
) {
  const state = { isChanged: false };
  const onProgress = (rowsDone: number, rows: number) => {
    if (state.isChanged || !isTime(rowsDone, rows)) return;
    state.isChanged = true;
    change();
  };
  return { state, hooks: { onProgress } };
}

/** Makes a file at its first use, because many tests change copies of the same one. */
const made = new Map<string, Promise<unknown>>();
async function madeOnce(name: string, input: string, options: Options = {}) {
  const output = at(name);
  if (!made.has(name)) made.set(name, built.run({ input, ...options, output }));
  await made.get(name);
  return output;
}

describe.each(Object.keys(FILES))("%s", (name) => {
  const ofAll = ["run", "run --dry-run", "inspect --scan", "verify"];
  test.each(name === "logits.npy" ? Object.keys(COMMANDS) : ofAll)(
    "%s: an input rewritten with the same bytes is refused",
    async (command) => {
      const results = await madeOnce(`${name}.results`, at(name));
      const path = fresh(at(name));
      const work = () => COMMANDS[command]?.(path, results) as Promise<unknown>;
      const { outcome, left } = await during(path, rewrite, work);
      expect(outcome).toMatchObject(error(path, MODIFIED));
      expect(left).toEqual([basename(path)]);
    },
  );

  test.each([
    ["replaced by a copy with the same bytes and times", replace, REPLACED, 1],
    ["removed", fs.rmSync, REMOVED, 0],
  ] as const)("an input %s is refused", async (_, change, text, count) => {
    const path = fresh(at(name));
    const work = () => built.run(into(path));
    const { outcome, left } = await during(path, change, work);
    expect(outcome).toMatchObject(error(path, text));
    expect(left).toEqual([basename(path)].slice(0, count));
  });

  test("chmod and a hard link are no change", async () => {
    const path = fresh(at(name));
    const work = () => built.run(into(path));
    const { outcome, left } = await during(path, touchStatus, work);
    expect(outcome).toMatchObject({ status: "done" });
    expect(left).toContain("made.arrow");
  });
});

describe("results that change while they are read", () => {
  const READERS: Record<
    string,
    (results: string, input: string) => Promise<unknown>
  > = {
    show: (results) => built.show({ results, row: 3 }),
    report: (results) =>
      built.report({ results, output: `${dirname(results)}/page.html` }),
    verify: (output, input) => built.verify({ output, input }),
    "verify --all": (output, input) =>
      built.verify({ output, input, all: true }),
    openJacobian: async (results) => {
      const reader = await built.openJacobian(results);
      try {
        return await reader.block(3);
      } finally {
        await reader.close();
      }
    },
  };
  const OUTPUTS: Record<string, Options> = {
    plain: {},
    compressed: { compress: "lz4" },
  };
  const cases = Object.keys(OUTPUTS).flatMap((kind) =>
    Object.keys(READERS).map((name) => [kind, name] as const),
  );
  test.each(cases)(
    "%s, %s: refused, but a replaced file not by an open reader, which has the old file",
    async (kind, name) => {
      const read = READERS[name] as (typeof READERS)[string];
      const path = fresh(
        await madeOnce(`${kind}.arrow`, DIGITS, OUTPUTS[kind]),
      );
      const work = () => read(path, DIGITS);
      const first = await during(path, rewrite, work);
      expect(first.outcome).toMatchObject(error(path, MODIFIED));
      expect(first.left).toEqual([basename(path)]);
      fs.utimesSync(path, LONG_AGO, LONG_AGO);
      const { outcome } = await during(path, replace, work);
      if (name === "openJacobian") expect(outcome).toBeInstanceOf(Float32Array);
      else expect(outcome).toMatchObject(error(path, REPLACED));
    },
  );

  test("report of a dataset: a part that changes after it was read is refused", async () => {
    const input = fresh(DIGITS);
    const results = at("dataset");
    const output = at("dataset.html");
    const dataset = { inputs: [input], output: results, shardRows: 1000 };
    await built.runDataset(dataset);
    const part = fs.readdirSync(results).find((name) => /^part-/.test(name));
    const path = `${results}/${part}`;
    fs.utimesSync(path, LONG_AGO, LONG_AGO);
    const { state, hooks } = changing(
      () => rewrite(path),
      (rowsDone) => rowsDone >= 1500,
    );
    await expect(
      built.report({ results, output }, hooks),
    ).rejects.toMatchObject(error(path, MODIFIED));
    expect(state.isChanged).toBe(true);
    expect(fs.existsSync(output)).toBe(false);
  });

  test("verify --all: an input that changes between its two readings is refused", async () => {
    const input = fresh(DIGITS);
    const output = await madeOnce("plain.arrow", DIGITS);
    const { state, hooks } = changing(
      () => replace(input),
      (rowsDone, rows) => rowsDone >= rows,
    );
    await expect(
      built.verify({ input, output, all: true }, hooks),
    ).rejects.toMatchObject(error(input, REPLACED));
    expect(state.isChanged).toBe(true);
  });
});

test.each(["runDataset", "runShards"] as const)(
  "%s: an input replaced by a copy is refused, and no shard of it is committed",
  async (name) => {
    const input = fresh(DIGITS);
    const output = `${dirname(input)}/out`;
    const options = { inputs: [input], output, shardRows: 10_000 };
    if (name === "runShards") await built.planDataset(options);
    const { hooks } = changing(
      () => replace(input),
      (rowsDone) => rowsDone > 0,
    );
    const made =
      name === "runDataset"
        ? built.runDataset({ ...options, keepGoing: true }, hooks)
        : built.runShards({ output, shardIndex: 0, shardCount: 1 }, hooks);
    await expect(made).rejects.toMatchObject(error(input, REPLACED));
    expect(fs.existsSync(output)).toBe(false);
    const status = await built.datasetStatus({ output });
    expect(status).toMatchObject({ shards: 1, shardsDone: 0 });
  },
);

describe("a file that changes while it is standard input", () => {
  const preload = at("touch-stdin.mjs");
  fs.writeFileSync(
    preload,
    `import fs from "node:fs";
     import { syncBuiltinESMExports } from "node:module";
     const { readSync } = fs;
     let isChanged = false;
     fs.readSync = (fd, ...rest) => {
       const bytes = readSync(fd, ...rest);
       if (fd === 0 && !isChanged) {
         isChanged = true;
         fs.utimesSync(process.env.TOUCHED, new Date(), new Date());
       }
       return bytes;
     };
     syncBuiltinESMExports();`,
  );
  /** Runs on standard input, which changes after its first read. */
  const run = (output: string, ...options: string[]) => {
    const input = fresh(DIGITS);
    const fd = fs.openSync(input, "r");
    const args = [CLI, "run", "-", "-o", output, ...options];
    try {
      return spawnSync(process.execPath, ["--import", preload, ...args], {
        stdio: [fd, "pipe", "pipe"],
        env: { ...process.env, TOUCHED: input },
        maxBuffer: 1 << 28,
      });
    } finally {
      fs.closeSync(fd);
    }
  };

  test("is refused, and nothing is published", () => {
    const output = at("from-stdin.arrow");
    const { status, stderr } = run(output);
    expect(String(stderr)).toMatch(
      new RegExp(`standard input: ${MODIFIED}\n$`),
    );
    expect(status).toBe(65);
    expect(fs.existsSync(output)).toBe(false);
  });

  test.each(["bsr", "csr"])(
    "%s: the stream on standard output has no end-of-stream marker",
    (layout) => {
      const args = [CLI, "run", DIGITS, "-o", "-", "--layout", layout];
      const whole = spawnSync(process.execPath, args, { maxBuffer: 1 << 28 });
      const cut = run("-", "--layout", layout);
      expect([whole.status, cut.status]).toEqual([0, 65]);
      const ends = [whole, cut].map(({ stdout }) =>
        stdout.subarray(-8).toString("hex"),
      );
      expect(ends[0]).toBe("ffffffff00000000");
      expect(ends[1]).not.toBe(ends[0]);
    },
  );
});
