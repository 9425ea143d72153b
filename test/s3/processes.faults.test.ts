import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { workDirectory } from "../support/logits-input.js";
import { at3, BUCKET, s3World } from "../support/s3/s3-world.js";

// Processes that are killed, come late, or work on one prefix at once.

const at = workDirectory();
const folder = at("logits");
mkdirSync(folder);
await built.generate({
  output: join(folder, "a.arrow"),
  rows: 300,
  classes: 5,
});
const world = await s3World();
const { server, proxy, softjac, newPrefix, texts } = world;
world.upload(folder, "in");
const inputs = `s3://${BUCKET}/in/*.arrow`;
const args = (prefix: string, rows = 150) => [
  "run",
  inputs,
  "-o",
  at3(prefix),
  "--shard-rows",
  `${rows}`,
  "--layout",
  "packed",
  "--threads",
  "1",
  "--json",
];

/** Makes the same call as the command, in this process: starting a command takes a second. */
const runHere = (prefix: string, shardRows = 150) =>
  built.runDataset({
    inputs: [inputs],
    output: at3(prefix),
    shardRows,
    layout: "packed",
    threads: 1,
    endpoint: world.endpoint,
  });

const reference = newPrefix();
expect(await softjac(args(reference))).toMatchObject({ status: 0 });
const expected = texts(reference);

const records = (prefix: string) =>
  [...world.under(prefix).keys()].filter((name) => /^_commits\/\d+/.test(name))
    .length;

describe("killed", () => {
  test.each(["reset before", "reset after"] as const)(
    "with a request that puts (%s it is done): the same run makes what is missing, and nothing twice",
    async (fault) => {
      const step = stepOf(2);
      let kills = 0;
      // After a request is the same moment as before the next: both tests together take every moment but the first.
      for (let turn = step; ; turn += step) {
        const prefix = newPrefix();
        let where = `${fault}, ${turn}`;
        let run: ReturnType<typeof softjac> | null = null;
        proxy.befalling = {
          fault,
          turn,
          of: ({ method }) => method === "PUT",
          onFault: ({ url }) => {
            where += `: ${url}`;
            run?.kill("SIGKILL");
          },
        };
        run = softjac(args(prefix), { AWS_ENDPOINT_URL: proxy.url });
        const { signal, status } = await run;
        proxy.befalling = null;
        if (signal === null) {
          expect(status, where).toBe(0);
          break;
        }
        kills++;
        const done = records(prefix);
        const isComplete = world.under(prefix).has("_SUCCESS");
        if (isComplete) expect(texts(prefix), where).toEqual(expected);
        const report = await runHere(prefix);
        if (!isComplete) expect(report.shardsUpToDate, where).toBe(done);
        expect(report.shardsComputed, where).toBe(isComplete ? 0 : 2 - done);
        expect(texts(prefix), where).toEqual(expected);
      }
      // plan, twice; two parts and their records; manifest and marker
      expect(kills * step).toBe(8);
    },
  );
});

describe("at once", () => {
  test("three processes on one prefix end well, with the bytes of one", async () => {
    const alone = newPrefix();
    await runHere(alone, 30);
    for (let round = 0; round < 2; round += stepOf(2)) {
      const prefix = newPrefix();
      const ends = await Promise.all(
        [1, 2, 3].map(() => softjac(args(prefix, 30))),
      );
      for (const { status, stderr } of ends) expect(status, stderr).toBe(0);
      expect(texts(prefix)).toEqual(texts(alone));
    }
  });

  test("two different runs to one prefix: one has it, the other refuses", async () => {
    const prefix = newPrefix();
    const ends = await Promise.all([
      softjac(args(prefix)),
      softjac([...args(prefix), "--temperature", "2"]),
    ]);
    expect(ends.map(({ status }) => status).sort()).toEqual([0, 73]);
    const refused = ends.find(({ status }) => status === 73);
    expect(refused?.stderr).toMatch(
      /s3:\/\/logits\/out-\d+ is used by run [0-9a-f]{16}; choose another prefix, or remove that dataset first/,
    );
  });

  test("in steps: tasks twice at once, finalize twice at once, status and finalize again", async () => {
    const prefix = newPrefix();
    await built.planDataset({
      inputs: [inputs],
      output: at3(prefix),
      shardRows: 150,
      layout: "packed",
      endpoint: world.endpoint,
    });
    const early = await softjac(["finalize", at3(prefix)]);
    expect(early.status).toBe(75);
    expect(early.stderr).toContain("2 of 2 shards are missing (0-1)");
    const task = ["run-shard", "-o", at3(prefix), "--shard-count", "2"];
    const tasks = await Promise.all(
      ["0", "0", "1"].map((index) =>
        softjac([...task, "--shard-index", index]),
      ),
    );
    for (const { status, stderr } of tasks) expect(status, stderr).toBe(0);
    const status = await softjac(["status", at3(prefix), "--json"]);
    expect(JSON.parse(status.stdout)).toMatchObject({
      status: "in progress",
      shards: 2,
      shardsDone: 2,
    });
    const ends = await Promise.all(
      [1, 2].map(() => softjac(["finalize", at3(prefix)])),
    );
    for (const { status, stderr } of ends) expect(status, stderr).toBe(0);
    const { endpoint } = world;
    await built.finalizeDataset({ output: at3(prefix), endpoint });
    expect(texts(prefix)).toEqual(expected);
  });
});

