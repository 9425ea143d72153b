import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Queue } from "bullmq";
import { expect } from "vitest";
import { queueNameOf } from "../../src/queue/broker/connection.js";
import { jobId } from "../../src/queue/broker/queued-shards.js";
import { countOf, endWorker, queueWorld } from "./dataset.js";
import { expectCode, start } from "./processes.js";
import { freePort, startRedis, test } from "./redis.js";

// A Redis server that stops, restarts, loses its data or accepts nothing.

const log = ["--appendonly", "yes", "--appendfsync", "always"];
const { at, redis, dataset } = await queueWorld({}, ...log);
const { here, commands, submitted, completed, workerAt } = dataset;
const { submit, worker, wait } = commands;

/** Starts a worker that waits before it commits its third shard. */
async function heldWorker() {
  const held = workerAt("hold before link part-00002-of");
  await held.until(/at-call: hold/);
  return held;
}

/** Commands that connect to a queue, for one that is not the test's. */
async function commandsWith(...queue: string[]): Promise<string[][]> {
  const output = dataset.newOutput();
  return [
    ["submit", dataset.folder, "-o", output, ...queue],
    ["worker", ...queue],
    ["wait", await submitted(), ...queue],
  ];
}

test("Redis restarts with its log while a worker computes: no shard is computed twice", async () => {
  const output = await submitted();
  const held = await heldWorker();
  await redis.kill();
  await held.until(/connection to the queue was lost; the current shard cont/);
  await redis.start();
  await held.until(/reconnected to the queue/);
  held.release();
  await here.wait(output);
  expect(countOf(await endWorker(held), "shard completed")).toBe(9);
  dataset.expectSame(output);
});

test("Redis is down while a shard is completed: wait warns, and both continue", async () => {
  const output = await submitted();
  const waiting = wait(output);
  await waiting.until(/no worker of this version is connected/);
  const held = await heldWorker();
  await waiting.until(/"shardsDone":2/);
  await redis.kill();
  await waiting.until(
    /the connection to the queue was lost; the dataset is still checked for finished shards/,
  );
  held.release();
  await waiting.until(/"shardsDone":3/);
  await redis.start();
  await expectCode(waiting, 0);
  await endWorker(held);
  dataset.expectSame(output);
});

test("Redis loses the jobs while a worker computes: wait submits missing shards again", async () => {
  const output = await submitted();
  const held = await heldWorker();
  await redis.client.flushall();
  const waiting = wait(output);
  await waiting.until(/"shards":7,"submission":0,"msg":"submitted"/);
  held.release();
  await expectCode(waiting, 0);
  await endWorker(held);
  dataset.expectSame(output);
});

test.each<
  [what: string, code: number, url: () => Promise<string>, text: string]
>([
  [
    "down at the start",
    69,
    async () => `redis://127.0.0.1:${await freePort()}`,
    "no connection to Redis within 0.5 s: ECONNREFUSED",
  ],
  [
    "in cluster mode",
    78,
    async () => (await startRedis("--cluster-enabled", "yes")).url,
    "Redis runs in cluster mode, which queues do not support; use a server with cluster-enabled no",
  ],
])("Redis is %s: commands exit with %i", async (_, code, urlOf, text) => {
  const url = await urlOf();
  const soon = ["--queue", url, "--connect-timeout", "0.5"];
  for (const args of await commandsWith(...soon)) {
    const { stderr } = await expectCode(start(args), code);
    expect(stderr).toBe(`softjac: ${url}/0: ${text}\n`);
  }
});

test("Redis is a replica or out of memory: submit exits with 69; the next one adds the rest", async () => {
  const output = dataset.newOutput();
  const { client } = redis;
  await client.config("SET", "maxmemory", "1mb");
  await expectCode(
    submit(output),
    69,
    `${redis.url}/0: Redis is out of memory (maxmemory); submitted jobs are kept; run the same command again to submit the rest`,
  );
  await client.config("SET", "maxmemory", "0");
  await client.replicaof("127.0.0.1", String(await freePort()));
  await expectCode(submit(output), 69, ": Redis is a read-only replica");
  await client.replicaof("NO", "ONE");
  await here.submit(output);
  await completed(output);
});

