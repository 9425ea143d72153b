import fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PosixStore } from "../../src/storage/posix-store.js";
import { Worker } from "../support/dataset-worker.js";
import { faultyStore, storeWith } from "../support/faulty-store.js";
import { refused } from "../support/refused.js";
import { makeNewer, workOutputs } from "./support.js";

// The protocol with shards of any bytes: processes that are late, fail, or work on different runs.

const { newOutput } = workOutputs();
const filesIn = (out: string) =>
  fs.readdirSync(out, { recursive: true }).sort();
const { rename, putIfAbsent, makeFolder } = PosixStore.prototype;

test("a process that begins late finds the dataset published", async () => {
  const out = newOutput();
  // Others publish between this process's check and its first directory.
  const Store = storeWith({
    async makeFolder(name) {
      if (!fs.existsSync(out)) await new Worker(out).all();
      await makeFolder.call(this, name);
    },
  });
  const late = new Worker(out, { Store });
  expect(await late.begin()).toBe(false);
  await late.expectPublished();
});

test("the first of two equal shards stays; other bytes are an error", async () => {
  const out = newOutput();
  const [one, two] = [new Worker(out), new Worker(out)];
  for (const worker of [one, two]) await worker.begin();
  const [first, second] = [one.make(0), two.make(0)];
  const third = two.make(0, "other bytes");
  expect(await first()).toBe(true);
  expect(await second()).toBe(true);
  await refused(
    third(),
    "ERR_INTERNAL",
    /\/part-00000-of-00002.arrow: two processes computed different bytes \(SHA-256 [0-9a-f]{64} and [0-9a-f]{64}\)$/,
  );
  await two.finish();
  const part = join(out, "part-00000-of-00002.arrow");
  expect(fs.readFileSync(part, "utf8")).toBe("part 0");
});

test("a record that is replaced during the work is read again", async () => {
  const worker = new Worker(newOutput());
  const { run } = worker;
  await worker.begin();
  await worker.make(0)();
  expect(await run.missing()).toEqual([1]);
  const name = join(run.folders.wip, "_commits/00000.json");
  const text = fs.readFileSync(name, "utf8");
  fs.writeFileSync(name, text.replace('"bytes": 6', '"bytes": 7'));
  makeNewer(name);
  expect((await run.faults()).map(({ problem }) => problem)).toEqual([
    "has 6 bytes instead of 7",
    "has no record",
  ]);
});

test("publishing three times at once, and again", async () => {
  const out = newOutput();
  const workers = [new Worker(out), new Worker(out), new Worker(out)];
  for (const worker of workers) await worker.begin();
  for (const shard of [0, 1]) await workers[0]?.make(shard)();
  const publish = ({ run }: Worker) => run.publish({ overwrite: false });
  await Promise.all(workers.map(publish));
  await publish(workers[1] as Worker);
  await workers[1]?.expectPublished();
});

test("the second of two runs for one output is refused, or replaces the first when it is complete", async () => {
  const one = new Worker(newOutput());
  const two = new Worker(one.out, { temperature: 2 });
  for (const worker of [one, two]) await worker.begin();
  await one.finish();
  await refused(two.finish(), "ERR_OUTPUT_EXISTS");
  expect(await one.run.isPublished()).toBe(true);
  await two.finish(true);
  await two.expectPublished();
});

test.each(["finish", "rename"])(
  "a file that is put into the old dataset before the %s of the new one stays, and the old dataset too",
  async (moment) => {
    const old = new Worker(newOutput());
    const { out } = old;
    const file = join(out, "mine.txt");
    await old.all();
    const Store = storeWith({
      async rename(from, to) {
        if (moment === "rename" && from === out) fs.writeFileSync(file, "mine");
        return rename.call(this, from, to);
      },
    });
    const worker = new Worker(out, { temperature: 2, Store });
    await worker.begin(true);
    if (moment === "finish") fs.writeFileSync(file, "mine");
    const named = /move it elsewhere: mine.txt$/;
    await refused(worker.finish(true), "ERR_OUTPUT_EXISTS", named);
    expect(fs.readFileSync(file, "utf8")).toBe("mine");
    expect(await old.run.isPublished()).toBe(true);
    fs.renameSync(file, `${out}-mine.txt`);
    // The computed shards are kept.
    const again = new Worker(out, { temperature: 2 });
    await again.run.publish({ overwrite: true });
    await again.expectPublished();
  },
);

test.each([1, 2, 3, 4])(
  "a process that does everything before rename %i of another one that replaces a dataset: the new dataset stays",
  async (turn) => {
    const out = newOutput();
    await new Worker(out, { temperature: 2 }).all();
    const meanwhile = () => new Worker(out).all(true);
    const fault = { call: "rename", fault: "slow", turn, meanwhile } as const;
    const worker = new Worker(out, { Store: faultyStore(fault) });
    await worker.all(true);
    await worker.expectPublished();
  },
);

test("a new dataset that a process renamed before it died is restored", async () => {
  const worker = new Worker(newOutput());
  await worker.all();
  const files = filesIn(worker.out);
  fs.renameSync(worker.out, `${worker.run.folders.old}-0123456789ab`);
  expect(await worker.begin()).toBe(false);
  expect(filesIn(worker.out)).toEqual(files);
  await worker.expectPublished();
});

test.each([
  [
    "a rename",
    storeWith({
      async rename(from, to) {
        await rename.call(this, from, to);
        return false;
      },
    }),
  ],
  [
    "a link",
    storeWith({
      async putIfAbsent(name, content) {
        if (typeof content === "string") fs.linkSync(content, name);
        return putIfAbsent.call(this, name, content);
      },
    }),
  ],
])("%s that took effect may report a failure", async (_, Store) => {
  const worker = new Worker(newOutput(), { Store });
  await worker.all();
  await worker.expectPublished();
});

test("a rename that reports success without effect is an I/O error; a later run completes", async () => {
  const Store = storeWith({ rename: async () => true });
  const out = newOutput();
  await refused(new Worker(out, { Store }).all(), "ERR_IO");
  expect(fs.existsSync(out)).toBe(false);
  const worker = new Worker(out);
  await worker.all();
  await worker.expectPublished();
});
