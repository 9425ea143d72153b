import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CLI, DIGITS } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { built } from "../support/built.js";
import { changeAfterRead } from "../support/change-after-read.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { streamOf } from "../support/stream-of.js";

// Inputs that change while they are read. Each change is made right after the command's own first read of the file.

const at = workDirectory();
const fixture = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const ROWS = 40;
const CLASSES = 3;
const LONG_AGO = new Date("2020-02-02T02:02:02.020Z");

const logits = Float64Array.from(
  { length: ROWS * CLASSES },
  (_, k) => (k % 7) / 2,
);
const array = npy(logits, [ROWS, CLASSES]);
writeLogits(at("logits.arrow"), {
  rows: ROWS,
  classes: CLASSES,
  logit: (row, k) => logits[row * CLASSES + k] as number,
});
writeFileSync(at("logits.arrows"), streamOf(at("logits.arrow")));
writeFileSync(at("logits.npy"), array);
writeFileSync(at("stored.npz"), zip({ "logits.npy": array }));
writeFileSync(
  at("deflated.npz"),
  zip({ "logits.npy": array }, { deflated: true }),
);
const header = Buffer.from(
  JSON.stringify({
    logits: {
      dtype: "F64",
      shape: [ROWS, CLASSES],
      data_offsets: [0, logits.byteLength],
    },
  }),
);
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(header.length));
writeFileSync(
  at("logits.safetensors"),
  Buffer.concat([length, header, Buffer.from(logits.buffer)]),
);
copyFileSync(fixture("parquet/pyarrow-snappy.parquet"), at("logits.parquet"));
copyFileSync(fixture("../fixtures/compressed-zstd.arrow"), at("zstd.arrow"));
const FORMATS = [
  "logits.arrow",
  "logits.arrows",
  "zstd.arrow",
  "logits.parquet",
  "logits.npy",
  "stored.npz",
  "deflated.npz",
  "logits.safetensors",
];
for (const name of FORMATS) utimesSync(at(name), LONG_AGO, LONG_AGO);

/** Writes the bytes that the file has to it again. */
function rewrite(path: string): void {
  const bytes = readFileSync(path);
  const fd = openSync(path, "r+");
  writeSync(fd, bytes);
  closeSync(fd);
}

/** Puts a copy with the same bytes and times in the place of the file. */
function replace(path: string): void {
  const { atime, mtime } = statSync(path);
  copyFileSync(path, `${path}.copy`);
  utimesSync(`${path}.copy`, atime, mtime);
  renameSync(`${path}.copy`, path);
}

