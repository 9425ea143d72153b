import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { processMark } from "../../src/io/temporary-names.js";
import { temporaryPathFor } from "../../src/output/temporary-file.js";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// Temporary files of processes that were killed: the next command that writes the same output removes them.

const at = workDirectory();
const input = at("in.arrow");
writeLogits(input, { rows: 5, classes: 3, logit: (r, k) => r * k });
// It started at another time: this process's number is used again.
const dead = processMark().replace(/\d+$/, "1");

/** A file that a process, by default a dead one, has left of an output. */
function leftOf(output: string, mark = dead): string {
  const path = temporaryPathFor(output).replace(processMark(), mark);
  writeFileSync(path, "left");
  return path;
}

test("the file of a run that was killed", async () => {
  const output = at("killed.arrow");
  const temporaries = () =>
    readdirSync(dirname(output)).filter((name) => /^\.killed/.test(name));
  const child = spawn(process.execPath, [
    ...[CLI, "generate", output, "--rows", "1000000", "--classes", "100"],
  ]);
  while (temporaries().length === 0) await setTimeout(5);
  child.kill("SIGKILL");
  await once(child, "close");
  expect(temporaries()).toHaveLength(1);
  await built.run({ input, output });
  expect(temporaries()).toEqual([]);
});

describe("what is removed", () => {
  test.each<[string, (output: string) => Promise<unknown>]>([
    ["run", (output) => built.run({ input, output, sync: false })],
    ["generate", (output) => built.generate({ output, rows: 2, classes: 2 })],
    [
      "report",
      async (output) => {
        const results = at("results.arrow");
        await built.run({ input, output: results });
        return built.report({ results, output });
      },
    ],
  ])("by %s", async (command, write) => {
    const output = at(`by-${command}${command === "report" ? ".html" : ""}`);
    const files = [leftOf(output), leftOf(output)];
    await write(output);
    expect(existsSync(output)).toBe(true);
    expect(files.filter(existsSync)).toEqual([]);
  });

  test("where the name of the output is as long as the system takes", async () => {
    const start = "n".repeat(240);
    const other = leftOf(at(`${start}.b`));
    const output = at(`${start}.a`);
    const file = leftOf(output);
    await built.run({ input, output });
    expect(existsSync(file)).toBe(false);
    expect(existsSync(other)).toBe(true);
  });
});

test("all else stays", async () => {
  const output = at("out.arrow");
  const folder = dirname(output);
  const [other, none] = ["out.arrows", "out"].map((name) => leftOf(at(name)));
  const name = basename(leftOf(output));
  const make = (changed: string) => {
    writeFileSync(join(folder, changed), "");
    return join(folder, changed);
  };
  const stay = [
    other,
    none,
    leftOf(output, processMark()),
    leftOf(output, dead.replace(/^.{8}/, "0123abcd")),
    leftOf(output, "00000000-0-12345-0"),
    make(name.slice(1)),
    make(`${name}.bak`),
    make(name.replace(/-[0-9a-f]{12}\.tmp$/, ".tmp")),
    make(name.replace(dead, `x-${dead}`)),
    make(`.out.arrow.${process.pid}-0123456789ab.tmp`),
  ];
  const link = temporaryPathFor(output).replace(processMark(), dead);
  symlinkSync(input, link);
  const inner = temporaryPathFor(output).replace(processMark(), dead);
  mkdirSync(inner);
  await built.run({ input, output });
  for (const path of [...stay, input, link, inner])
    expect(path).toSatisfy(existsSync);
  expect(existsSync(join(folder, name))).toBe(false);
});
