import {
  cpSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";
import { outputsIn, writeFolder } from "./outputs.js";

/** Two published datasets of four shards, `checked` with a SHA-256 in each record, and what they hold. */
export async function publishedDatasets() {
  const at = workDirectory();
  const folder = await writeFolder(at("logits"), ["a"], {
    rows: 160,
    classes: 3,
  });
  const options = { inputs: [folder], shardRows: 40, threads: 1 };
  const plain = at("plain");
  await built.runDataset({ ...options, output: plain });
  const checked = at("checked");
  await built.runDataset({ ...options, output: checked, checksums: true });
  const whole = { plain: filesOf(plain), checked: filesOf(checked) };
  const newOutput = outputsIn(at);
  /** A copy of a published dataset, with the times of the original. */
  const copyOf = (from: string): string => {
    const output = newOutput();
    cpSync(from, output, { recursive: true, preserveTimestamps: true });
    return output;
  };
  return { at, folder, options, plain, checked, whole, newOutput, copyOf };
}

export const partOf = (output: string, k: number) =>
  join(output, `part-0000${k}-of-00004.arrow`);

/** Changes one bit in the middle of a file. */
export function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  writeFileSync(path, bytes);
}

/** Damages a file, and gives it back the time that it had. */
export function keepingTime(path: string, damage: () => void): void {
  const { atime, mtime } = statSync(path);
  damage();
  utimesSync(path, atime, mtime);
}
