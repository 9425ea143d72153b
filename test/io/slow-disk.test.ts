import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { readFully, writeFully } from "../../src/io/positional.js";
import { SequentialFile } from "../../src/io/sequential.js";
import { resolveOptions } from "../../src/options/run-options.js";
import { openPending } from "../../src/output/commit.js";
import { planEntries } from "../../src/run/entries-plan.js";
import { openOptions } from "../../src/run/open-options.js";
import { writeEntries } from "../../src/run/write-entries.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { random } from "../support/random.js";
import { contextOf } from "../support/run-context.js";

/** A disk that takes and gives no more than `most` bytes at a time, and is slow to say so. */
const disk = vi.hoisted(() => ({
  most: Number.POSITIVE_INFINITY,
  turns: 0,
  /** Writes under way, and those begun so far; the one with number `failing` fails. */
  writing: 0,
  begun: 0,
  failing: -1,
}));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const few = (bytes: number) => Math.min(bytes, disk.most);
  type Call = [
    fd: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    position: number,
  ];
  return {
    ...fs,
    readSync: (...[fd, bytes, from, length, position]: Call) =>
      fs.readSync(fd, bytes, from, few(length), position),
    writeSync: (...[fd, bytes, from, length, position]: Call) =>
      fs.writeSync(fd, bytes, from, few(length), position),
    write: async (
      ...[fd, bytes, from, length, position, done]: [
        ...Call,
        (error: Error | null, written: number) => void,
      ]
    ) => {
      const fails = disk.begun++ === disk.failing;
      disk.writing++;
      for (let n = 0; n < disk.turns; n++) await turn();
      disk.writing--;
      if (fails) done(Object.assign(new Error("full"), { code: "ENOSPC" }), 0);
      else done(null, fs.writeSync(fd, bytes, from, few(length), position));
    },
  };
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function diskLike(change: Partial<typeof disk>): void {
  Object.assign(
    disk,
    {
      most: Number.POSITIVE_INFINITY,
      turns: 0,
      begun: 0,
      failing: -1,
    },
    change,
  );
}

const at = workDirectory();
const uniform = random(3);
const source = Uint8Array.from({ length: 7 << 20 }, () => 256 * uniform());

function opened(name: string): { path: string; fd: number } {
  const path = at(name);
  writeFileSync(path, "");
  return { path, fd: openSync(path, "r+") };
}

test("calls that do a part only are gone on with, from where they ended", async () => {
  diskLike({ most: 99_999 });
  const { path, fd } = opened("parts");
  writeFully(fd, source, 1234);
  const found = new Uint8Array(source.byteLength);
  readFully(fd, found, 1234);
  expect(Buffer.compare(found, source)).toBe(0);
  const file = new SequentialFile(fd, -1);
  await file.add(source.subarray(1));
  await file.finish();
  diskLike({});
  const written = source.byteLength - 1;
  const all = readFileSync(path);
  expect(Buffer.compare(all.subarray(0, written), source.subarray(1))).toBe(0);
  closeSync(fd);
});

async function addInParts(file: SequentialFile): Promise<void> {
  for (let start = 0; start < source.byteLength; start += 1 << 20)
    await file.add(source.subarray(start, start + (1 << 20)));
}

test("SequentialFile ends when all that was begun has been written, or says why not", async () => {
  const { path, fd } = opened("ends");
  diskLike({ turns: 20 });
  const file = new SequentialFile(fd, -1);
  await addInParts(file);
  expect(disk.writing).toBeGreaterThan(0);
  await file.finish();
  expect(disk.writing).toBe(0);
  expect(Buffer.compare(readFileSync(path), source)).toBe(0);

  diskLike({ turns: 20, failing: 2 });
  const failing = new SequentialFile(fd, -1);
  await addInParts(failing);
  await expect(failing.finish()).rejects.toMatchObject({ code: "ENOSPC" });
  await failing.settled();
  expect(disk.writing).toBe(0);
  closeSync(fd);
});

test("a run over entries that fails waits for what is being written: its file is closed next", async () => {
  const input = at("in.arrow");
  const output = at("out.arrow");
  writeLogits(input, { rows: 3000, classes: 12, logit: (r, k) => (r * k) % 5 });
  const options = resolveOptions({ input, output, layout: "coo", threads: 1 });
  const logits = await openLogits(input, openOptions(options));
  const plan = planEntries(options, logits, "coo");
  Object.assign(plan, { batchEntries: 64_000, chunkRows: 300 });
  const pending = await openPending(output, 0, options);
  const context = contextOf(plan, options, logits, pending, async (_, run) => {
    if (disk.begun > 0) throw new Error("worker exited");
    return run();
  });
  diskLike({ turns: 50 });
  const failing = writeEntries(plan, context);
  await expect(failing).rejects.toMatchObject({ code: "ERR_INTERNAL" });
  expect(disk.begun).toBeGreaterThan(0);
  expect(disk.writing).toBe(0);
  diskLike({});
  await pending.discard();
  logits.close();
});
