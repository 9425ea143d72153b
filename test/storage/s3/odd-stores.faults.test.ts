import { afterEach, describe, expect, test } from "vitest";
import { encodeJson, runFolders } from "../../../src/dataset/dataset-files.js";
import type { DatasetPlan } from "../../../src/dataset/dataset-plan.js";
import { PrefixRun } from "../../../src/dataset/prefix-run.js";
import { openStore } from "../../../src/storage/open-store.js";
import { itemsOf } from "../../../src/storage/s3/pages.js";
import { openS3Store } from "../../../src/storage/s3/s3-store.js";
import { wordsOf } from "../../cli/support.js";
import { writeFolder } from "../../dataset/support.js";
import { expectCode } from "../../queue/processes.js";
import { built } from "../../support/built.js";
import { refused } from "../../support/refused.js";
import { at3, BUCKET, logitsWorld } from "../../support/s3/s3-world.js";

// Stores that answer incorrectly: one sentence, the right exit code, and an end.

const size = { rows: 20, classes: 4 };
const world = await logitsWorld(["a", "b", "c"], size);
const { at, server, endpoint, faulty, softjac } = world;
const { newPrefix, newOutput, texts, withFault } = world;
const inputs = at3("in");
const run = (more = {}) =>
  built.runDataset({
    ...{ inputs: [inputs], output: newOutput(), endpoint, ...more },
  });
const planned = newOutput();
const plan = { inputs: [inputs], output: planned, shardRows: 20, endpoint };
await built.planDataset(plan);
const unavailable = (work: Promise<unknown>, message: string) =>
  refused(work, "ERR_SERVICE_UNAVAILABLE", message);

afterEach(() => {
  server.changeListing = null;
  server.ignoresConditions = false;
});

describe("a listing that does not end", () => {
  const repeated =
    "the object store repeats a continuation token, so its listing would never end";
  const truncated = (xml: string, next: string) =>
    xml
      .replace("<IsTruncated>false", "<IsTruncated>true")
      .replace("</IsTruncated>", `</IsTruncated>${next}`);
  const token = (text: string) =>
    `<NextContinuationToken>${text}</NextContinuationToken>`;

  test.each([
    ["the same token", token("x"), repeated],
    [
      "no token",
      "",
      "the object store truncates its listing without a continuation token",
    ],
  ])("%s: every call that lists fails", async (_, next, found) => {
    const output = newOutput().slice(0, -1);
    await run({ output });
    server.changeListing = (xml, query) =>
      query.has("uploads") ? xml : truncated(xml, next);
    const call = { output, endpoint };
    await unavailable(run(), `${inputs}: ${found}`);
    const records = `${output}/_commits/input-`;
    await unavailable(built.datasetStatus(call), `${records}: ${found}`);
  });

  test("two tokens in turn: 69", async () => {
    server.changeListing = (xml, query) => {
      const isX = query.get("continuation-token") === "x";
      return truncated(xml, token(isX ? "y" : "x"));
    };
    const args = wordsOf`run ${inputs} -o ${newOutput()}`;
    const { stderr } = await expectCode(softjac(args), 69);
    expect(stderr).toBe(`softjac: ${inputs}: ${repeated}\n`);
  });

  test("markers of uploads that repeat", async () => {
    const output = newOutput();
    const next = "<NextKeyMarker>k</NextKeyMarker>";
    server.changeListing = (xml, query) =>
      query.has("uploads") ? truncated(xml, next) : xml;
    const listed = built.removeStaleRuns({ output, endpoint });
    await unavailable(listed, `${output}: ${repeated}`);
  });

  test.each([
    ["pages", 0],
    ["names", 7],
  ])("too many %s", async (_, each) => {
    let next = 0;
    const ask = async () => ({ items: Array(each).fill(0), next: next++ });
    const limits = { maxItems: 69, maxPages: 20 };
    let total = 0;
    const listed = async () => {
      for await (const _ of itemsOf(inputs, ask, limits)) total++;
    };
    await unavailable(
      listed(),
      `${inputs}: the listing has more than 69 names, or 20 pages; use a longer prefix`,
    );
    expect(total).toBe(each * 9);
    expect(next).toBe(each === 0 ? 21 : 10);
  });
});

test.each([
  ["-5", "returns an impossible size: -5 bytes"],
  [`${2n ** 62n}`, "returns an impossible size: 4611686018427388000 bytes"],
  [`${2n ** 52n}`, "returns an impossible size: 4503599627370496 bytes"],
  ["", "does not return the size of the object"],
  ["abc", "does not return the size of the object"],
])("an object of the size %j", async (size, found) => {
  server.changeListing = (xml) =>
    xml.replace(/<Size>\d+<\/Size>/, size && `<Size>${size}</Size>`);
  const message = `${inputs}a.arrow: the object store ${found}`;
  await unavailable(run(), message);
  await unavailable(run({ keepGoing: true }), message);
});

