import { cpSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import {
  expectWhole,
  flip,
  keepingTime,
  leftOf,
  partOf,
  publishedDatasets,
} from "./support.js";

// Another process publishes or repairs the dataset between any two calls of a command.

const published = await publishedDatasets();
const { at, options, checked, whole, newOutput, copyOf } = published;
const made = at("made");
await built.planDataset({ ...options, output: made });
await built.runShards({ output: made });

/** Copies a run whose shards are all computed and that nobody has published. */
function computed(): string {
  const output = newOutput();
  for (const name of leftOf(made))
    cpSync(
      join(dirname(made), name),
      `${output}${name.slice(basename(made).length)}`,
      { recursive: true, preserveTimestamps: true },
    );
  return output;
}

function damaged(): string {
  const output = copyOf(checked);
  const part = partOf(output, 3, 4);
  keepingTime(part, () => flip(part));
  return output;
}

type Command = (output: string) => Promise<object>;
const finalize: Command = (output) => built.finalizeDataset({ output });
const repair: Command = (output) =>
  built.runShards({ output, repair: true, threads: 1 });
const done = { status: expect.stringMatching(/^(done|up to date)$/) };
const planned = { status: expect.stringMatching(/^(planned|up to date)$/) };
const complete = { shards: 4, shardsDone: 4, missing: [], damaged: [] };

test.each<[string, Command, result: object, minCalls?: number]>([
  ["finalize", finalize, done],
  ["status", (output) => built.datasetStatus({ output }), complete],
  ["run-shard", (output) => built.runShards({ output }), done],
  ["run", (output) => built.runDataset({ ...options, output }), done],
  ["plan", (output) => built.planDataset({ ...options, output }), planned],
  ["run-shard --repair", repair, done, 30],
])("%s", async (name, command, expected, minCalls = 8) => {
  const isRepair = name.endsWith("--repair");
  const step = isRepair ? 2 : stepOf(2);
  for (let n = 1; ; n += step) {
    const output = isRepair ? damaged() : computed();
    const where = `before call ${n}`;
    const { result, reached } = await withMeanwhileAt(
      n,
      () => command(output),
      () => (isRepair ? repair : finalize)(output),
    ).catch((cause) => {
      throw new Error(where, { cause });
    });
    expect(result, where).toMatchObject(expected);
    // A plan and a status without another process publish nothing.
    if (reached || isRepair)
      expectWhole(output, isRepair ? whole.checked : whole.plain, where);
    if (reached) continue;
    expect(n).toBeGreaterThan(minCalls);
    return;
  }
});

/** Functions of node:fs/promises that read or change the file system. */
const CALLS = [
  ...(["lstat", "stat", "readdir", "open", "mkdir"] as const),
  ...(["link", "rename", "rm", "rmdir", "unlink"] as const),
];

/**
 * Runs `work`, and `meanwhile` before the nth call of node:fs/promises.
 * @returns the result, and whether there was an nth call
 */
async function withMeanwhileAt<T>(
  n: number,
  work: () => Promise<T>,
  meanwhile: () => Promise<unknown>,
): Promise<{ result: T; reached: boolean }> {
  const originals = CALLS.map((name) => [name, promises[name]] as const);
  let calls = 0;
  let reached = false;
  for (const [name, original] of originals)
    Object.assign(promises, {
      async [name](...args: unknown[]) {
        if (++calls === n) {
          reached = true;
          await meanwhile();
        }
        return (original as (...args: unknown[]) => unknown)(...args);
      },
    });
  syncBuiltinESMExports();
  try {
    return { result: await work(), reached };
  } finally {
    Object.assign(promises, Object.fromEntries(originals));
    syncBuiltinESMExports();
  }
}
