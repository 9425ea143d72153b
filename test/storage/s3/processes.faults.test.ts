import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { wordsOf } from "../../cli/support.js";
import { expectCode } from "../../queue/processes.js";
import { built } from "../../support/built.js";
import { stepOf } from "../../support/every-call.js";
import type { Befalling } from "../../support/s3/fault-proxy.js";
import {
  at3,
  BUCKET,
  flipped,
  logitsWorld,
} from "../../support/s3/s3-world.js";

// Processes that are killed, come late, or work on one prefix at once.

const size = { rows: 300, classes: 5 };
const { folder, server, softjac, ...world } = await logitsWorld(["a"], size);
const { endpoint, faulty, withFault, newPrefix, texts, under } = world;
const inputs = `s3://${BUCKET}/in/*.arrow`;
const argsOf = (prefix: string, rows = 150, input = inputs) =>
  wordsOf`run ${input} -o ${at3(prefix)} --shard-rows ${rows} --layout packed --threads 1 --json`;
const runs = (prefix: string, ...more: string[]) =>
  softjac([...argsOf(prefix), ...more]);

/** Makes the same call as the command, in this process: starting a command takes a second. */
const options = { inputs: [inputs], layout: "packed", endpoint } as const;
const runHere = (prefix: string, shardRows = 150) =>
  built.runDataset({ ...options, output: at3(prefix), shardRows, threads: 1 });

const reference = newPrefix();
await expectCode(runs(reference), 0);
const expected = texts(reference);

/** Runs a command through the proxy with a fault; `onFault` gets the running command. */
async function runWithFault(
  args: string[],
  {
    onFault,
    ...fault
  }: Omit<Befalling, "onFault"> & {
    onFault: (kill: (signal: NodeJS.Signals) => void) => void;
  },
) {
  let started: ReturnType<typeof softjac> | null = null;
  const befalling = {
    ...fault,
    onFault: () => onFault((signal) => started?.child.kill(signal)),
  };
  const { result, where } = await withFault(befalling, () => {
    started = softjac(args, { AWS_ENDPOINT_URL: faulty });
    return started.ended;
  });
  return { ...result, where };
}

const puts =
  (text: string) =>
  ({ method, url }: { method: string; url: string }) =>
    method === "PUT" && url.includes(text);

test.each(["reset before", "reset after"] as const)(
  "killed with a request that puts (%s it is executed): only what is missing is computed",
  async (fault) => {
    const step = stepOf(2);
    let kills = 0;
    // After a request is the same state as before the next: both tests together take every state but the first.
    for (let turn = step; ; turn += step) {
      const prefix = newPrefix();
      const { code, where } = await runWithFault(argsOf(prefix), {
        ...{ fault, turn, of: puts("") },
        onFault: (kill) => kill("SIGKILL"),
      });
      if (code === 0) break;
      expect(code, `${where}`).toBe("SIGKILL");
      kills++;
      const found = texts(prefix);
      const done = Object.keys(found).filter((x) => /^_commits\/\d/.test(x));
      const isComplete = "_SUCCESS" in found;
      if (isComplete) expect(found, `${where}`).toEqual(expected);
      const { shardsUpToDate, shardsComputed } = await runHere(prefix);
      if (!isComplete) expect(shardsUpToDate, `${where}`).toBe(done.length);
      const left = isComplete ? 0 : 2 - done.length;
      expect(shardsComputed, `${where}`).toBe(left);
      expect(texts(prefix), `${where}`).toEqual(expected);
    }
    // The plan, twice; two shards and their records; the manifest and the marker.
    expect(kills * step).toBe(8);
  },
);

describe("at once", () => {
  test("three processes on one prefix give the bytes of one", async () => {
    const alone = newPrefix();
    await runHere(alone, 30);
    for (let round = 0; round < 2; round += stepOf(2)) {
      const prefix = newPrefix();
      const all = [1, 2, 3].map(() => softjac(argsOf(prefix, 30)));
      for (const one of all) await expectCode(one, 0);
      expect(texts(prefix)).toEqual(texts(alone));
    }
  });

  test("one of two runs for a prefix is refused", async () => {
    const prefix = newPrefix();
    const both = [runs(prefix), runs(prefix, "--temperature", "2")];
    const ends = await Promise.all(both.map(({ ended }) => ended));
    expect(ends.map(({ code }) => code).sort()).toEqual([0, 73]);
    expect(ends.find(({ code }) => code === 73)?.stderr).toMatch(
      /s3:\/\/logits\/out-\d+ is used by run [0-9a-f]{16}; choose another prefix, or remove that dataset first/,
    );
  });

  test("tasks and finalize twice at once", async () => {
    const prefix = newPrefix();
    const output = at3(prefix);
    await built.planDataset({ ...options, output, shardRows: 150 });
    const early = softjac(["finalize", output]);
    await expectCode(early, 75, "2 of 2 shards are missing (0-1)");
    const expectDone = async (...commands: string[][]) => {
      for (const one of commands.map((args) => softjac(args)))
        await expectCode(one, 0);
    };
    const task = wordsOf`run-shard -o ${output} --shard-count 2 --shard-index`;
    await expectDone([...task, "0"], [...task, "0"], [...task, "1"]);
    expect(await built.datasetStatus({ output, endpoint })).toMatchObject({
      ...{ status: "in progress", shards: 2, shardsDone: 2 },
    });
    await expectDone(["finalize", output], ["finalize", output]);
    await built.finalizeDataset({ output, endpoint });
    expect(texts(prefix)).toEqual(expected);
  });
});

