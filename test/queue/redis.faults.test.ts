import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Queue } from "bullmq";
import { afterAll, afterEach, expect } from "vitest";
import { jobId } from "../../src/queue/jobs.js";
import { queueNameOf } from "../../src/queue/open-queue.js";
import { workDirectory } from "../support/logits-input.js";
import { countOf, endWorker, expectCode, testDataset } from "./dataset.js";
import { endAll, type Started, start } from "./processes.js";
import { endRedis, freePort, startRedis, test } from "./redis.js";

// A Redis that goes, comes back, forgets, or takes nothing.

const at = workDirectory();
afterEach(endAll);
const redis = await startRedis(
  "--appendonly",
  "yes",
  "--appendfsync",
  "always",
);
afterAll(endRedis);
const dataset = await testDataset(at, redis);
const { submit, worker, wait } = dataset.commands;
const { here } = dataset;
let names = 0;
const newFile = () => at(`file-${names++}`);

/** A worker that waits at its third part, and the file that lets it go on. */
function heldWorker(): { held: Started; letGo: () => void } {
  const file = newFile();
  const env = {
    AT_CALL: "link",
    AT_PATH: "part-00002-of",
    AT_WHEN: "before",
    AT_DO: "hold",
    AT_FILE: file,
    AT_ONCE: newFile(),
  };
  const held = worker([], { preload: ["at-call.mjs"], env });
  return { held, letGo: () => writeFileSync(file, "") };
}

test("restarted with its log while a part is made: goes on, nothing is made twice", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const { held, letGo } = heldWorker();
  await held.until(/at-call: hold/);
  await redis.stop("SIGKILL");
  await held.until(
    /the connection to the queue was lost; the current shard continues/,
  );
  await redis.start();
  await held.until(/reconnected to the queue/);
  letGo();
  await here.wait(output);
  const said = await endWorker(held);
  expect(countOf(said, "shard completed")).toBe(9);
  dataset.expectSame(output);
});

test("down while the last of the held part is done, and for a while: wait says so, both go on", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const { held, letGo } = heldWorker();
  const waiting = wait(output);
  await waiting.until(/"shardsDone":2/);
  await held.until(/at-call: hold/);
  await redis.stop("SIGKILL");
  await waiting.until(
    /the connection to the queue was lost; the dataset is still checked for finished shards/,
  );
  letGo();
  await waiting.until(/"shardsDone":3/);
  await redis.start();
  await expectCode(waiting, 0);
  await endWorker(held);
  dataset.expectSame(output);
});

test("jobs forgotten while a part is made: wait sees parts missing without a job, and submits them again", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const { held, letGo } = heldWorker();
  await held.until(/at-call: hold/);
  await redis.client.flushall();
  const waiting = wait(output);
  await waiting.until(/"shards":7,"submission":0,"msg":"submitted"/);
  letGo();
  await expectCode(waiting, 0);
  await endWorker(held);
  dataset.expectSame(output);
});

test("killed without anything saved: the same, and the worker goes on by itself", async () => {
  const forgetful = await startRedis();
  const other = await testDataset((name) => at(`forgetful-${name}`), forgetful);
  const output = other.newOutput();
  await other.here.submit(output);
  const waiting = other.commands.wait(output);
  await waiting.until(/no worker of this version is connected/);
  await forgetful.stop("SIGKILL");
  await forgetful.start();
  const one = other.here.worker({ allow: [at(".")] });
  await expectCode(waiting, 0);
  await one.end();
  other.expectSame(output);
});

test("down at the start: 69, in the time that is given for it", async () => {
  const queue = ["--queue", `redis://127.0.0.1:${await freePort()}`];
  const soon = [...queue, "--connect-timeout", "0.5"];
  const output = dataset.newOutput();
  const submitting = start(["submit", dataset.folder, "-o", output, ...soon]);
  const { stderr } = await expectCode(submitting, 69);
  expect(stderr).toMatch(
    /^softjac: redis:\/\/127\.0\.0\.1:\d+\/0: no connection to Redis within 0\.5 s: ECONNREFUSED\n$/,
  );
  await expectCode(start(["worker", ...soon]), 69);
  await here.submit(output);
  await expectCode(start(["wait", output, ...soon]), 69);
  await redis.client.flushall();
});

test("read only, and out of memory: submit says which, with 69; after that it adds the rest", async () => {
  const output = dataset.newOutput();
  const { client } = redis;
  await client.config("SET", "maxmemory", "1mb");
  const full = await expectCode(submit(output), 69);
  expect(full.stderr).toContain(
    `${redis.url}/0: Redis is out of memory (maxmemory); submitted jobs are kept; run the same command again to submit the rest`,
  );
  await client.config("SET", "maxmemory", "0");
  await client.replicaof("127.0.0.1", String(await freePort()));
  const replica = await expectCode(submit(output), 69);
  expect(replica.stderr).toMatch(/: Redis is a read-only replica/);
  await client.replicaof("NO", "ONE");
  await here.submit(output);
  const one = here.worker();
  await here.wait(output);
  await one.end();
  dataset.expectSame(output);
});

test("a Redis in cluster mode: submit, worker and wait say so, 78", async () => {
  const cluster = await startRedis("--cluster-enabled", "yes");
  const output = dataset.newOutput();
  await here.submit(output);
  const queue = ["--queue", cluster.url];
  for (const args of [
    ["submit", dataset.folder, "-o", dataset.newOutput()],
    ["worker"],
    ["wait", output],
  ]) {
    const { stderr } = await expectCode(start([...args, ...queue]), 78);
    expect(stderr).toBe(
      `softjac: ${cluster.url}/0: Redis runs in cluster mode, which queues do not support; use a server with cluster-enabled no\n`,
    );
  }
  await redis.client.flushall();
});

