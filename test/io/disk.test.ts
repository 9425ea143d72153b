import { openSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { readFully, writeFully } from "../../src/io/positional.js";
import { SequentialFile } from "../../src/io/sequential.js";
import {
  openDirect,
  padBefore,
  writePages,
} from "../../src/io/write-or-compare.js";
import {
  type RunOptions,
  resolveOptions,
} from "../../src/options/run-options.js";
import { openPending } from "../../src/output/commit.js";
import { WorkerPool } from "../../src/pool/worker-pool.js";
import { compute } from "../../src/run/compute-and-commit.js";
import { planEntries } from "../../src/run/entries-plan.js";
import { planFixed } from "../../src/run/fixed-plan.js";
import { openOptions } from "../../src/run/open-options.js";
import { ReportBuilder } from "../../src/run/run-report.js";
import { writeFixed } from "../../src/run/write-fixed.js";
import { finish, taskRunner } from "../../workers/run-task.js";
import { built } from "../support/built.js";
import { rows } from "../support/input-runs.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { random } from "../support/random.js";
import { contextOf } from "../support/run-context.js";

/** A disk that moves at most `most` bytes per call, takes some turns of the event loop to write, and may fail. */
const disk = vi.hoisted(() => ({
  most: Number.POSITIVE_INFINITY,
  turns: 0,
  /** Asynchronous writes under way, and those begun so far; the one with number `failing` fails. */
  writing: 0,
  begun: 0,
  failing: -1,
  /** Descriptor whose writes end after `left` bytes; from then on they are refused with `code`. */
  fd: -1,
  left: 0,
  code: "",
  refusals: 0,
  /** Writes to `fd` that were asked for. */
  asked: [] as { bytes: number; position: number }[],
}));
const USUAL = { ...disk };

type Call = [
  fd: number,
  bytes: Uint8Array,
  from: number,
  length: number,
  position: number,
];
type Done = (error: unknown, written: number) => void;

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const writeSync = (...[fd, source, from, bytes, position]: Call) => {
    const most = Math.min(bytes, disk.most);
    if (fd !== disk.fd) return fs.writeSync(fd, source, from, most, position);
    disk.asked.push({ bytes, position });
    const part = Math.min(disk.left, bytes);
    disk.left -= part;
    if (part > 0 || bytes === 0)
      return fs.writeSync(fd, source, from, part, position);
    disk.refusals++;
    throw Object.assign(new Error("refused"), { code: disk.code });
  };
  return {
    ...fs,
    readSync: (...[fd, bytes, from, length, position]: Call) =>
      fs.readSync(fd, bytes, from, Math.min(length, disk.most), position),
    writeSync,
    write: async (
      ...[fd, bytes, from, length, position, done]: [...Call, Done]
    ) => {
      const fails = disk.begun++ === disk.failing;
      disk.writing++;
      for (let n = 0; n < disk.turns; n++)
        await new Promise((resolve) => setImmediate(resolve));
      disk.writing--;
      let [error, written]: [unknown, number] = [null, 0];
      try {
        if (fails) throw Object.assign(new Error("full"), { code: "ENOSPC" });
        written = writeSync(fd, bytes, from, length, position);
      } catch (cause) {
        error = cause;
      }
      done(error, written);
    },
  };
});

const at = workDirectory();
const uniform = random(5);
const pages = { initial: 112, maximum: 112, shared: true };
const memory = new WebAssembly.Memory(pages).buffer;
/** Numbers that are not 0. */
const source = new Uint8Array(memory);
for (let k = 0; k < source.length; k++) source[k] = 1 + 255 * uniform();

/** Opens an empty file as an output is; without direct writes on this file system, `direct` is -1. */
function opened(change: Partial<typeof disk> = {}) {
  Object.assign(disk, { ...USUAL, asked: [] }, change);
  const path = at("out");
  writeFileSync(path, "");
  const fd = openSync(path, "r+");
  return { path, fd, direct: openDirect(path), compare: false };
}

/** Opens an empty file whose descriptor for direct writes refuses them after `left` bytes. */
function refusing(left: number, code = "EINVAL") {
  const target = opened();
  const direct = openSync(target.path, "r+");
  Object.assign(disk, { fd: direct, left, code });
  return { ...target, direct };
}

function expectFile(path: string, expected: Uint8Array, position = 0): void {
  const file = readFileSync(path);
  expect(file.byteLength).toBe(position + expected.byteLength);
  expect(Buffer.compare(file.subarray(position), expected)).toBe(0);
}

/** Writes of whole pages, and others; each address and position are equal modulo the page size. */
const WRITES = [
  { address: 0, bytes: 300_000, position: 0 },
  { address: 1000, bytes: 70_000, position: 4096 + 1000 },
  { address: 8192, bytes: 65_536, position: 8192 },
  { address: 4095, bytes: 500_001, position: 4095 },
];

