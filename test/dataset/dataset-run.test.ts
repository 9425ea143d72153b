import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { makePlan } from "../../src/dataset/dataset-plan.js";
import { DatasetRun, partRecord } from "../../src/dataset/dataset-run.js";
import { sha256 } from "../../src/dataset/fingerprint.js";
import { runFolders } from "../../src/dataset/names.js";
import type { BytesOptions } from "../../src/dataset/options.js";
import { PosixStore } from "../../src/dataset/posix-store.js";
import { workDirectory } from "../support/logits-input.js";

// The protocol alone, with parts that are any bytes: processes that come late, fail, or are not of one mind.

const at = workDirectory();
let names = 0;

/** A process that works on a dataset of two parts. */
class Worker {
  readonly store: PosixStore;
  readonly run: DatasetRun;

  constructor(
    readonly out: string,
    { temperature = 1, Store = PosixStore } = {},
  ) {
    const plan = makePlan("/inputs", {
      options: { temperature } as BytesOptions,
      inputs: [{ name: "a", bytes: 1, modified: "1", rows: 2 }],
      leftOut: [],
      checksums: false,
      shards: [
        { input: 0, rowStart: 0, rowEnd: 1 },
        { input: 0, rowStart: 1, rowEnd: 2 },
      ],
    });
    const folders = runFolders(out, plan.fingerprint);
    this.store = new Store(folders.tmp);
    this.run = new DatasetRun(this.store, folders, plan);
  }

  begin(overwrite = false): Promise<boolean> {
    return this.run.begin({ overwrite });
  }

  /** A finished part that has not been committed. */
  make(shard: number, text = `part ${shard}`) {
    const file = this.store.temporaryName();
    writeFileSync(file, text);
    const record = partRecord(this.run.plan, shard, {
      rows: 1,
      bytes: text.length,
      sha256: sha256(new TextEncoder().encode(text)),
      badRows: 0,
      firstBadRow: null,
      entries: null,
      droppedMax: null,
      droppedSum: null,
    });
    return () => this.run.commit(file, record);
  }

  async finish(overwrite = false): Promise<void> {
    for (const shard of await this.run.missing()) await this.make(shard)();
    await this.run.publish({ overwrite });
  }

  async all(): Promise<void> {
    if (await this.begin()) await this.finish();
  }
}

const newOut = () => at(`out-${names++}`);

function besides(out: string): string[] {
  return readdirSync(dirname(out)).filter((name) =>
    name.startsWith(`${basename(out)}.__`),
  );
}

test("a process that comes late to begin finds it done, and leaves no second folder", async () => {
  const out = newOut();
  /** Others publish between this one's look and its first folder. */
  class Late extends PosixStore {
    override async makeFolder(name: string): Promise<void> {
      if (!existsSync(out)) await new Worker(out).all();
      await super.makeFolder(name);
    }
  }
  const late = new Worker(out, { Store: Late });
  expect(await late.begin()).toBe(false);
  expect(besides(out)).toEqual([]);
  expect(existsSync(join(out, "_SUCCESS"))).toBe(true);
});

test("a process that wakes up after another has published changes nothing", async () => {
  const out = newOut();
  const asleep = new Worker(out);
  await asleep.begin();
  const commit = asleep.make(0, "part 0");
  await new Worker(out).all();
  const before = readdirSync(out, { recursive: true }).sort();
  expect(await commit()).toBe(false);
  await asleep.run.publish({ overwrite: false });
  expect(readdirSync(out, { recursive: true }).sort()).toEqual(before);
  expect(besides(out)).toEqual([]);
});

test("of two that make the same part the first stays; other bytes are an error", async () => {
  const out = newOut();
  const [one, two] = [new Worker(out), new Worker(out)];
  await one.begin();
  await two.begin();
  const [first, second] = [one.make(0), two.make(0)];
  const third = two.make(0, "other bytes");
  expect(await first()).toBe(true);
  expect(await second()).toBe(true);
  await expect(third()).rejects.toMatchObject({
    code: "ERR_INTERNAL",
    message: expect.stringContaining("expected the same bytes"),
  });
  await two.finish();
  expect(readFileSync(join(out, "part-00000-of-00002.arrow"), "utf8")).toBe(
    "part 0",
  );
});

