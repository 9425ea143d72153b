import { cpSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { withMeanwhileAt } from "../support/at-each-call.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import { leftOf, writeFolder } from "./outputs.js";

// Another process publishes the dataset between any two calls of a command.

const at = workDirectory();
const folder = await writeFolder(at("logits"), ["a"], {
  rows: 100,
  classes: 3,
});
const options = { inputs: [folder], shardRows: 50, threads: 1 };
const whole = at("whole");
await built.runDataset({ ...options, output: whole });
const made = at("made");
await built.planDataset({ ...options, output: made });
await built.runShards({ output: made });

let names = 0;
/** A run whose parts are all made, and that nobody has published. */
function newOutput(): string {
  const output = at(`out-${names++}`);
  for (const name of leftOf(made))
    cpSync(
      join(dirname(made), name),
      `${output}${name.slice(basename(made).length)}`,
      { recursive: true, preserveTimestamps: true },
    );
  return output;
}

const done = { status: expect.stringMatching(/^(done|up to date)$/) };
const planned = { status: expect.stringMatching(/^(planned|up to date)$/) };
const complete = { shards: 2, shardsDone: 2, missing: [], damaged: [] };

test.each<[string, (output: string) => Promise<object>, object]>([
  ["finalize", (output) => built.finalizeDataset({ output }), done],
  ["status", (output) => built.datasetStatus({ output }), complete],
  ["run-shard", (output) => built.runShards({ output }), done],
  ["run", (output) => built.runDataset({ ...options, output }), done],
  ["plan", (output) => built.planDataset({ ...options, output }), planned],
])("%s", async (_, command, expected) => {
  for (let n = 1; ; n += stepOf(2)) {
    const output = newOutput();
    const { result, reached } = await withMeanwhileAt(
      n,
      () => command(output),
      () => built.finalizeDataset({ output }),
    ).catch((cause) => {
      throw new Error(`published before call ${n}`, { cause });
    });
    expect(result, `published before call ${n}`).toMatchObject(expected);
    if (!reached) {
      expect(n).toBeGreaterThan(8);
      return;
    }
    expect(filesOf(output), `published before call ${n}`).toEqual(
      filesOf(whole),
    );
    expect(leftOf(output), `published before call ${n}`).toEqual([]);
  }
});