test("writePages writes any bytes to any position", () => {
  const target = opened();
  const expected = new Uint8Array(3 << 20);
  let end = 0;
  for (let n = 0; n < 200; n++) {
    const position = Math.floor(uniform() * (2 << 20));
    const address = n % 4 ? padBefore(0, position) + 4096 * (n % 7) : n;
    const bytes = Math.floor(uniform() * (n % 3 ? 400_000 : 70_000));
    writePages(target, memory, address, bytes, position);
    expected.set(source.subarray(address, address + bytes), position);
    end = Math.max(end, position + bytes);
  }
  expectFile(target.path, expected.subarray(0, end));
});

test("writePages writes from memory that starts on no page", () => {
  const ordinary = source.slice().buffer;
  for (const { address, bytes, position } of WRITES) {
    const target = opened();
    writePages(target, ordinary, address, bytes, position);
    const expected = source.subarray(address, address + bytes);
    expectFile(target.path, expected, position);
  }
});

test.each(rows(`0 0; 64 5000; 8191 1; 123456 ${2 ** 40 + 17}`))(
  "padBefore makes %i equal to %i modulo the page size",
  (address = 0, position = 0) => {
    const pad = padBefore(address, position);
    expect(pad).toBeGreaterThanOrEqual(0);
    expect(pad).toBeLessThan(4096);
    expect((address + pad) % 4096).toBe(position % 4096);
  },
);

test.each([true, false])("SequentialFile, direct: %s", async (isDirect) => {
  const { path, fd, direct } = opened();
  const file = new SequentialFile(fd, isDirect ? direct : -1);
  const expected: Buffer[] = [];
  for (let n = 0; n < 60; n++) {
    const bytes = new Uint8Array(uniform() * (n % 9 ? 1000 : 9 << 20));
    bytes.fill(n + 1);
    await file.add(bytes);
    expected.push(Buffer.from(bytes), Buffer.alloc(n % 64));
    // The caller may change them.
    bytes.fill(0);
    const position = file.position + (n % 64);
    await file.add(new Uint8Array(0), position);
    expect(file.position).toBe(position);
  }
  await file.finish();
  expectFile(path, Buffer.concat(expected));
});

test.each<[number, number, Partial<RunOptions>]>([
  [20_000, 20, {}],
  [3, 500, {}],
  [20_000, 20, { onBadRow: "skip", emit: ["softmax", "jacobian", "argmax"] }],
])(
  "a direct run of %i x %i has the bytes of a usual one: %o",
  async (rows, classes, given) => {
    opened();
    const [input, usual, output] = ["in", "usual", "direct"].map((name) =>
      at(`${name}.arrow`),
    ) as [string, string, string];
    const logit = (r: number, k: number) =>
      k === 1 && r % 1000 === 7 && given.onBadRow
        ? Number.NaN
        : Math.sin(r * 9 + k) * 4;
    writeLogits(input, { rows, classes, batchRows: [777], logit });
    const all = { input, force: true, ...given };
    await built.run({ ...all, output: usual });

    const options = resolveOptions({ ...all, output, threads: 1 });
    const logits = await openLogits(input, openOptions(options));
    const plan = planFixed(options, logits);
    const direct = { ...options, direct: true };
    const pending = await openPending(output, plan.maxBytes, direct);
    const context = contextOf(plan, options, logits, pending);
    await writeFixed(plan, context);
    await context.writer.end();
    await pending.commit();
    logits.close();
    expectFile(output, readFileSync(usual));
  },
);

test("a run of a few of very many entries has the same bytes directly and without sync", async () => {
  const [input, output] = [at("few.arrow"), at("few-out.arrow")];
  const classes = 3000;
  const logit = (r: number, k: number) => -((k * 7 + r) % classes) / 2;
  writeLogits(input, { rows: 12, classes, logit });
  const options = { input, output, layout: "coo", threshold: 1e-5 } as const;
  const { maxOutputBytes } = await built.dryRun(options);
  expect(maxOutputBytes).toBeGreaterThan(2 ** 31);
  const report = await built.run(options);
  const bytes = readFileSync(output);
  expect(bytes.byteLength).toBe(report.outputBytes);
  await built.run({ ...options, sync: false, force: true });
  expectFile(output, bytes);
});

test.each([0, 4096, 5000])(
  "writePages writes the rest another way if it is refused after %i bytes",
  (left) => {
    for (const { address, bytes, position } of WRITES) {
      const { path, ...target } = refusing(left);
      writePages(target, memory, address, bytes, position);
      expect(disk.refusals).toBe(1);
      const written = source.subarray(address, address + bytes);
      expectFile(path, Buffer.concat([Buffer.alloc(position), written]));
    }
  },
);

