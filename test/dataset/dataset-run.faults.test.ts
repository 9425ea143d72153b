import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { besides, Worker } from "../support/dataset-worker.js";
import { CALLS, FAULTS, faultyStore } from "../support/faulty-store.js";
import { workDirectory } from "../support/logits-input.js";

// The protocol with a fault at each call of the store.

const at = workDirectory();
let names = 0;

const newOut = () => at(`out-${names++}`);

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
    expect(faults).toBeGreaterThan(call === "readRange" ? -1 : 0);
  },
);

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