test("publishing twice at once, and again", async () => {
  const out = newOut();
  const workers = [new Worker(out), new Worker(out), new Worker(out)];
  for (const worker of workers) await worker.begin();
  for (const shard of [0, 1]) await (workers[0] as Worker).make(shard)();
  await Promise.all(
    workers.map(({ run }) => run.publish({ overwrite: false })),
  );
  await (workers[1] as Worker).run.publish({ overwrite: false });
  expect(existsSync(join(out, "_SUCCESS"))).toBe(true);
  expect(besides(out)).toEqual([]);
});

test("without a part nothing is published", async () => {
  const out = newOut();
  const worker = new Worker(out);
  await worker.begin();
  await worker.make(1)();
  expect(await worker.run.missing()).toEqual([0]);
  await expect(worker.run.publish({ overwrite: false })).rejects.toThrow(
    "expected shard 0 to be done",
  );
  expect(existsSync(out)).toBe(false);
  await worker.finish();
});

test("two runs to one name: the second refuses, or replaces the first when it is complete", async () => {
  const out = newOut();
  const [one, two] = [new Worker(out), new Worker(out, { temperature: 2 })];
  await one.begin();
  await two.begin();
  await one.finish();
  await expect(two.finish()).rejects.toMatchObject({
    code: "ERR_OUTPUT_EXISTS",
  });
  expect(await one.run.isPublished()).toBe(true);
  await two.finish(true);
  expect(await two.run.isPublished()).toBe(true);
  expect(besides(out)).toEqual([]);
});

test("a call that fails leaves what a later run completes", async () => {
  for (const call of [
    "publish",
    "putIfAbsent",
    "makeFolder",
    "rename",
  ] as const)
    for (const moment of ["before", "after"])
      for (let n = 1; n <= 6; n++) {
        const out = newOut();
        let calls = 0;
        class Failing extends PosixStore {}
        const original = PosixStore.prototype[call] as (
          ...args: unknown[]
        ) => Promise<unknown>;
        Object.assign(Failing.prototype, {
          async [call](this: PosixStore, ...args: unknown[]) {
            const turn = ++calls === n;
            const failure = Object.assign(new Error("EIO"), { code: "EIO" });
            if (turn && moment === "before") throw failure;
            const result = await original.apply(this, args);
            if (turn) throw failure;
            return result;
          },
        });
        const where = `${call} ${n}, ${moment} it took effect`;
        const failed = await new Worker(out, { Store: Failing })
          .all()
          .then(() => false)
          .catch(() => true);
        if (failed && existsSync(out))
          expect(await new Worker(out).run.isPublished(), where).toBe(true);
        await new Worker(out).all();
        const files = readdirSync(out, { recursive: true }).sort();
        expect(files, where).toEqual([
          "_SUCCESS",
          "_commits",
          "_commits/00000.json",
          "_commits/00001.json",
          "_manifest.json",
          "_plan.json",
          "part-00000-of-00002.arrow",
          "part-00001-of-00002.arrow",
        ]);
        expect(besides(out), where).toEqual([]);
      }
});

test("a rename that says no and does it is a rename", async () => {
  const out = newOut();
  class Lying extends PosixStore {
    override async rename(from: string, to: string): Promise<boolean> {
      await super.rename(from, to);
      return false;
    }
  }
  await new Worker(out, { Store: Lying }).all();
  expect(await new Worker(out).run.isPublished()).toBe(true);
  expect(besides(out)).toEqual([]);
});

test("a rename that says yes and does nothing is an I/O error; a later run completes", async () => {
  const out = newOut();
  class Lying extends PosixStore {
    override async rename(): Promise<boolean> {
      return true;
    }
  }
  await expect(new Worker(out, { Store: Lying }).all()).rejects.toMatchObject({
    code: "ERR_IO",
  });
  expect(existsSync(out)).toBe(false);
  await new Worker(out).all();
  expect(await new Worker(out).run.isPublished()).toBe(true);
  expect(besides(out)).toEqual([]);
});

test("a link that says no and does it is a link", async () => {
  const out = newOut();
  class Lying extends PosixStore {
    override async publish(file: string, name: string): Promise<boolean> {
      linkSync(file, name);
      return super.publish(file, name);
    }
  }
  await new Worker(out, { Store: Lying }).all();
  expect(await new Worker(out).run.isPublished()).toBe(true);
});