describe("objects that exist already", () => {
  const part = "part-00001-of-00002.arrow";
  const own = (name: string) => under(reference).get(name) as Buffer;
  /** Returns a prefix with the plan and with another object. */
  function planned(name: string, bytes: Buffer): string {
    const prefix = newPrefix();
    server.put(BUCKET, `${prefix}/_plan.json`, own("_plan.json"));
    server.put(BUCKET, `${prefix}/${name}`, bytes);
    return prefix;
  }

  test("a shard with the same bytes and without a record is used", async () => {
    const prefix = planned(part, own(part));
    await runHere(prefix);
    expect(texts(prefix)).toEqual(expected);
  });

  test.each([
    [part, "computed"],
    ["_manifest.json", "wrote"],
  ])("%s with other bytes is an error and stays: 70", async (name, verb) => {
    const prefix = planned(name, Buffer.from("other"));
    await expectCode(
      runs(prefix),
      70,
      new RegExp(
        `/${name}: two processes ${verb} different bytes \\(SHA-256 [0-9a-f]{64} and [0-9a-f]{64}\\)`,
      ),
    );
    expect(texts(prefix)[name]).toBe("other");
    expect(texts(prefix)._SUCCESS).toBeUndefined();
  });

  test("a shard that somebody replaced is named and stays: 74", async () => {
    const prefix = newPrefix();
    // At one time: a shard that is newer than its record counts as modified.
    const then = new Date();
    for (const [name, bytes] of under(reference))
      if (name !== "_SUCCESS")
        server.put(BUCKET, `${prefix}/${name}`, bytes, then);
    server.put(BUCKET, `${prefix}/${part}`, Buffer.from("other"));
    const advice = "was modified later; remove it, and it is recomputed";
    await expectCode(runs(prefix), 74, advice);
    server.bucket(BUCKET).delete(`${prefix}/${part}`);
    await runHere(prefix);
    expect(texts(prefix)).toEqual(expected);
  });

  test("other objects are refused: 73", async () => {
    const prefix = newPrefix();
    server.put(BUCKET, `${prefix}/mine.txt`, Buffer.from("x"));
    const others = "contains other objects (mine.txt); choose another prefix";
    await expectCode(runs(prefix), 73, others);
    expect(texts(prefix)).toEqual({ "mine.txt": "x" });
  });

  test("a run whose plan is removed stops: 74", async () => {
    const prefix = newPrefix();
    const ended = runWithFault(argsOf(prefix), {
      ...{ fault: "503", turn: 1, of: puts("_commits") },
      onFault: () => server.bucket(BUCKET).delete(`${prefix}/_plan.json`),
    });
    await expectCode({ ended }, 74, "the directory of the run was removed");
    expect(texts(prefix)._SUCCESS).toBeUndefined();
  });
});

test.each([1, 2])(
  "an input that is replaced while shard %i is put: 65, and nothing is published",
  async (turn) => {
    const prefix = newPrefix();
    const bytes = readFileSync(`${folder}/a.arrow`);
    server.put(BUCKET, "changing/a.arrow", bytes);
    const args = argsOf(prefix, 20, at3("changing"));
    const { where, ...ended } = await runWithFault(args, {
      ...{ fault: "503", turn, of: puts("/part-") },
      onFault: () => server.put(BUCKET, "changing/a.arrow", flipped(bytes)),
    });
    expect(where).not.toBe(null);
    await expectCode(
      { ended },
      65,
      /changed (since the run was planned|while it was read) \(.*ETag "[0-9a-f]{32}", now "[0-9a-f]{32}"\)/,
    );
    expect(texts(prefix)._SUCCESS).toBeUndefined();
  },
);
