import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { DatasetPlan } from "../../src/dataset/dataset-plan.js";
import { runFolders } from "../../src/dataset/names.js";
import { PrefixRun } from "../../src/dataset/prefix-run.js";
import { encodeJson } from "../../src/dataset/records.js";
import { openStore } from "../../src/storage/open-store.js";
import { pagesOf } from "../../src/storage/s3/pages.js";
import { openS3Store } from "../../src/storage/s3/s3-store.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { BUCKET, s3World } from "../support/s3/s3-world.js";

// Stores that answer what no store should: one sentence, the right exit code, and an end.

const at = workDirectory();
const folder = at("logits");
mkdirSync(folder);
for (const name of ["a", "b", "c"])
  await built.generate({
    output: join(folder, `${name}.arrow`),
    rows: 20,
    classes: 4,
  });
const world = await s3World();
const { server, softjac, newOutput: output } = world;
world.upload(folder, "in");
const inputs = `s3://${BUCKET}/in/`;

afterEach(() => {
  server.changeListing = null;
  server.ignoresConditions = false;
  server.pageSize = 1000;
});

const { endpoint } = world;
const run = (more = {}) =>
  built.runDataset({ inputs: [inputs], output: output(), endpoint, ...more });

async function expectUnavailable(
  work: Promise<unknown>,
  message: string,
): Promise<void> {
  await expect(work).rejects.toMatchObject({
    code: "ERR_SERVICE_UNAVAILABLE",
    message,
  });
}

const goesOn = (next: string) => (xml: string) =>
  xml
    .replace("<IsTruncated>false", `<IsTruncated>true`)
    .replace("</IsTruncated>", `</IsTruncated>${next}`);

describe("a listing that does not end", () => {
  const repeated =
    "the object store repeats a continuation token, so its listing would never end";

  test.each([
    [
      "the same token",
      "<NextContinuationToken>x</NextContinuationToken>",
      repeated,
    ],
    [
      "no token",
      "",
      "the object store truncates its listing without a continuation token",
    ],
  ])("%s: every call that lists says so", async (_, next, found) => {
    const made = output().slice(0, -1);
    await run({ output: made });
    server.changeListing = (xml, query) =>
      query.has("uploads") ? xml : goesOn(next)(xml);
    const at = { output: made, endpoint };
    await expectUnavailable(run(), `${inputs}: ${found}`);
    await expectUnavailable(
      built.datasetStatus(at),
      `${made}/_commits/input-: ${found}`,
    );
    await expectUnavailable(built.removeStaleRuns(at), `${made}/: ${found}`);
  });

  test("tokens in a circle: 69", async () => {
    server.changeListing = (xml, query) =>
      goesOn(
        `<NextContinuationToken>${query.get("continuation-token") === "x" ? "y" : "x"}</NextContinuationToken>`,
      )(xml);
    const { status, stderr } = await softjac(["run", inputs, "-o", output()]);
    expect(stderr).toBe(`softjac: ${inputs}: ${repeated}\n`);
    expect(status).toBe(69);
  });

  test("uploads whose markers repeat", async () => {
    const out = output().slice(0, -1);
    server.changeListing = (xml, query) =>
      query.has("uploads")
        ? goesOn("<NextKeyMarker>k</NextKeyMarker>")(xml)
        : xml;
    await expectUnavailable(
      built.removeStaleRuns({ output: out, endpoint }),
      `${out}/: ${repeated}`,
    );
  });

  test.each([
    ["pages", 0],
    ["names", 7],
  ])("more %s than a listing may have", async (_, each) => {
    let asked = 0;
    const ask = async () => ({ page: each, names: each, next: asked++ });
    const pages = pagesOf(inputs, ask, { maxNames: 69, maxPages: 20 });
    let total = 0;
    await expect(async () => {
      for await (const page of pages) total += page;
    }).rejects.toThrow(
      `s3://${BUCKET}/in/: the listing has more than 69 names, or 20 pages; use a longer prefix`,
    );
    expect(total).toBe(each * 9);
  });
});

describe("an object without a possible size", () => {
  test.each([
    ["-5", "the object store returns an impossible size: -5 bytes"],
    [
      `${2n ** 62n}`,
      "the object store returns an impossible size: 4611686018427388000 bytes",
    ],
    [
      `${2n ** 52n}`,
      "the object store returns an impossible size: 4503599627370496 bytes",
    ],
    ["", "the object store does not return the size of the object"],
    ["abc", "the object store does not return the size of the object"],
  ])("%j", async (size, found) => {
    server.changeListing = (xml) =>
      xml.replace(/<Size>\d+<\/Size>/, size && `<Size>${size}</Size>`);
    const sentence = `s3://${BUCKET}/in/a.arrow: ${found}`;
    await expectUnavailable(run(), sentence);
    await expectUnavailable(run({ keepGoing: true }), sentence);
  });
});

