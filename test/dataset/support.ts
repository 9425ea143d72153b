import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { fingerprintOf } from "../../src/dataset/dataset-plan.js";
import type { Finished } from "../cli/support.js";
import { start } from "../queue/processes.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

/** Makes a directory for the tests of a file, and returns functions for paths and for new names of outputs in it. */
export function workOutputs() {
  const at = workDirectory();
  let names = 0;
  const newOutput = () => at(`out-${names++}`);
  /** Copies a published dataset with its times. */
  const copyOf = (from: string): string => {
    const output = newOutput();
    fs.cpSync(from, output, { recursive: true, preserveTimestamps: true });
    return output;
  };
  return { at, newOutput, copyOf };
}

/** Makes a directory of random logits: `a.arrow` with seed 0, `b.arrow` with seed 1, and so on. */
export async function writeFolder(
  folder: string,
  names: readonly string[],
  { rows, classes }: { rows: number; classes: number },
): Promise<string> {
  for (const [seed, name] of names.entries()) {
    const output = join(folder, `${name}.arrow`);
    fs.mkdirSync(dirname(output), { recursive: true });
    await built.generate({ output, rows, classes, seed });
  }
  return folder;
}

/** Numbers of rows of the files that `writeRows` writes. */
export const ROWS = { "a/1.arrow": 700, "a/2.arrow": 1, "b/c/3.arrow": 1500 };

export function writeRows(folder: string): void {
  for (const [k, [name, rows]] of Object.entries(ROWS).entries()) {
    fs.mkdirSync(join(folder, dirname(name)), { recursive: true });
    const logit = (r: number, j: number) => Math.sin(r * 31 + j * 7 + k) * 6;
    const shape = { rows, classes: 4, batchRows: [333] };
    writeLogits(join(folder, name), { ...shape, logit });
  }
}

export function readJson(...path: string[]) {
  return JSON.parse(fs.readFileSync(join(...path), "utf8"));
}

/** Changes the version in a plan, and returns its new fingerprint. */
export function planByOtherVersion(folder: string): string {
  const plan = readJson(folder, "_plan.json");
  plan.of.softjac = "0.0.9";
  plan.fingerprint = fingerprintOf(plan.of);
  fs.writeFileSync(join(folder, "_plan.json"), JSON.stringify(plan));
  return plan.fingerprint;
}

/** Returns the names of directories of runs beside an output. */
export function leftOf(output: string): string[] {
  return fs
    .readdirSync(dirname(output))
    .filter((other) => other.startsWith(`${basename(output)}.__`));
}

/** Returns the directory of the only unfinished run of an output. */
export function wipOf(output: string): string {
  const wip = leftOf(output).find((name) => name.includes(".__wip-"));
  return join(dirname(output), wip ?? "none");
}

/** Returns how many shards of an unfinished run have a record. */
export function recordsOf(output: string): number {
  const commits = join(wipOf(output), "_commits");
  return fs.existsSync(commits) ? fs.readdirSync(commits).length : 0;
}

export async function untilCommitted(output: string, shards: number) {
  while (recordsOf(output) < shards) await delay(5);
}

export const partOf = (folder: string, k: number, shards: number) =>
  join(folder, `part-0000${k}-of-0000${shards}.arrow`);

/** Expects that a dataset has these files and that nothing is left beside it. */
export function expectWhole(output: string, files: object, where?: string) {
  expect(filesOf(output), where).toEqual(files);
  expect(leftOf(output), where).toEqual([]);
}

export function expectStatus(found: Finished, status: number): Finished {
  expect(found.status, found.stderr).toBe(status);
  return found;
}

/** Runs the command, which is killed before or after its nth call that changes the file system. */
export function killedAt(args: string[], n: number, when: string) {
  const env = { KILL_AT: `${n}`, KILL_WHEN: when };
  return start(args, { preload: ["../dataset/kill-at.mjs"], env }).ended;
}

/** Two published datasets of four shards; `checked` has a SHA-256 in each record. */
export async function publishedDatasets() {
  const { at, ...outputs } = workOutputs();
  const size = { rows: 160, classes: 3 };
  const folder = await writeFolder(at("logits"), ["a"], size);
  const options = { inputs: [folder], shardRows: 40, threads: 1 };
  const [plain, checked] = [at("plain"), at("checked")];
  await built.runDataset({ ...options, output: plain });
  await built.runDataset({ ...options, output: checked, checksums: true });
  const whole = { plain: filesOf(plain), checked: filesOf(checked) };
  return { at, folder, options, plain, checked, whole, ...outputs };
}

/** Changes one bit in the middle of a file. */
export function flip(path: string): void {
  const bytes = fs.readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  fs.writeFileSync(path, bytes);
}

/** Damages a file and restores its times. */
export function keepingTime(path: string, damage: () => void): void {
  const { atime, mtime } = fs.statSync(path);
  damage();
  fs.utimesSync(path, atime, mtime);
}

/** Makes a file a minute newer than now. */
export function makeNewer(path: string): void {
  const later = new Date(Date.now() + 60_000);
  fs.utimesSync(path, later, later);
}
