import { cpSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { withMeanwhileAt } from "../support/at-each-call.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { expectWhole, leftOf, publishedDatasets } from "./support.js";

// Another process publishes the dataset between any two calls of a command.

const { at, options, whole, newOutput } = await publishedDatasets();
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

type Command = (output: string) => Promise<object>;
const finalize: Command = (output) => built.finalizeDataset({ output });
const done = { status: expect.stringMatching(/^(done|up to date)$/) };
const planned = { status: expect.stringMatching(/^(planned|up to date)$/) };
const complete = { shards: 4, shardsDone: 4, missing: [], damaged: [] };

test.each<[string, Command, result: object]>([
  ["finalize", finalize, done],
  ["status", (output) => built.datasetStatus({ output }), complete],
  ["run-shard", (output) => built.runShards({ output }), done],
  ["run", (output) => built.runDataset({ ...options, output }), done],
  ["plan", (output) => built.planDataset({ ...options, output }), planned],
])("%s", async (_, command, expected) => {
  for (let n = 1; ; n += stepOf(2)) {
    const output = computed();
    const where = `before call ${n}`;
    const { result, reached } = await withMeanwhileAt(
      n,
      () => command(output),
      () => finalize(output),
    ).catch((cause) => {
      throw new Error(where, { cause });
    });
    expect(result, where).toMatchObject(expected);
    if (!reached) {
      expect(n).toBeGreaterThan(8);
      return;
    }
    expectWhole(output, whole.plain, where);
  }
});
