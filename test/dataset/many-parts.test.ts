import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { type DatasetPlan, sha256 } from "../../src/dataset/dataset-plan.js";
import { recordName } from "../../src/dataset/names.js";
import { encodeJson, shardRecord } from "../../src/dataset/records.js";
import { built } from "../support/built.js";
import { distFile } from "../support/dist.js";
import { workDirectory } from "../support/logits-input.js";
import { wipOf } from "./outputs.js";

const at = workDirectory();
const PARTS = 2000;
const PEAK_BYTES = new URL("../support/peak-bytes.mjs", import.meta.url).href;
const input = at("logits.arrow");
await built.generate({ output: input, rows: PARTS, classes: 3, seed: 1 });

/** Calls the library in a process of its own: what it gives, and its peak memory in bytes. */
function call<T>(name: string, options: object): { found: T; peak: number } {
  const url = pathToFileURL(distFile("index.js")).href;
  const code = `const s = await import(${JSON.stringify(url)});
    const found = await s[${JSON.stringify(name)}](${JSON.stringify(options)});
    const { peakBytes } = await import(${JSON.stringify(PEAK_BYTES)});
    console.log(JSON.stringify({ found, peak: peakBytes() }));`;
  const args = ["--input-type=module", "-e", code];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

test("2,000 parts: planned, looked at and published in bounded memory", () => {
  const output = at("out");
  const most = 300e6;
  const planned = call<{ shards: number }>("planDataset", {
    inputs: [input],
    output,
    shardRows: 1,
  });
  expect(planned.found.shards).toBe(PARTS);
  expect(planned.peak).toBeLessThan(most);

  // The parts themselves are made elsewhere: here are files and their records.
  const folder = wipOf(output) as string;
  const plan: DatasetPlan = JSON.parse(
    readFileSync(join(folder, "_plan.json"), "utf8"),
  );
  const bytes = Buffer.from("part");
  const made = {
    rows: 1,
    bytes: bytes.byteLength,
    sha256: sha256(bytes),
    badRows: 0,
    firstBadRow: null,
    entries: null,
    droppedMax: null,
    droppedSum: null,
  };
  const missing = [17, 1242];
  const make = (shard: number) => {
    const record = shardRecord(plan, shard, made);
    writeFileSync(join(folder, record.part), bytes);
    writeFileSync(join(folder, recordName(shard)), encodeJson(record));
  };
  for (let shard = 0; shard < PARTS; shard++)
    if (!missing.includes(shard)) make(shard);

  const status = call<{ missing: number[] }>("datasetStatus", { output });
  expect(status.found.missing).toEqual(missing);
  expect(status.peak).toBeLessThan(most);

  for (const shard of missing) make(shard);
  const finalized = call<{ status: string }>("finalizeDataset", { output });
  expect(finalized.found.status).toBe("done");
  expect(finalized.peak).toBeLessThan(most);
  const manifest = JSON.parse(
    readFileSync(join(output, "_manifest.json"), "utf8"),
  );
  expect(manifest.parts).toHaveLength(PARTS);
  expect(manifest.rows).toBe(PARTS);
}, 120_000);
