import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  encodeJson,
  recordName,
  shardRecord,
} from "../../src/dataset/dataset-files.js";
import { built } from "../support/built.js";
import { resultOf } from "../support/dataset-worker.js";
import { distFile } from "../support/dist.js";
import { workDirectory } from "../support/logits-input.js";
import { readJson, wipOf } from "./support.js";

const at = workDirectory();
const SHARDS = 2000;
const PEAK_BYTES = new URL("../support/peak-bytes.mjs", import.meta.url).href;

/** Calls a function of the library in another process, whose memory must be bounded, and returns the result. */
function call(name: string, options: object) {
  const code = `import { ${name} } from ${JSON.stringify(distFile("index.js"))};
    import { peakBytes } from ${JSON.stringify(PEAK_BYTES)};
    const found = await ${name}(${JSON.stringify(options)});
    console.log(JSON.stringify({ found, peak: peakBytes() }));`;
  const args = ["--input-type=module", "-e", code];
  const { found, peak } = JSON.parse(
    execFileSync(process.execPath, args, { encoding: "utf8" }),
  );
  expect(peak).toBeLessThan(300e6);
  return found;
}

test("2,000 shards are planned, checked and published in bounded memory", async () => {
  const [input, output] = [at("logits.arrow"), at("out")];
  await built.generate({ output: input, rows: SHARDS, classes: 3, seed: 1 });
  const plan = { inputs: [input], output, shardRows: 1 };
  expect(call("planDataset", plan).shards).toBe(SHARDS);

  // Computing them would take too long: these files have other bytes.
  const wip = wipOf(output);
  const stored = readJson(wip, "_plan.json");
  const bytes = Buffer.from("part");
  const missing = [17, 1242];
  const make = (shard: number) => {
    const record = shardRecord(stored, shard, resultOf(bytes));
    writeFileSync(join(wip, record.part), bytes);
    writeFileSync(join(wip, recordName(shard)), encodeJson(record));
  };
  for (let shard = 0; shard < SHARDS; shard++)
    if (!missing.includes(shard)) make(shard);
  expect(call("datasetStatus", { output }).missing).toEqual(missing);
  for (const shard of missing) make(shard);
  expect(call("finalizeDataset", { output }).status).toBe("done");
  const { parts, rows } = readJson(output, "_manifest.json");
  expect([parts.length, rows]).toEqual([SHARDS, SHARDS]);
}, 120_000);