test("Redis accepts connections and never answers: a signal ends every command at once", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const queue = ["--queue", `redis://127.0.0.1:${port}`];
  const late = [...queue, "--connect-timeout", "3600"];
  for (const args of await commandsWith(...late)) {
    const connected = once(server, "connection");
    const started = start(args);
    await connected;
    started.child.kill("SIGTERM");
    await expectCode(started, 75);
  }
  server.close();
});

test("Redis stops answering: wait warns, and a signal ends it with 75", async () => {
  const waiting = wait(await submitted());
  await waiting.until(/no worker of this version is connected/);
  redis.pause();
  await waiting.until(
    /redis:\/\/127\.0\.0\.1:\d+\/0: Redis did not answer within 15 s/,
  );
  waiting.child.kill("SIGTERM");
  await expectCode(waiting, 75, "stopped with 0 of 9 shards done");
  redis.resume();
});

test("Redis may evict jobs: a worker warns, and logs only JSON", async () => {
  const policy = (name: string) =>
    redis.client.config("SET", "maxmemory-policy", name);
  await policy("allkeys-lru");
  const { stderr } = await expectCode(worker(["--idle-limit", "3"]), 0);
  for (const line of stderr.trimEnd().split("\n")) JSON.parse(line);
  expect(stderr).toContain(
    "expected maxmemory-policy noeviction, found allkeys-lru",
  );
  await policy("noeviction");
});

test("wait releases a job that was delayed by a wrong clock", async () => {
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

test("the ACL of the manual has all permissions, and no output contains its password", async () => {
  const doc = fileURLToPath(new URL("../../docs/queue.md", import.meta.url));
  const [line = ""] = /user softjac .*$/m.exec(readFileSync(doc, "utf8")) ?? [];
  const password = "s3cr3t-of-the-test";
  const [, , ...rules] = line.replace(/>\S+/, `>${password}`).split(" ");
  await redis.client.call("ACL", "SETUSER", "softjac", ...rules);
  const url = redis.url.replace("://", "://softjac@");
  const env = { SOFTJAC_QUEUE: url, SOFTJAC_QUEUE_PASSWORD: password };
  const cwd = at(".");
  const run = (line: string, url = env.SOFTJAC_QUEUE) =>
    start(line.split(" "), { cwd, env: { ...env, SOFTJAC_QUEUE: url } });
  const { folder, parts, newOutput } = dataset;
  const output = newOutput();
  const report = at("acl.json");
  const submitting = run(`submit ${folder} -o ${output} ${parts.join(" ")}`);
  await expectCode(submitting, 0);
  const one = run(`worker --log-format json --report ${report} --lease 1`);
  await one.until(/shard completed/);
  const commandLine = readFileSync(`/proc/${one.child.pid}/cmdline`, "utf8");
  const waiting = run(`wait ${output} --poll 0.2`);
  await expectCode(waiting, 0);
  await endWorker(one);
  dataset.expectSame(output);
  expect(await redis.client.call("ACL", "LOG")).toEqual([]);

  const wrong = run("worker", url.replace("softjac@", "softjac:wrong@"));
  const refusal = "Redis refused the login: WRONGPASS";
  const { stderr } = await expectCode(wrong, 77, refusal);
  expect(stderr).not.toContain("softjac:wrong@");
  const ended = await Promise.all(
    [submitting, one, waiting, wrong].map((command) => command.ended),
  );
  const texts = ended.flatMap(({ stderr, stdout }) => [stderr, stdout]);
  texts.push(commandLine, readFileSync(report, "utf8"));
  expect(texts.join("")).not.toContain(password);
});

test("TLS needs a certificate of a known authority", async () => {
  const [key, cert] = [at("key.pem"), at("cert.pem")];
  const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
    -nodes -days 2 -keyout ${key} -out ${cert} -subj /CN=localhost
    -addext subjectAltName=DNS:localhost`;
  execFileSync("openssl", request.split(/\s+/), { stdio: "pipe" });
  const port = await freePort();
  const tls = `--tls-port ${port} --tls-cert-file ${cert}
    --tls-key-file ${key} --tls-auth-clients no`;
  await startRedis(...tls.split(/\s+/));
  const args = `worker --queue rediss://localhost:${port} --idle-limit 0.5
    --connect-timeout 2`.split(/\s+/);
  await expectCode(start(args, { env: { NODE_EXTRA_CA_CERTS: cert } }), 0);
  await expectCode(start(args), 69, "SELF_SIGNED_CERT");
});