test("a store that replaces objects at the end of uploads in pieces is found out before a large part is sent", async () => {
  const large = at("large");
  mkdirSync(large);
  const file = join(large, "a.arrow");
  await built.generate({ output: file, rows: 1000, classes: 50 });
  const shards = { inputs: [large], layout: "bsr" } as const;
  // A store that honours it: one try for all parts, and nothing of it is left.
  const before = server.served.length;
  const sound = output();
  await run({ ...shards, shardRows: 500, output: sound });
  const plan = `${sound.split("/").at(-2)}/_plan.json`;
  const tries = server.served
    .slice(before)
    .filter(({ key, query }) => key === plan && query.has("uploadId"));
  expect(tries.map(({ method, status }) => [method, status])).toEqual([
    ["PUT", 200],
    ["POST", 412],
    ["DELETE", 204],
  ]);
  expect(server.uploads.count).toBe(0);

  server.ignoresConditions = "uploads";
  const bad = output();
  const prefix = bad.split("/").at(-2) as string;
  const args = ["run", large, "-o", bad, "--layout", "bsr", "--quiet"];
  const { status, stderr } = await softjac(args);
  expect(stderr).toBe(
    `softjac: ${bad}_plan.json: the object store ignores If-None-Match at the end of a multipart upload, so a shard of more than 8 MiB could replace another object; use smaller shards (--shard-bytes 4000000) or another store\n`,
  );
  expect(status).toBe(78);
  expect([...world.under(prefix).keys()]).toEqual(["_plan.json"]);
  // Small parts need no uploads in pieces.
  await run({ ...shards, shardRows: 100 });
});

describe("a signal ends a command whose requests hang", () => {
  /** Stops a command once a request has come that gets no answer, as no other does from then on. */
  async function stopped(
    args: readonly string[],
    of: (request: { method: string; url: string }) => boolean,
  ): Promise<{ status: number | null; stderr: string }> {
    let running: ReturnType<typeof softjac> | null = null;
    world.proxy.befalling = {
      ...{ fault: "late", turn: 1, times: Number.POSITIVE_INFINITY, of },
      onFault: () => running?.kill("SIGTERM"),
    };
    const env = { AWS_ENDPOINT_URL: world.proxy.url };
    running = softjac([...args], env);
    const ended = await running;
    world.proxy.befalling = null;
    return ended;
  }

  test("75 of a dataset where nothing is done yet, 143 of commands that only look", async () => {
    const planned = output();
    await built.planDataset({
      inputs: [inputs],
      output: planned,
      shardRows: 20,
      endpoint,
    });
    for (const [code, ...args] of [
      [75, "run", inputs, "-o", output()],
      [143, "run", inputs, "-o", output(), "--dry-run"],
      [75, "plan", inputs, "-o", output()],
      [75, "run-shard", "-o", planned],
      [75, "finalize", planned],
      [143, "status", planned],
      [143, "gc", planned],
      [75, "wait", planned],
    ] as [number, ...string[]][]) {
      const ended = await stopped(args, () => true);
      expect(ended.status, `${args}: ${ended.stderr}`).toBe(code);
    }
    const head = await stopped(["run", inputs, "-o", output()], ({ url }) =>
      url.includes("/in/b.arrow"),
    );
    expect(head.status, head.stderr).toBe(75);
  });

  test.each([
    ["a part", /PUT .*\/part-00001/],
    ["a record", /PUT .*_commits\/00001/],
    ["the manifest", /PUT .*_manifest/],
  ])("75 after --grace where %s is not put", async (_, pattern) => {
    const out = output();
    const args = ["run", inputs, "-o", out, "--threads", "1", "--grace", "0.3"];
    const { status, stderr } = await stopped(args, ({ method, url }) =>
      pattern.test(`${method} ${url}`),
    );
    expect(stderr).toMatch(
      /stopped with [123] of 3 shards done; run the same command again to continue\n$/,
    );
    expect(status).toBe(75);
    await run({ output: out });
  });
});

test("an answer in chunks that ends early is asked for again", async () => {
  const name = `s3://${BUCKET}/in/a.arrow`;
  const store = await openStore(name, { endpoint: world.proxy.url });
  world.proxy.befalling = { fault: "short", turn: 1 };
  const found = await store.read(name);
  world.proxy.befalling = null;
  const whole = server.bucket(BUCKET).get("in/a.arrow")?.bytes;
  expect(Buffer.from(found ?? []).equals(whole ?? Buffer.of(1))).toBe(true);
});

test("a _SUCCESS with other bytes is no end of this run", async () => {
  const out = output().slice(0, -1);
  const prefix = out.slice(`s3://${BUCKET}/`.length);
  const fingerprint = "0123456789abcdef";
  const put = (name: string, value: object) =>
    server.put(BUCKET, `${prefix}/${name}`, encodeJson(value));
  put("_plan.json", { fingerprint });
  put("_SUCCESS", { fingerprint, manifest: "other" });
  class Publication extends PrefixRun {
    override publishFiles(...given: Parameters<PrefixRun["publishFiles"]>) {
      return super.publishFiles(...given);
    }
  }
  const publication = new Publication(
    await openS3Store({ endpoint }),
    runFolders(out, fingerprint),
    { fingerprint } as DatasetPlan,
  );
  const success = encodeJson({ fingerprint, manifest: "ours" });
  await expect(
    publication.publishFiles(success, { overwrite: false }),
  ).rejects.toMatchObject({
    code: "ERR_INTERNAL",
    message: expect.stringContaining(
      `${out}/_SUCCESS: two processes wrote different bytes`,
    ),
  });
  await publication.publishFiles(
    encodeJson({ fingerprint, manifest: "other" }),
    {
      overwrite: false,
    },
  );
});
