import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { Requests } from "../../src/storage/s3/requests.js";
import { S3Store } from "../../src/storage/s3/s3-store.js";
import { openClient } from "../../src/storage/s3/sdk.js";
import { putFileIfAbsent } from "../../src/storage/s3/uploads.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { workDirectory } from "../support/logits-input.js";
import { random } from "../support/random.js";
import { FAULTS, type Fault } from "../support/s3/fault-proxy.js";
import {
  BUCKET,
  QUICK_PAUSES,
  repeatAfter,
  s3World,
} from "../support/s3/s3-world.js";

// Whatever befalls a request of a run, the run, or the same one again, ends with the same bytes.

const at = workDirectory();
mkdirSync(at("logits"));
await built.generate({
  output: join(at("logits"), "a.arrow"),
  rows: 300,
  classes: 5,
});
const world = await s3World();
const { newPrefix, texts } = world;
repeatAfter(400);
world.upload(at("logits"), "in");
const inputs = [`s3://${BUCKET}/in/`];
const options = { inputs, shardRows: 150, layout: "packed" } as const;

const reference = newPrefix();
await built.runDataset({
  ...options,
  output: `s3://${BUCKET}/${reference}`,
  endpoint: world.endpoint,
});
const expected = texts(reference);

/** No object is put twice, and the marker comes last. */
function expectOnce(prefix: string, where: string): void {
  const put = world.server.served.filter(
    ({ method, key, status }) =>
      method === "PUT" && key.startsWith(`${prefix}/`) && status === 200,
  );
  const keys = put.map(({ key }) => key);
  expect(new Set(keys).size, where).toBe(keys.length);
  expect(keys.at(-1), where).toBe(`${prefix}/_SUCCESS`);
}

/** Of each fault every sixth request, beginning with another: all faults together befall every request. */
const STEP = stepOf(6);

describe("at each request of a run", () => {
  test.each(FAULTS)("%s: the same bytes, nothing made twice", async (fault) => {
    let befell = 0;
    const first = 1 + (FAULTS.indexOf(fault) % STEP);
    for (let turn = first; ; turn += STEP) {
      const prefix = newPrefix();
      let where = `${fault}, request ${turn}`;
      let isOver = true;
      world.proxy.befalling = {
        fault,
        turn,
        onFault: ({ method, url }) => {
          isOver = false;
          where += `: ${method} ${url}`;
        },
      };
      const report = await built.runDataset({
        ...options,
        output: `s3://${BUCKET}/${prefix}`,
        endpoint: world.faulty,
      });
      if (isOver) break;
      befell++;
      expect(report, where).toMatchObject({
        status: "done",
        shardsComputed: 2,
      });
      expect(texts(prefix), where).toEqual(expected);
      expectOnce(prefix, where);
    }
    world.proxy.befalling = null;
    expect(befell * STEP).toBeGreaterThan(20);
  });
});

describe("at each request of an upload in pieces", () => {
  const uniform = random(3);
  const bytes = Buffer.from(
    Uint32Array.from({ length: 9 << 12 }, () => uniform() * 2 ** 32).buffer,
  );
  const file = at("part");
  const publish = async (prefix: string) => {
    const client = await openClient({ endpoint: world.faulty });
    const pace = { timeoutMs: 800, firstPauseMs: 5, minBytesPerMs: 1 << 20 };
    const store = new S3Store(client, new Requests(pace));
    writeFileSync(file, bytes);
    return putFileIfAbsent(
      store,
      `s3://${BUCKET}/${prefix}/part`,
      file,
      5 << 14,
    );
  };
  // Small pieces are sent in less time.
  beforeAll(() => {
    world.server.uploads.minPieceBytes = 5 << 14;
  });

  test.each<Fault>([...FAULTS])("%s", async (fault) => {
    for (let turn = 1; ; turn++) {
      const prefix = newPrefix();
      let where = `${fault}, request ${turn}`;
      let isOver = true;
      world.proxy.befalling = {
        fault,
        turn,
        onFault: ({ method, url }) => {
          isOver = false;
          where += `: ${method} ${url}`;
        },
      };
      // Where the end of the upload was done and not heard of, the object is found: the run compares its bytes.
      await publish(prefix);
      if (isOver) break;
      const found = world.under(prefix).get("part");
      expect(found?.equals(bytes), where).toBe(true);
    }
    world.proxy.befalling = null;
  });

  test("an object that is there stays, and no piece is sent", async () => {
    const prefix = newPrefix();
    world.server.put(BUCKET, `${prefix}/part`, Buffer.from("first"));
    const before = world.server.served.length;
    expect(await publish(prefix)).toBe(false);
    expect(world.under(prefix).get("part")?.toString()).toBe("first");
    const since = world.server.served.slice(before);
    expect(since.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("an object that comes while pieces are sent stays; nothing of the upload is left", async () => {
    const prefix = newPrefix();
    const uploads = world.server.uploads.count;
    world.proxy.befalling = {
      fault: "503",
      turn: 1,
      of: ({ method, url }) => method === "POST" && url.includes("uploadId"),
      onFault: () =>
        world.server.put(BUCKET, `${prefix}/part`, Buffer.from("first")),
    };
    expect(await publish(prefix)).toBe(false);
    world.proxy.befalling = null;
    expect(world.under(prefix).get("part")?.toString()).toBe("first");
    expect(world.server.uploads.count).toBe(uploads);
  });
});

describe("a store that is out of order", () => {
  test.each<[Fault, number]>([
    ["503", 6],
    ["reset before", 14],
  ])(
    "%s from request %i on: 69, and the same command goes on",
    async (fault, turn) => {
      const prefix = newPrefix();
      const args = [
        "run",
        ...inputs,
        "-o",
        `s3://${BUCKET}/${prefix}/`,
        "--shard-rows",
        "150",
        "--layout",
        "packed",
        "--json",
      ];
      world.proxy.befalling = { fault, turn, times: Number.POSITIVE_INFINITY };
      const failed = await world.softjac(args, {
        AWS_ENDPOINT_URL: world.faulty,
        NODE_OPTIONS: QUICK_PAUSES,
      });
      world.proxy.befalling = null;
      expect(failed.status, failed.stderr).toBe(69);
      expect(failed.stderr).toMatch(
        /the request failed 8 times: (?:SlowDown \(status 503\)|ECONNRESET)/,
      );
      expect(world.under(prefix).has("_SUCCESS")).toBe(false);
      const done = [...world.under(prefix).keys()].filter((name) =>
        name.startsWith("_commits/"),
      ).length;
      const { shardsUpToDate } = await built.runDataset({
        ...options,
        output: `s3://${BUCKET}/${prefix}`,
        endpoint: world.endpoint,
      });
      expect(shardsUpToDate).toBe(done);
      expect(texts(prefix)).toEqual(expected);
    },
  );
});