test("a store that replaces objects at the end of multipart uploads is detected before a large shard is sent", async () => {
  const size = { rows: 1000, classes: 50 };
  const large = await writeFolder(at("large"), ["a"], size);
  const shards = { inputs: [large], layout: "bsr" } as const;
  // A store that honours conditions: one try for all shards, and nothing of it is left.
  const { length } = server.served;
  const sound = newPrefix();
  await run({ ...shards, shardRows: 500, output: at3(sound) });
  const tries = server.served
    .slice(length)
    .filter(({ key }) => key === `${sound}/_plan.json`)
    .filter(({ query }) => query.has("uploadId"));
  expect(tries.map(({ method, status }) => `${method} ${status}`)).toEqual([
    ...["PUT 200", "POST 412", "DELETE 204"],
  ]);
  expect(server.uploads.count).toBe(0);

  server.ignoresConditions = "uploads";
  const bad = newPrefix();
  const args = wordsOf`run ${large} -o ${at3(bad)} --layout bsr --quiet`;
  const { stderr } = await expectCode(softjac(args), 78);
  expect(stderr).toBe(
    `softjac: ${at3(bad)}_plan.json: the object store ignores If-None-Match at the end of a multipart upload, so a shard of more than 8 MiB could replace another object; use smaller shards (--shard-bytes 4000000) or another store\n`,
  );
  expect(Object.keys(texts(bad))).toEqual(["_plan.json"]);
  // Small shards need no multipart uploads.
  await run({ ...shards, shardRows: 100 });
});

describe("SIGTERM while no request is answered", () => {
  /** Stops a command once the proxy has a matching request, which gets no answer; nor do all later ones. */
  async function stopped(args: readonly string[], pattern = /./) {
    let running: ReturnType<typeof softjac> | null = null;
    const silence = {
      ...{ fault: "late" as const, turn: 1, times: Number.POSITIVE_INFINITY },
      of: ({ method, url }: { method: string; url: string }) =>
        pattern.test(`${method} ${url}`),
      onFault: () => void running?.child.kill("SIGTERM"),
    };
    const { result } = await withFault(silence, () => {
      running = softjac(args, { AWS_ENDPOINT_URL: faulty });
      return running.ended;
    });
    return result;
  }
  // 75 for a dataset, although no shard is done; 143 for commands that only read.
  test.each<[code: number, args: string[], pattern?: RegExp]>([
    [75, wordsOf`run ${inputs} -o ${newOutput()}`],
    [75, wordsOf`run ${inputs} -o ${newOutput()}`, /\/in\/b.arrow/],
    [143, wordsOf`run ${inputs} -o ${newOutput()} --dry-run`],
    [75, wordsOf`plan ${inputs} -o ${newOutput()}`],
    [75, wordsOf`run-shard -o ${planned}`],
    [75, wordsOf`finalize ${planned}`],
    [143, wordsOf`status ${planned}`],
    [143, wordsOf`gc ${planned}`],
    [75, wordsOf`wait ${planned}`],
  ])("%i: %j", async (code, args, pattern) => {
    await expectCode({ ended: stopped(args, pattern) }, code);
  });

  test.each([/PUT .*\/part-00001/, /PUT .*_commits\/00001/, /PUT .*_manifest/])(
    "75 after --grace: %s",
    async (pattern) => {
      const output = newOutput();
      const args = wordsOf`run ${inputs} -o ${output} --threads 1 --grace 0.3`;
      await expectCode(
        { ended: stopped(args, pattern) },
        75,
        /stopped with [123] of 3 shards done; run the same command again to continue\n$/,
      );
      await run({ output });
    },
  );
});

test("a chunked response that ends early is requested again", async () => {
  const name = `${inputs}a.arrow`;
  const store = await openStore(name, { endpoint: faulty });
  const short = { fault: "short", turn: 1 } as const;
  const { result, where } = await withFault(short, () => store.read(name));
  expect(where).not.toBe(null);
  const { bytes } = server.bucket(BUCKET).get("in/a.arrow") ?? {};
  expect(bytes?.equals(result ?? Buffer.of())).toBe(true);
});

test("a _SUCCESS with other bytes does not end this run", async () => {
  const prefix = newPrefix();
  const out = `s3://${BUCKET}/${prefix}`;
  const fingerprint = "0123456789abcdef";
  const success = (manifest: string) => encodeJson({ fingerprint, manifest });
  server.put(BUCKET, `${prefix}/_plan.json`, encodeJson({ fingerprint }));
  server.put(BUCKET, `${prefix}/_SUCCESS`, success("other"));
  class Publication extends PrefixRun {
    publishWith(success: Uint8Array) {
      return this.publishFiles(success, { overwrite: false });
    }
  }
  const store = await openS3Store({ endpoint });
  const plan = { fingerprint } as DatasetPlan;
  const run = new Publication(store, runFolders(out, fingerprint), plan);
  await refused(
    run.publishWith(success("ours")),
    "ERR_INTERNAL",
    new RegExp(`^${out}/_SUCCESS: two processes wrote different bytes`),
  );
  await run.publishWith(success("other"));
});