/** Changes the time of the last status change, and nothing else. */
function touchStatus(path: string): void {
  chmodSync(path, 0o640);
  chmodSync(path, 0o644);
  rmSync(`${path}.link`, { force: true });
  linkSync(path, `${path}.link`);
  rmSync(`${path}.link`);
}

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z`;
const ADVICE = "run the command again once nothing writes to it";
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const modified = (path: string) =>
  new RegExp(
    `^${escaped(path)}: changed while it was read \\(modified ${TIME}, now ${TIME}\\): ${ADVICE}$`,
  );
const replaced = (path: string) =>
  new RegExp(
    `^${escaped(path)}: changed while it was read \\(inode \\d+:\\d+, now \\d+:\\d+\\): ${ADVICE}$`,
  );

/** A fresh copy of a file, last modified long ago. */
let copies = 0;
function fresh(name: string): string {
  const folder = at(`copy-${copies++}`);
  mkdirSync(folder);
  const path = `${folder}/${basename(name)}`;
  copyFileSync(name, path);
  utimesSync(path, LONG_AGO, LONG_AGO);
  return path;
}

/** Does `work` on a file that is changed after its nth read; returns the outcome and the names beside the file. */
async function during(
  path: string,
  change: (path: string) => void,
  work: () => Promise<unknown>,
  nth = 1,
) {
  let changed = false;
  const outcome = await changeAfterRead(
    path,
    () => {
      change(path);
      changed = true;
    },
    work,
    nth,
  ).then(
    ({ result }) => result,
    (error) => error,
  );
  expect(changed).toBe(true);
  return { outcome, left: readdirSync(dirname(path)).sort() };
}

/** An input, and an output beside it. */
const into = (input: string) => ({
  input,
  output: `${dirname(input)}/made.arrow`,
});

const COMMANDS: Record<
  string,
  (input: string, results: string) => Promise<unknown>
> = {
  run: (input) => built.run(into(input)),
  "run --layout csr": (input) => built.run({ ...into(input), layout: "csr" }),
  "run --layout coo": (input) => built.run({ ...into(input), layout: "coo" }),
  "run --compress": (input) => built.run({ ...into(input), compress: "zstd" }),
  "run --dry-run": (input) => built.dryRun(into(input)),
  inspect: (input) => built.inspect({ input }),
  "inspect --scan": (input) => built.inspect({ input, scan: true }),
  verify: (input, output) => built.verify({ input, output }),
};

/** Hooks that change a file once, at the first progress for which `isTime`. */
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

/** Makes a file at its first use, since many tests read the same one and change copies of it. */
const made = new Map<string, Promise<unknown>>();
async function madeOnce(
  name: string,
  options: { input: string } & Partial<Parameters<typeof built.run>[0]>,
): Promise<string> {
  const output = at(name);
  if (!made.has(name)) made.set(name, built.run({ ...options, output }));
  await made.get(name);
  return output;
}

describe.each(FORMATS)("%s", (name) => {
  const ofAll = ["run", "run --dry-run", "inspect --scan", "verify"];
  const commands = name === "logits.npy" ? Object.keys(COMMANDS) : ofAll;
  test.each(commands)(
    "%s: an input rewritten while it is read, with the same bytes, is refused",
    async (command) => {
      const results = await madeOnce(`${name}.results`, { input: at(name) });
      const path = fresh(at(name));
      const { outcome, left } = await during(path, rewrite, () =>
        (COMMANDS[command] as (typeof COMMANDS)[string])(path, results),
      );
      expect(outcome).toMatchObject({
        code: "ERR_INPUT_CHANGED",
        message: expect.stringMatching(modified(path)),
      });
      expect(left).toEqual([basename(path)]);
    },
  );

  test("an input replaced by a copy with the same bytes and times is refused", async () => {
    const path = fresh(at(name));
    const { outcome, left } = await during(path, replace, () =>
      built.run(into(path)),
    );
    expect(outcome).toMatchObject({
      code: "ERR_INPUT_CHANGED",
      message: expect.stringMatching(replaced(path)),
    });
    expect(left).toEqual([basename(path)]);
  });

  test("chmod and a hard link are no change", async () => {
    const path = fresh(at(name));
    const { outcome } = await during(path, touchStatus, () =>
      built.run(into(path)),
    );
    expect(outcome).toMatchObject({ status: "done" });
    expect(existsSync(into(path).output)).toBe(true);
  });
});

test("an input removed while it is read is refused", async () => {
  const path = fresh(at("logits.arrow"));
  const { outcome, left } = await during(
    path,
    (path) => rmSync(path),
    () => built.run(into(path)),
  );
  expect(outcome).toMatchObject({
    code: "ERR_INPUT_CHANGED",
    message: `${path}: was removed while it was read: ${ADVICE}`,
  });
  expect(left).toEqual([]);
});

describe("results that change while they are read", () => {
  const readers: Record<
    string,
    (results: string, input: string) => Promise<unknown>
  > = {
    show: (results) => built.show({ results, row: 3 }),
    report: (results) =>
      built.report({ results, output: `${dirname(results)}/page.html` }),
    verify: (results, input) => built.verify({ output: results, input }),
    "verify --all": (results, input) =>
      built.verify({ output: results, input, all: true }),
    openJacobian: async (results) => {
      const reader = await built.openJacobian(results);
      try {
        return await reader.block(3);
      } finally {
        await reader.close();
      }
    },
  };
  const outputs = {
    plain: {},
    compressed: { compress: "lz4" },
    csr: { layout: "csr" },
    coo: { layout: "coo" },
  } as const;
  describe.each(Object.keys(outputs) as (keyof typeof outputs)[])(
    "%s",
    (kind) => {
      test.each(Object.keys(readers))(
        "%s: rewritten with the same bytes: refused; replaced: refused, but by an open reader, which has the old file",
        async (name) => {
          const read = readers[name] as (typeof readers)[string];
          const path = fresh(
            await madeOnce(`${kind}.arrow`, {
              input: DIGITS,
              ...outputs[kind],
            }),
          );
          const first = await during(path, rewrite, () => read(path, DIGITS));
          expect(first.outcome).toMatchObject({
            code: "ERR_INPUT_CHANGED",
            message: expect.stringMatching(modified(path)),
          });
          expect(first.left).toEqual([basename(path)]);
          utimesSync(path, LONG_AGO, LONG_AGO);
          const second = await during(path, replace, () => read(path, DIGITS));
          if (name === "openJacobian")
            expect(second.outcome).toBeInstanceOf(Float32Array);
          else
            expect(second.outcome).toMatchObject({
              code: "ERR_INPUT_CHANGED",
              message: expect.stringMatching(replaced(path)),
            });
        },
      );
    },
  );

  test("report of a dataset: a part that changes after it was read is refused", async () => {
    const input = fresh(DIGITS);
    const output = at("dataset");
    await built.runDataset({ inputs: [input], output, shardRows: 1000 });
    const [part = ""] = readdirSync(output).filter((name) =>
      /^part-/.test(name),
    );
    const path = `${output}/${part}`;
    utimesSync(path, LONG_AGO, LONG_AGO);
    const page = at("dataset.html");
    const { state, hooks } = changing(
      () => rewrite(path),
      (rowsDone) => rowsDone >= 1500,
    );
    await expect(
      built.report({ results: output, output: page }, hooks),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_CHANGED",
      message: expect.stringMatching(modified(path)),
    });
    expect(state.isChanged).toBe(true);
    expect(existsSync(page)).toBe(false);
  });

  test("verify --all: an input that changes between its two readings is refused", async () => {
    const input = fresh(DIGITS);
    const output = at("twice.arrow");
    await built.run({ input, output, force: true });
    const { state, hooks } = changing(
      () => replace(input),
      (rowsDone, rows) => rowsDone >= rows,
    );
    const verified = built.verify({ input, output, all: true }, hooks);
    await expect(verified).rejects.toMatchObject({
      code: "ERR_INPUT_CHANGED",
      message: expect.stringMatching(replaced(input)),
    });
    expect(state.isChanged).toBe(true);
  });
});

describe("a dataset", () => {
  test.each(["runDataset", "runShards"] as const)(
    "%s: an input replaced by a copy with the same bytes and times is refused, and no shard of it is committed",
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
      await expect(made).rejects.toMatchObject({
        code: "ERR_INPUT_CHANGED",
        message: expect.stringMatching(replaced(input)),
      });
      expect(existsSync(output)).toBe(false);
      const status = await built.datasetStatus({ output });
      expect(status).toMatchObject({ shards: 1, shardsDone: 0 });
    },
  );
});

describe("standard input", () => {
  const preload = at("touch-stdin.mjs");
  writeFileSync(
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
  const run = (input: string, ...args: string[]) => {
    const fd = openSync(input, "r");
    try {
      return spawnSync(process.execPath, ["--import", preload, CLI, ...args], {
        stdio: [fd, "pipe", "pipe"],
        env: { ...process.env, TOUCHED: input },
      });
    } finally {
      closeSync(fd);
    }
  };

  test("a file that changes while it is standard input is refused; nothing is published", () => {
    const input = fresh(DIGITS);
    const output = at("from-stdin.arrow");
    const { status, stderr } = run(input, "run", "-", "-o", output);
    expect(String(stderr)).toMatch(
      new RegExp(
        `standard input: changed while it was read \\(modified ${TIME}, now ${TIME}\\): ${ADVICE}\n$`,
      ),
    );
    expect(status).toBe(65);
    expect(existsSync(output)).toBe(false);
  });

  test.each([["bsr"], ["csr"]])(
    "%s: on standard output the stream has no end-of-stream marker",
    (layout) => {
      const input = fresh(DIGITS);
      const whole = spawnSync(
        process.execPath,
        [CLI, "run", input, "-o", "-", "--layout", layout],
        { maxBuffer: 1 << 28 },
      );
      expect(whole.status).toBe(0);
      const fd = openSync(input, "r");
      const cut = spawnSync(
        process.execPath,
        ["--import", preload, CLI, "run", "-", "-o", "-", "--layout", layout],
        {
          stdio: [fd, "pipe", "pipe"],
          env: { ...process.env, TOUCHED: input },
          maxBuffer: 1 << 28,
        },
      );
      closeSync(fd);
      expect(cut.status).toBe(65);
      const end = Buffer.from("ffffffff00000000", "hex");
      expect(whole.stdout.subarray(-8).equals(end)).toBe(true);
      expect(cut.stdout.subarray(-8).equals(end)).toBe(false);
    },
  );
});
