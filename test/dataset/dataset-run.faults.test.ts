import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { Worker } from "../support/dataset-worker.js";
import { CALLS, FAULTS, faultyStore } from "../support/faulty-store.js";
import { workOutputs } from "./support.js";

// The protocol with a fault at each call of the store.

const { newOutput } = workOutputs();

test.each(
  FAULTS.flatMap((fault) => CALLS.map((call) => [fault, call] as const)),
)("a later run completes after a fault (%s) of %s", async (fault, call) => {
  let faults = 0;
  for (let turn = 1; turn === faults + 1; turn++) {
    const out = newOutput();
    const where = `${call} ${turn}`;
    // Another process does all the work.
    const meanwhile = () => new Worker(out).all();
    const Store = faultyStore({ call, turn, fault, meanwhile }, () => faults++);
    const error = await new Worker(out, { Store }).all().catch((e) => e);
    if (fault === "slow") expect(error, where).toBeUndefined();
    const later = new Worker(out);
    if (existsSync(out))
      expect(await later.run.isPublished(), where).toBe(true);
    await later.all();
    await later.expectPublished(where);
    expect(readdirSync(out, { recursive: true }).sort(), where).toEqual([
      ...["_SUCCESS", "_commits", "_commits/00000.json", "_commits/00001.json"],
      ...["_manifest.json", "_plan.json"],
      ...["part-00000-of-00002.arrow", "part-00001-of-00002.arrow"],
    ]);
  }
  // Shards are read again only if two processes computed them.
  expect(faults).toBeGreaterThan(call === "readRange" ? -1 : 0);
});

test.each(
  (["before", "after"] as const).flatMap((fault) =>
    (["rename", "read", "remove", "list"] as const).map(
      (call) => [fault, call] as const,
    ),
  ),
)(
  "a fault (%s) of %s while an old dataset is replaced: a complete dataset is there all the time, and a later run completes",
  async (fault, call) => {
    let faults = 0;
    for (let turn = 1; turn === faults + 1; turn++) {
      const out = newOutput();
      await new Worker(out, { temperature: 2 }).all();
      const Store = faultyStore({ call, turn, fault }, () => faults++);
      await new Worker(out, { Store }).all(true).catch(() => {});
      const complete = readdirSync(dirname(out)).filter(
        (name) =>
          name.startsWith(basename(out)) &&
          existsSync(join(dirname(out), name, "_SUCCESS")),
      );
      expect(complete.length, `${call} ${turn}`).toBeGreaterThan(0);
      const later = new Worker(out);
      await later.all(true);
      await later.expectPublished(`${call} ${turn}`);
    }
    expect(faults).toBeGreaterThan(0);
  },
);
