import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PosixStore } from "../../src/storage/posix-store.js";
import { besides, Worker } from "../support/dataset-worker.js";
import { faultyStore } from "../support/faulty-store.js";
import { workDirectory } from "../support/logits-input.js";

// The protocol alone, with parts that are any bytes: processes that come late, fail, or are not of one mind.

const at = workDirectory();
let names = 0;

const newOut = () => at(`out-${names++}`);

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
    message: expect.stringContaining("two processes computed different bytes"),
  });
  await two.finish();
  expect(readFileSync(join(out, "part-00000-of-00002.arrow"), "utf8")).toBe(
    "part 0",
  );
});

test("a record that is replaced while a process works is read again", async () => {
  const worker = new Worker(newOut());
  await worker.begin();
  await worker.make(0)();
  expect(await worker.run.inspect()).toMatchObject({ missing: [1] });
  const name = join(worker.run.folders.wip, "_commits/00000.json");
  const text = readFileSync(name, "utf8");
  writeFileSync(name, text.replace('"bytes": 6', '"bytes": 7'));
  const later = new Date(Date.now() + 60_000);
  utimesSync(name, later, later);
  expect(await worker.run.inspect()).toMatchObject({
    missing: [1],
    damaged: [0],
  });
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
  await expect(worker.run.publish({ overwrite: false })).rejects.toMatchObject({
    code: "ERR_INCOMPLETE",
    missing: [0],
  });
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

test.each(["finish", "rename"] as const)(
  "a file put into the old dataset before the new one's %s stays, and the old dataset with it",
  async (moment) => {
    const out = newOut();
    const file = join(out, "mine.txt");
    await new Worker(out).all();
    class Watched extends PosixStore {
      override async rename(from: string, to: string): Promise<boolean> {
        if (moment === "rename" && from === out) writeFileSync(file, "mine");
        return super.rename(from, to);
      }
    }
    const worker = new Worker(out, { temperature: 2, Store: Watched });
    await worker.begin(true);
    if (moment === "finish") writeFileSync(file, "mine");
    await expect(worker.finish(true)).rejects.toMatchObject({
      code: "ERR_OUTPUT_EXISTS",
      message: expect.stringContaining("move them elsewhere: mine.txt"),
    });
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(await new Worker(out).run.isPublished()).toBe(true);
    renameSync(file, `${out}-mine.txt`);
    // The finished parts are kept.
    const again = new Worker(out, { temperature: 2 });
    await again.run.publish({ overwrite: true });
    expect(await again.run.isPublished()).toBe(true);
    expect(besides(out)).toEqual([]);
  },
);

test("of two processes that replace an old dataset at once neither takes the new one away", async () => {
  for (let turn = 1; turn <= 4; turn++) {
    const out = newOut();
    await new Worker(out, { temperature: 2 }).all();
    // Between any two of its renames another process of the same run does all there is to do.
    const Store = faultyStore(
      {
        call: "rename",
        turn,
        fault: "slow",
        meanwhile: async () => {
          const other = new Worker(out);
          if (await other.begin(true)) await other.finish(true);
        },
      },
      () => {},
    );
    const worker = new Worker(out, { Store });
    if (await worker.begin(true)) await worker.finish(true);
    expect(await new Worker(out).run.isPublished(), `rename ${turn}`).toBe(
      true,
    );
    expect(besides(out), `rename ${turn}`).toEqual([]);
  }
});

test("a new dataset that a process had set aside when it died is found again", async () => {
  const out = newOut();
  const worker = new Worker(out);
  await worker.all();
  const files = readdirSync(out, { recursive: true }).sort();
  renameSync(out, `${worker.run.folders.old}-0123456789ab`);
  expect(await new Worker(out).begin()).toBe(false);
  expect(readdirSync(out, { recursive: true }).sort()).toEqual(files);
  expect(besides(out)).toEqual([]);
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
    override async putIfAbsent(
      name: string,
      content: Uint8Array | string,
    ): Promise<boolean> {
      if (typeof content === "string") linkSync(content, name);
      return super.putIfAbsent(name, content);
    }
  }
  await new Worker(out, { Store: Lying }).all();
  expect(await new Worker(out).run.isPublished()).toBe(true);
});
