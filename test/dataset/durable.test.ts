import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import {
  notDurable,
  type RecordedCall,
  recordedCalls,
} from "../support/recorded-calls.js";
import { writeFolder } from "./outputs.js";

// What a power cut could lose of a dataset: every file is synced before it has its name, every folder after.

const at = workDirectory();
const folder = await writeFolder(at("logits"), ["a"], {
  rows: 100,
  classes: 3,
});
const options = ["--shard-rows", "50", "--threads", "1"];
const run = (output: string) => ["run", folder, "-o", `${output}/`, ...options];

/** Names that the calls gave, relative to what starts with `output`. */
function named(calls: readonly RecordedCall[], output: string): string[] {
  return calls
    .filter(({ call }) => call === "link" || call === "rename")
    .map(({ to = "" }) => to.slice(output.length))
    .map((name) => name.replace(/^\.__wip-\w+/, "WIP"));
}

const whole = at("whole");

test("a run over a dataset", () => {
  const { calls, status, stderr } = recordedCalls(run(whole));
  expect(status, stderr).toBe(0);
  expect(notDurable(calls)).toEqual([]);
  const names = named(calls, whole);
  expect(names[0]).toBe("WIP/_plan.json");
  expect(names.slice(-3)).toEqual(["WIP/_manifest.json", "WIP/_SUCCESS", ""]);
  // While one part is committed the next may be: each has its name before its record has.
  for (const k of [0, 1]) {
    const part = names.indexOf(`WIP/part-0000${k}-of-00002.arrow`);
    expect(part).toBeGreaterThan(0);
    expect(names.indexOf(`WIP/_commits/0000${k}.json`)).toBeGreaterThan(part);
  }
  expect(names.length).toBe(8);
  // The run's folder was made with the one inside it.
  const made = calls.findIndex(({ path }) => path.endsWith("/_commits"));
  const published = calls.findIndex(({ to }) => to === whole);
  expect(made).toBeGreaterThan(0);
  expect(
    calls
      .slice(made, published)
      .some(({ call, path }) => call === "fsync" && path === dirname(whole)),
  ).toBe(true);
});

test("a repair", () => {
  const output = at("repaired");
  expect(recordedCalls(run(output)).status).toBe(0);
  rmSync(join(output, "part-00001-of-00002.arrow"));
  const repair = ["run-shard", "-o", output, "--repair"];
  const { calls, status, stderr } = recordedCalls(repair);
  expect(status, stderr).toBe(0);
  expect(notDurable(calls)).toEqual([]);
  expect(named(calls, output)).toEqual([
    "/part-00001-of-00002.arrow",
    "/_commits/00001.json",
  ]);
});

test("without hard links: the same", () => {
  const output = at("unlinked");
  const { calls, status, stderr } = recordedCalls(run(output), {
    LINK_FAILS: "EPERM",
  });
  expect(status, stderr).toBe(0);
  expect(notDurable(calls)).toEqual([]);
  expect(filesOf(output)).toEqual(filesOf(whole));
});