test("a Redis that accepts connections and never answers: a signal ends every command at once", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const queue = ["--queue", `redis://127.0.0.1:${port}`];
  const soon = [...queue, "--connect-timeout", "3600"];
  for (const [args, code] of [
    [["submit", dataset.folder, "-o", dataset.newOutput()], 75],
    [["worker"], 75],
    [["wait", output], 75],
  ] as const) {
    const connected = once(server, "connection");
    const started = start([...args, ...soon]);
    await connected;
    started.child.kill("SIGTERM");
    await expectCode(started, code);
  }
  server.close();
  await redis.client.flushall();
});

test("a Redis that stops answering while wait waits: it says so, and a signal ends it with 75", async () => {
  const output = dataset.newOutput();
  await here.submit(output);
  const waiting = wait(output);
  await waiting.until(/no worker of this version is connected/);
  redis.pause();
  await waiting.until(
    /redis:\/\/127\.0\.0\.1:\d+\/0: Redis did not answer within 15 s/,
  );
  waiting.child.kill("SIGTERM");
  const { stderr } = await expectCode(waiting, 75);
  expect(stderr).toContain("stopped with 0 of 9 shards done");
  redis.resume();
  await redis.client.flushall();
});

test("a Redis that may evict jobs is told of; nothing else goes to standard error", async () => {
  await redis.client.config("SET", "maxmemory-policy", "allkeys-lru");
  const { stderr } = await expectCode(worker(["--idle-limit", "3"]), 0);
  for (const line of stderr.trimEnd().split("\n")) JSON.parse(line);
  expect(stderr).toContain(
    "expected maxmemory-policy noeviction, found allkeys-lru",
  );
  await redis.client.config("SET", "maxmemory-policy", "noeviction");
});

test("a job that waits for the time of day of a clock that was ahead is let go by wait", async () => {
  const output = dataset.newOutput();
  const run = (await here.submit(output)).fingerprint as string;
  const queue = new Queue(queueNameOf(), { connection: redis.client });
  const data = { output, run, index: 3 };
  const id = jobId(data, 0);
  await queue.remove(id);
  await queue.add("shard", data, { jobId: id, delay: 3_600_000 });
  const one = here.worker();
  await here.wait(output, { attempts: 2, backoff: 0.1 });
  expect(await one.end()).toMatchObject({ shardsComputed: 9 });
  await queue.close();
  dataset.expectSame(output);
});

const doc = fileURLToPath(new URL("../../docs/queue.md", import.meta.url));

test("the user of the manual's ACL may do all that is needed, and its password is nowhere", async () => {
  const [line = ""] = /user softjac .*$/m.exec(readFileSync(doc, "utf8")) ?? [];
  const password = "s3cr3t-of-the-test";
  const [, , ...rules] = line.replace(/>\S+/, `>${password}`).split(" ");
  await redis.client.call("ACL", "SETUSER", "softjac", ...rules);
  const url = redis.url.replace("://", "://softjac@");
  const env = { SOFTJAC_QUEUE: url, SOFTJAC_QUEUE_PASSWORD: password };
  const output = dataset.newOutput();
  const report = at("acl.json");
  const { folder, parts } = dataset;
  const all = [
    await expectCode(
      start(["submit", folder, "-o", output, ...parts], { env }),
      0,
    ),
  ];
  const tell = ["--log-format", "json", "--report", report];
  const one = start(["worker", ...tell, "--lease", "1"], { env, cwd: at(".") });
  await one.until(/shard completed/);
  const cmdline = readFileSync(`/proc/${one.child.pid}/cmdline`, "utf8");
  all.push(
    await expectCode(start(["wait", output, "--poll", "0.2"], { env }), 0),
  );
  await endWorker(one);
  all.push(await one.ended);
  dataset.expectSame(output);
  const log = (await redis.client.call("ACL", "LOG")) as unknown[];
  expect(log).toEqual([]);
  const wrong = start(["worker"], {
    env: { SOFTJAC_QUEUE: url.replace("softjac@", "softjac:wrong@") },
  });
  const refused = await expectCode(wrong, 77);
  all.push(refused);
  expect(refused.stderr).toContain("Redis refused the login: WRONGPASS");
  expect(refused.stderr).not.toContain("softjac:wrong@");
  const texts = [
    cmdline,
    readFileSync(report, "utf8"),
    ...all.flatMap(({ stderr, stdout }) => [stderr, stdout]),
  ];
  expect(texts.join("")).not.toContain(password);
});

test("a password on the command line is refused, and not repeated", async () => {
  const args = ["--queue", "redis://:hunter2@localhost"];
  const { stderr } = await expectCode(start(["worker", ...args]), 64);
  expect(stderr).toContain("SOFTJAC_QUEUE_PASSWORD");
  expect(stderr).not.toContain("hunter2");
});

test("TLS", async () => {
  const [key, cert] = [at("key.pem"), at("cert.pem")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt"],
      ...["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-keyout", key, "-out", cert, "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost"],
    ],
    { stdio: "pipe" },
  );
  const port = String(await freePort());
  await startRedis(
    ...["--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key],
    ...["--tls-auth-clients", "no"],
  );
  const args = ["worker", "--queue", `rediss://localhost:${port}`];
  const quick = [...args, "--idle-limit", "0.5", "--connect-timeout", "2"];
  await expectCode(start(quick, { env: { NODE_EXTRA_CA_CERTS: cert } }), 0);
  const { stderr } = await expectCode(start(quick), 69);
  expect(stderr).toContain("SELF_SIGNED_CERT");
  expect(existsSync(cert)).toBe(true);
});