describe("what is there already", () => {
  const part = "part-00001-of-00002.arrow";

  test("a part with the same bytes, without its record, is taken", async () => {
    const prefix = newPrefix();
    server.put(BUCKET, `${prefix}/_plan.json`, bytesOf("_plan.json"));
    server.put(BUCKET, `${prefix}/${part}`, bytesOf(part));
    await runHere(prefix);
    expect(texts(prefix)).toEqual(expected);
  });

  test("one with other bytes is an error, and stays: 70", async () => {
    const prefix = newPrefix();
    server.put(BUCKET, `${prefix}/_plan.json`, bytesOf("_plan.json"));
    server.put(BUCKET, `${prefix}/${part}`, Buffer.from("other"));
    const { status, stderr } = await softjac(args(prefix));
    expect(status).toBe(70);
    expect(stderr).toMatch(
      /two processes computed different bytes \(SHA-256 [0-9a-f]{64} and [0-9a-f]{64}\)/,
    );
    expect(texts(prefix)[part]).toBe("other");
    expect(texts(prefix)._SUCCESS).toBeUndefined();
  });

  test("a manifest with other bytes is an error: 70", async () => {
    const prefix = newPrefix();
    server.put(BUCKET, `${prefix}/_plan.json`, bytesOf("_plan.json"));
    server.put(BUCKET, `${prefix}/_manifest.json`, Buffer.from("{}"));
    expect((await softjac(args(prefix))).status).toBe(70);
    expect(texts(prefix)._SUCCESS).toBeUndefined();
  });

  test("a part that was replaced by hand is told of, and stays: 74", async () => {
    const prefix = newPrefix();
    // In one moment: a part that is younger than its record counts as changed.
    const then = new Date();
    for (const [name, bytes] of world.under(reference))
      if (name !== "_SUCCESS")
        server.put(BUCKET, `${prefix}/${name}`, bytes, then);
    server.put(BUCKET, `${prefix}/${part}`, Buffer.from("other"));
    const { status, stderr } = await softjac(args(prefix));
    expect(status).toBe(74);
    expect(stderr).toContain(
      "was modified later; remove it, and it is recomputed",
    );
    server.bucket(BUCKET).delete(`${prefix}/${part}`);
    await runHere(prefix);
    expect(texts(prefix)).toEqual(expected);
  });

  test("other objects are refused: 73", async () => {
    const prefix = newPrefix();
    server.put(BUCKET, `${prefix}/mine.txt`, Buffer.from("x"));
    const { status, stderr } = await softjac(args(prefix));
    expect(status).toBe(73);
    expect(stderr).toContain(
      "contains other objects (mine.txt); choose another prefix",
    );
    expect(Object.keys(texts(prefix))).toEqual(["mine.txt"]);
  });

  test("a run whose plan was cleared away while it worked stops", async () => {
    const prefix = newPrefix();
    proxy.befalling = {
      fault: "503",
      turn: 1,
      of: ({ method, url }) => method === "PUT" && url.includes("_commits"),
      onFault: () => server.bucket(BUCKET).delete(`${prefix}/_plan.json`),
    };
    const { status, stderr } = await softjac(args(prefix), {
      AWS_ENDPOINT_URL: proxy.url,
    });
    proxy.befalling = null;
    expect(status).toBe(74);
    expect(stderr).toContain("the directory of the run was removed");
    expect(texts(prefix)._SUCCESS).toBeUndefined();
  });

  function bytesOf(name: string): Buffer {
    return world.under(reference).get(name) as Buffer;
  }
});

test("an input that is replaced while it is worked on: 65, and nothing is published", async () => {
  const bytes = readFileSync(join(folder, "a.arrow"));
  for (const turn of [1, 2]) {
    const prefix = newPrefix();
    server.put(BUCKET, "changing/a.arrow", bytes);
    const changed = Buffer.from(bytes);
    changed[changed.byteLength >> 1] =
      (changed[changed.byteLength >> 1] ?? 0) ^ 1;
    let isChanged = false;
    proxy.befalling = {
      fault: "503",
      // Of a first part, then of a second.
      turn,
      of: ({ method, url }) => method === "PUT" && url.includes("/part-"),
      onFault: () => {
        isChanged = true;
        server.put(BUCKET, "changing/a.arrow", changed);
      },
    };
    const { status, stderr } = await softjac(
      args(prefix, 20).map((word) =>
        word === inputs ? `s3://${BUCKET}/changing/` : word,
      ),
      { AWS_ENDPOINT_URL: proxy.url },
    );
    proxy.befalling = null;
    expect(isChanged).toBe(true);
    expect(status, stderr).toBe(65);
    expect(stderr).toMatch(
      /changed (since the run was planned|while it was read) \(.*ETag "[0-9a-f]{32}", now "[0-9a-f]{32}"\)/,
    );
    expect(texts(prefix)._SUCCESS).toBeUndefined();
  }
});

test("SIGTERM while the store does not answer: 75 within the grace, and the same command goes on", async () => {
  const prefix = newPrefix();
  let run: ReturnType<typeof softjac> | null = null;
  proxy.befalling = {
    fault: "late",
    turn: 3,
    times: Number.POSITIVE_INFINITY,
    of: ({ method, url }) => method === "GET" && url.includes("/in/"),
    onFault: () => run?.kill("SIGTERM"),
  };
  run = softjac([...args(prefix), "--grace", "1"], {
    AWS_ENDPOINT_URL: proxy.url,
  });
  const { status, stderr } = await run;
  proxy.befalling = null;
  expect(status, stderr).toBe(75);
  expect(stderr).toContain("run the same command again");
  await runHere(prefix);
  expect(texts(prefix)).toEqual(expected);
});
