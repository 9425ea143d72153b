import { writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { Requests } from "../../../src/storage/s3/requests.js";
import { S3Store } from "../../../src/storage/s3/s3-store.js";
import { openClient } from "../../../src/storage/s3/sdk.js";
import { putFileIfAbsent } from "../../../src/storage/s3/uploads.js";
import { wordsOf } from "../../cli/support.js";
import { expectCode } from "../../queue/processes.js";
import { built } from "../../support/built.js";
import { stepOf } from "../../support/every-call.js";
import { random } from "../../support/random.js";
import { FAULTS } from "../../support/s3/fault-proxy.js";
import {
  at3,
  BUCKET,
  logitsWorld,
  QUICK_PAUSES,
  repeatAfter,
} from "../../support/s3/s3-world.js";

// A run with a faulty request, or the same run again, gives the same bytes.

const world = await logitsWorld(["a"], { rows: 300, classes: 5 });
const { at, server, faulty, endpoint } = world;
const { newPrefix, texts, under, withFault } = world;
afterAll(repeatAfter(400));
const run = (prefix: string, endpoint: string) =>
  built.runDataset({
    ...{ inputs: [at3("in")], output: at3(prefix), endpoint },
    ...{ shardRows: 150, layout: "packed" },
  });
const reference = newPrefix();
await run(reference, endpoint);
const expected = texts(reference);

/** Expects that no object was put twice, and that the marker was the last. */
function expectOnce(prefix: string, where: string): void {
  const keys = server.served
    .filter(({ method, status }) => method === "PUT" && status === 200)
    .map(({ key }) => key)
    .filter((key) => key.startsWith(`${prefix}/`));
  expect(new Set(keys).size, where).toBe(keys.length);
  expect(keys.at(-1), where).toBe(`${prefix}/_SUCCESS`);
}

/** Of each fault every sixth request, beginning with another: all faults together affect every request. */
const STEP = stepOf(6);

test.each(FAULTS)(
  "%s at each request of a run: nothing is computed twice",
  async (fault) => {
    let faults = 0;
    const first = 1 + (FAULTS.indexOf(fault) % STEP);
    for (let turn = first; ; turn += STEP) {
      const prefix = newPrefix();
      const work = () => run(prefix, faulty);
      const { result, where } = await withFault({ fault, turn }, work);
      if (where === null) break;
      faults++;
      const computed = { status: "done", shardsComputed: 2 };
      expect(result, where).toMatchObject(computed);
      expect(texts(prefix), where).toEqual(expected);
      expectOnce(prefix, where);
    }
    expect(faults * STEP).toBeGreaterThan(20);
  },
);

describe("an upload in pieces", () => {
  // Small pieces are sent in less time.
  const PIECE_BYTES = 5 << 14;
  server.uploads.minPieceBytes = PIECE_BYTES;
  const uniform = random(3);
  const draws = Uint32Array.from(
    { length: 9 << 12 },
    () => uniform() * 2 ** 32,
  );
  const bytes = Buffer.from(draws.buffer);
  const upload = async (prefix: string) => {
    const client = await openClient({ endpoint: faulty });
    const pace = { timeoutMs: 800, firstPauseMs: 5, minBytesPerMs: 1 << 20 };
    const store = new S3Store(client, new Requests(pace));
    writeFileSync(at("part"), bytes);
    const name = `s3://${BUCKET}/${prefix}/part`;
    return putFileIfAbsent(store, name, at("part"), PIECE_BYTES);
  };

  test.each(FAULTS)("%s at each request", async (fault) => {
    for (let turn = 1; ; turn++) {
      const prefix = newPrefix();
      const work = () => upload(prefix);
      // If the response to the last request is lost, the object exists: a run compares its bytes.
      const { where } = await withFault({ fault, turn }, work);
      const found = under(prefix).get("part");
      expect(found?.equals(bytes), where ?? "no fault").toBe(true);
      if (where !== null) continue;
      expect(turn).toBeGreaterThan(4);
      return;
    }
  });

  test("an object that exists stays, and no piece is sent", async () => {
    const prefix = newPrefix();
    server.put(BUCKET, `${prefix}/part`, Buffer.from("first"));
    const { length } = server.served;
    expect(await upload(prefix)).toBe(false);
    expect(texts(prefix)).toEqual({ part: "first" });
    const since = server.served.slice(length);
    expect(since.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("an object that is put during the upload stays, and nothing of the upload is left", async () => {
    const prefix = newPrefix();
    const { count } = server.uploads;
    const first = Buffer.from("first");
    const end = {
      ...{ fault: "503" as const, turn: 1 },
      of: ({ method, url }: { method: string; url: string }) =>
        method === "POST" && url.includes("uploadId"),
      onFault: () => server.put(BUCKET, `${prefix}/part`, first),
    };
    const { result } = await withFault(end, () => upload(prefix));
    expect(result).toBe(false);
    expect(texts(prefix)).toEqual({ part: "first" });
    expect(server.uploads.count).toBe(count);
  });
});

test.each([
  ["503", 6],
  ["reset before", 14],
] as const)(
  "%s from request %i on: 69, and the same command continues",
  async (fault, turn) => {
    const prefix = newPrefix();
    const args = wordsOf`run ${at3("in")} -o ${at3(prefix)} --shard-rows 150 --layout packed --json`;
    const env = { AWS_ENDPOINT_URL: faulty, NODE_OPTIONS: QUICK_PAUSES };
    const failing = { fault, turn, times: Number.POSITIVE_INFINITY };
    const work = () => world.softjac(args, env).ended;
    const { result: ended } = await withFault(failing, work);
    await expectCode(
      { ended },
      69,
      /the request failed 8 times: (?:SlowDown \(status 503\)|ECONNRESET)/,
    );
    const names = [...under(prefix).keys()];
    expect(names).not.toContain("_SUCCESS");
    const done = names.filter((name) => name.startsWith("_commits/")).length;
    expect((await run(prefix, endpoint)).shardsUpToDate).toBe(done);
    expect(texts(prefix)).toEqual(expected);
  },
);