/** Adds `count` parts of the source; returns all of them. */
async function addParts(file: SequentialFile, count: number, bytes: number) {
  const parts = Array.from({ length: count }, (_, n) =>
    source.subarray(n * 77, n * 77 + bytes),
  );
  for (const part of parts) await file.add(part);
  return Buffer.concat(parts);
}

test.each([0, 4096, 5000, 3 << 20])(
  "SequentialFile writes the rest another way if it is refused after %i bytes",
  async (left) => {
    const { path, fd, direct } = refusing(left);
    const file = new SequentialFile(fd, direct);
    const expected = await addParts(file, 12, 700_001);
    await file.finish();
    expect(disk.refusals).toBeGreaterThan(1);
    expectFile(path, expected);
  },
);

test("another error is thrown, and the write is not repeated", async () => {
  const target = refusing(4096, "ENOSPC");
  expect(() => writePages(target, memory, 0, 300_000, 0)).toThrow(
    expect.objectContaining({ code: "ENOSPC" }),
  );
  expectFile(target.path, source.subarray(0, 4096));

  const { path, fd, direct } = refusing(4096, "ENOSPC");
  const file = new SequentialFile(fd, direct);
  await file.add(source.subarray(0, 1 << 20));
  await expect(file.finish()).rejects.toMatchObject({ code: "ENOSPC" });
  await file.settled();
  expectFile(path, source.subarray(0, 4096));
});

test("direct writes are whole pages, which no disk refuses", async () => {
  for (const { address, bytes, position } of WRITES) {
    writePages(refusing(Infinity), memory, address, bytes, position);
    const first = Math.ceil(position / 4096) * 4096;
    const last = Math.floor((position + bytes) / 4096) * 4096;
    expect(disk.asked).toEqual([{ bytes: last - first, position: first }]);
  }
  const { fd, direct } = refusing(Infinity);
  const file = new SequentialFile(fd, direct);
  await addParts(file, 9, 500_000);
  await file.finish();
  let written = 0;
  for (const { bytes, position } of disk.asked) {
    expect([bytes % 4096, position % 4096]).toEqual([0, 0]);
    written += bytes;
  }
  expect(written).toBe(file.position - (file.position % 4096));
});

test("calls that move a part of the bytes are continued where they ended", async () => {
  const { path, fd } = opened({ most: 99_999 });
  writeFully(fd, source, 1234);
  const found = new Uint8Array(source.byteLength);
  readFully(fd, found, 1234);
  expect(Buffer.compare(found, source)).toBe(0);
  const file = new SequentialFile(fd, -1);
  await file.add(source.subarray(1));
  await file.finish();
  Object.assign(disk, USUAL);
  const start = readFileSync(path).subarray(0, source.byteLength - 1);
  expect(Buffer.compare(start, source.subarray(1))).toBe(0);
});

test("SequentialFile ends when everything is written, or throws the error", async () => {
  const { path, fd } = opened({ turns: 20 });
  const file = new SequentialFile(fd, -1);
  const expected = await addParts(file, 6, 1 << 20);
  expect(disk.writing).toBeGreaterThan(0);
  await file.finish();
  expect(disk.writing).toBe(0);
  expectFile(path, expected);

  Object.assign(disk, { begun: 0, failing: 2 });
  const failing = new SequentialFile(fd, -1);
  await addParts(failing, 6, 1 << 20);
  await expect(failing.finish()).rejects.toMatchObject({ code: "ENOSPC" });
  await failing.settled();
  expect(disk.writing).toBe(0);
});

test("a failed run of entries waits for the writes under way before its file is closed", async () => {
  opened();
  const [input, output] = [at("in.arrow"), at("entries.arrow")];
  writeLogits(input, { rows: 3000, classes: 12, logit: (r, k) => (r * k) % 5 });
  const options = resolveOptions({ input, output, layout: "coo", threads: 1 });
  const logits = await openLogits(input, openOptions(options));
  const plan = planEntries(options, logits, "coo");
  Object.assign(plan, { batchEntries: 64_000, chunkRows: 300 });
  const pending = await openPending(output, 0, options);
  const workerPool = new WorkerPool();
  workerPool.memory = (bytes) => {
    const buffer = new SharedArrayBuffer(bytes);
    return { module: null, memory: null, buffer };
  };
  workerPool.pool = async (_, context) => {
    const run = taskRunner(context);
    return {
      async run(task) {
        if (disk.begun > 0) throw new Error("worker exited");
        return finish(run(task));
      },
    };
  };
  const report = new ReportBuilder(input, output);
  const work = { workerPool, options, logits, report };
  Object.assign(disk, { turns: 50 });
  const failing = compute(plan, pending, work);
  await expect(failing).rejects.toMatchObject({ code: "ERR_INTERNAL" });
  expect(disk.begun).toBeGreaterThan(0);
  expect(disk.writing).toBe(0);
  Object.assign(disk, USUAL);
  await pending.discard();
  logits.close();
});
