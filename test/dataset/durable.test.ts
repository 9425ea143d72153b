import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { wordsOf } from "../cli/support.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import { notDurable, recordedCalls } from "../support/recorded-calls.js";
import { expectStatus, partOf, writeFolder } from "./support.js";

// A power cut loses nothing: every file is synced before it gets its name, every directory after it.

const at = workDirectory();
const size = { rows: 100, classes: 3 };
const folder = await writeFolder(at("logits"), ["a"], size);
const run = (output: string) =>
  wordsOf`run ${folder} -o ${output}/ --shard-rows 50 --threads 1`;
const whole = at("whole");

/** Runs a command whose calls must be durable. Returns them, and the names that they gave. */
function durable(args: string[], output: string, env = {}) {
  const found = recordedCalls(args, env);
  expectStatus(found as never, 0);
  expect(notDurable(found.calls)).toEqual([]);
  const names = found.calls
    .filter(({ call }) => call === "link" || call === "rename")
    .map(({ to = "" }) => to.slice(output.length))
    .map((name) => name.replace(/^\.__wip-\w+/, "WIP"));
  return { calls: found.calls, names };
}

test("a run over a dataset", () => {
  const { calls, names } = durable(run(whole), whole);
  expect(names[0]).toBe("WIP/_plan.json");
  expect(names.slice(-3)).toEqual(["WIP/_manifest.json", "WIP/_SUCCESS", ""]);
  // The next shard may be named while one is committed: each is named before its record.
  for (const k of [0, 1]) {
    const part = names.indexOf(partOf("WIP", k, 2));
    expect(part).toBeGreaterThan(0);
    expect(names.indexOf(`WIP/_commits/0000${k}.json`)).toBeGreaterThan(part);
  }
  expect(names.length).toBe(8);
  // The run's directory was made with the one inside it.
  const made = calls.findIndex(({ path }) => path.endsWith("/_commits"));
  const published = calls.findIndex(({ to }) => to === whole);
  expect(made).toBeGreaterThan(0);
  expect(calls.slice(made, published)).toContainEqual(
    expect.objectContaining({ call: "fsync", path: dirname(whole) }),
  );
});

test("a repair", () => {
  const output = at("repaired");
  durable(run(output), output);
  rmSync(partOf(output, 1, 2));
  const repair = wordsOf`run-shard -o ${output} --repair`;
  expect(durable(repair, output).names).toEqual([
    "/part-00001-of-00002.arrow",
    "/_commits/00001.json",
  ]);
});

test("a run without hard links", () => {
  const output = at("unlinked");
  durable(run(output), output, { LINK_FAILS: "EPERM" });
  expect(filesOf(output)).toEqual(filesOf(whole));
});
