import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { makePlan } from "../../src/dataset/dataset-plan.js";
import { DatasetRun } from "../../src/dataset/dataset-run.js";
import { sha256 } from "../../src/dataset/fingerprint.js";
import { runFolders } from "../../src/dataset/names.js";
import type { BytesOptions } from "../../src/dataset/options.js";
import { partRecord } from "../../src/dataset/records.js";
import { PosixStore } from "../../src/store/posix-store.js";
import { CALLS, FAULTS, faultyStore } from "../support/faulty-store.js";
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
    try {
      for (const shard of await this.run.missing()) await this.make(shard)();
    } catch (error) {
      // With the run's folders goes the place for what was being made.
      if (!(await this.run.isPublished())) throw error;
    }
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
      message: expect.stringContaining("(1): mine.txt; move"),
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

test.each(
  FAULTS.flatMap((fault) => CALLS.map((call) => [fault, call] as const)),
)(
  "a fault (%s) of %s leaves what a later run completes",
  async (fault, call) => {
    let faults = 0;
    for (let turn = 1; ; turn++) {
      const out = newOut();
      const where = `${call} ${turn}`;
      let befell = false;
      const Store = faultyStore(
        {
          call,
          turn,
          fault,
          // Another process does all there is to do.
          meanwhile: () => new Worker(out).all(),
        },
        () => {
          befell = true;
        },
      );
      const error = await new Worker(out, { Store }).all().catch((e) => e);
      if (!befell) break;
      faults++;
      if (fault === "slow") expect(error, where).toBeUndefined();
      if (existsSync(out))
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
    // Parts are read again only where two were made at once.
    expect(faults).toBeGreaterThan(call === "hash" ? -1 : 0);
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

test.each(
  ["before", "after"].flatMap((fault) =>
    (["rename", "read", "remove", "list"] as const).map(
      (call) => [fault as "before" | "after", call] as const,
    ),
  ),
)(
  "replacing an old dataset, a fault (%s) of %s: a later run completes, a whole dataset is there all the time",
  async (fault, call) => {
    for (let turn = 1; ; turn++) {
      const out = newOut();
      await new Worker(out, { temperature: 2 }).all();
      let befell = false;
      const Store = faultyStore({ call, turn, fault }, () => {
        befell = true;
      });
      const work = async (worker: Worker) => {
        if (await worker.begin(true)) await worker.finish(true);
      };
      await work(new Worker(out, { Store })).catch(() => {});
      if (!befell) break;
      const folders = readdirSync(dirname(out)).filter((name) =>
        name.startsWith(basename(out)),
      );
      const whole = folders.filter((name) =>
        existsSync(join(dirname(out), name, "_SUCCESS")),
      );
      expect(whole.length, `${call} ${turn}`).toBeGreaterThan(0);
      await work(new Worker(out));
      expect(await new Worker(out).run.isPublished(), `${call} ${turn}`).toBe(
        true,
      );
      expect(besides(out), `${call} ${turn}`).toEqual([]);
    }
  },
);

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
    override async publish(file: string, name: string): Promise<boolean> {
      linkSync(file, name);
      return super.publish(file, name);
    }
  }
  await new Worker(out, { Store: Lying }).all();
  expect(await new Worker(out).run.isPublished()).toBe(true);
});
