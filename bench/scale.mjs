// What docs/scale.md is made from: what a part costs beside computing, how many one Redis carries, how long the end takes.
// node bench/scale.mjs [parts|redis|finalize|workers …]; needs redis-server. Writes bench/results/scale.json.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createServer } from "node:net";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { generate, planDataset } from "../dist/index.js";
import { environment } from "./environment.mjs";
import { describeMachine } from "./machine.mjs";

const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
const RESULTS = new URL("results/scale.json", import.meta.url);
const folder = fs.mkdtempSync(join(tmpdir(), "softjac-scale-"));
const redis = await startRedis();
const SECTIONS = { parts, redis: carried, finalize, workers };
const wanted = process.argv.slice(2);
const found = fs.existsSync(RESULTS)
  ? JSON.parse(fs.readFileSync(RESULTS, "utf8"))
  : {};
try {
  for (const [name, measure] of Object.entries(SECTIONS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    found[name] = await measure();
    console.log(name, JSON.stringify(found[name], null, 1));
  }
  found.machine = {
    ...describeMachine(folder, null),
    loadAverage: loadavg().map((load) => Number(load.toFixed(1))),
  };
  fs.writeFileSync(RESULTS, `${JSON.stringify(found, null, 2)}\n`);
} finally {
  redis.client.disconnect();
  redis.child.kill("SIGKILL");
  fs.rmSync(folder, { recursive: true, force: true });
}

/** Milliseconds for a part of one row, which computes nothing to speak of: by run, and by a worker. */
async function parts() {
  const count = 500;
  const input = join(folder, "rows.arrow");
  await generate({ output: input, rows: count, classes: 3 });
  const one = join(folder, "one.arrow");
  await generate({ output: one, rows: 1, classes: 3 });
  const times = {
    run: [],
    worker: [],
    submit: [],
    runStart: [],
    workerStart: [],
  };
  for (let turn = 0; turn < 3; turn++) {
    const out = (name) => join(folder, `parts-${turn}-${name}`);
    const rows = ["--shard-rows", "1"];
    const threads = ["--threads", "1"];
    times.run.push(
      json("run", input, "-o", `${out("run")}/`, ...rows, ...threads)
        .durationMs / count,
    );
    const submitted = json(
      "submit",
      input,
      "-o",
      out("queue"),
      ...rows,
      ...at(),
    );
    times.submit.push(submitted.durationMs / count);
    const log = await said(
      "worker",
      ...at(),
      "--idle-limit",
      "0.5",
      ...threads,
    );
    const made = log.filter(({ msg }) => msg === "shard completed");
    if (made.length !== count)
      throw new Error(`expected ${count} parts made, found ${made.length}`);
    const [first, last] = [made[0], made.at(-1)].map(({ time }) =>
      Date.parse(time),
    );
    times.worker.push((last - first) / (count - 1));
    times.runStart.push(timed(() => json("run", one, "-o", `${out("one")}/`)));
    json("submit", one, "-o", out("first"), ...at());
    const begun = Date.now();
    const [start] = (
      await said("worker", ...at(), "--idle-limit", "0.5")
    ).filter(({ msg }) => msg === "shard completed");
    times.workerStart.push(Date.parse(start.time) - begun);
  }
  return {
    count,
    millisecondsPerPart: rounded({
      run: times.run,
      worker: times.worker,
      submit: times.submit,
    }),
    startMilliseconds: rounded({
      run: times.runStart,
      worker: times.workerStart,
    }),
  };
}

/** Processor time of Redis for a job, from its submission to its end; jobs do nothing, so that it is what waits least. */
async function carried() {
  const count = 20_000;
  const connection = {
    host: "127.0.0.1",
    port: redis.port,
    maxRetriesPerRequest: null,
  };
  const client = new Redis(connection);
  const queue = new Queue("scale", { connection: client });
  const before = await cpu(client);
  const start = performance.now();
  for (let k = 0; k < count; k += 500)
    await queue.addBulk(
      Array.from({ length: 500 }, (_, i) => ({
        name: "shard",
        data: {
          output: join(folder, "out"),
          run: "0123456789abcdef",
          index: k + i,
        },
        opts: {
          jobId: `0123456789abcdef-01234567.0-${k + i}`,
          attempts: 6,
          removeOnComplete: { age: 86_400, count: 1000 },
        },
      })),
    );
  const added = {
    seconds: (performance.now() - start) / 1000,
    cpu: (await cpu(client)) - before,
  };
  const memory = Number(
    /used_memory:(\d+)/.exec(await client.info("memory"))[1],
  );
  let done = 0;
  const begun = performance.now();
  const middle = await cpu(client);
  await new Promise((resolve) => {
    const all = [1, 2, 3, 4].map(
      () =>
        new Worker(
          "scale",
          async () => {
            done += 1;
            if (done === count)
              setTimeout(
                () =>
                  Promise.all(all.map((worker) => worker.close())).then(
                    resolve,
                  ),
                200,
              );
          },
          { connection, skipLockRenewal: true },
        ),
    );
  });
  const worked = {
    seconds: (performance.now() - begun) / 1000,
    cpu: (await cpu(client)) - middle,
  };
  const perJob = ((added.cpu + worked.cpu) / count) * 1e6;
  await queue.close();
  client.disconnect();
  return {
    jobs: count,
    microsecondsOfRedisPerJob: Math.round(perJob),
    jobsPerSecondAtMost: Math.round(1e6 / perJob),
    addedPerSecond: Math.round(count / added.seconds),
    doneByFourWorkersPerSecond: Math.round(count / worked.seconds),
    bytesPerWaitingJob: Math.round(memory / count),
  };
}

/** Seconds of finalize, by the number of parts; parts and records are copies of a real one's. */
async function finalize() {
  const results = {};
  for (const count of [1000, 5000, 20_000, 50_000]) {
    const input = join(folder, `finalize-${count}.arrow`);
    await generate({ output: input, rows: count, classes: 2 });
    const output = join(folder, `finalize-${count}`);
    const { fingerprint } = await planDataset({
      inputs: [input],
      output,
      shardRows: 1,
    });
    json("run-shard", "-o", output, "--limit", "1");
    fillIn(`${output}.__wip-${fingerprint}`, count);
    const status = timed(() => json("status", output));
    const memory = json("finalize", output);
    results[count] = {
      seconds: Number((memory.durationMs / 1000).toFixed(2)),
      statusSeconds: Number((status / 1000).toFixed(2)),
      peakMiB: Math.round(memory.peakMemoryBytes / 2 ** 20),
    };
    console.error(count, JSON.stringify(results[count]));
    fs.rmSync(output, { recursive: true });
  }
  return results;
}

function fillIn(wip, count) {
  const commits = join(wip, "_commits");
  const digits = (k) => String(k).padStart(5, "0");
  const name = (k) => `part-${digits(k)}-of-${digits(count)}.arrow`;
  const record = JSON.parse(
    fs.readFileSync(join(commits, "00000.json"), "utf8"),
  );
  const part = fs.readFileSync(join(wip, name(0)));
  for (let k = 1; k < count; k++) {
    fs.writeFileSync(join(wip, name(k)), part);
    fs.writeFileSync(
      join(commits, `${digits(k)}.json`),
      JSON.stringify({
        ...record,
        shard: k,
        part: name(k),
        rowStart: k,
        rowEnd: k + 1,
      }),
    );
  }
}

/** Two workers of one thread each against run with two threads, on the same parts. */
async function workers() {
  const input = join(folder, "large.arrow");
  await generate({ output: input, rows: 48_000, classes: 100 });
  const bytes = ["--shard-bytes", String(64 * 2 ** 20)];
  const times = { run: [], workers: [] };
  const processor = { run: [], workers: [] };
  let parts = 0;
  for (let turn = 0; turn < 5; turn++) {
    const out = join(folder, `large-${turn}`);
    const start = cpuOfChildren();
    times.run.push(
      timed(() =>
        json("run", input, "-o", `${out}/`, "--threads", "2", ...bytes),
      ),
    );
    processor.run.push(cpuOfChildren() - start);
    fs.rmSync(out, { recursive: true });
    parts = json("submit", input, "-o", out, ...bytes, ...at()).submitted;
    const before = cpuOfChildren();
    const begun = Date.now();
    const both = await Promise.all(
      [1, 2].map(() =>
        said("worker", ...at(), "--threads", "1", "--idle-limit", "1"),
      ),
    );
    const ends = both
      .flat()
      .filter(({ msg }) => msg === "shard completed")
      .map(({ time }) => Date.parse(time));
    times.workers.push(Math.max(...ends) - begun);
    processor.workers.push(cpuOfChildren() - before);
    json("wait", out, ...at());
    fs.rmSync(out, { recursive: true });
  }
  const { run, workers } = rounded(times);
  const ratios = times.run.map((ms, k) => ms / times.workers[k]);
  return {
    parts,
    milliseconds: { run, workers },
    processorSeconds: rounded(processor),
    speedOfTwoWorkers: rounded({ ratio: ratios }).ratio,
  };
}

/** Processor seconds of all commands that have ended. */
function cpuOfChildren() {
  const stat = fs.readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function at() {
  return ["--queue", `redis://127.0.0.1:${redis.port}`];
}

function json(...args) {
  return JSON.parse(
    execFileSync(process.execPath, [CLI, ...args, "--json"], {
      cwd: folder,
      env: environment,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 2 ** 30,
    }),
  );
}

/** What a command logs. */
async function said(...args) {
  const child = spawn(
    process.execPath,
    [CLI, ...args, "--log-format", "json"],
    { cwd: folder, env: environment, stdio: ["ignore", "ignore", "pipe"] },
  );
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (piece) => {
    text += piece;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code}: ${text}`);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function timed(call) {
  const start = performance.now();
  call();
  return performance.now() - start;
}

/** Medians, with the least and the most. */
function rounded(times) {
  return Object.fromEntries(
    Object.entries(times).map(([name, all]) => {
      const sorted = all.toSorted((a, b) => a - b);
      const digits = (value) => Number(value.toPrecision(3));
      return [
        name,
        {
          median: digits(sorted[Math.floor(sorted.length / 2)]),
          least: digits(sorted[0]),
          most: digits(sorted.at(-1)),
        },
      ];
    }),
  );
}

async function cpu(client) {
  const info = await client.info("cpu");
  const of = (name) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)[1]);
  return of("used_cpu_user") + of("used_cpu_sys");
}

async function startRedis() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  const child = spawn(
    "redis-server",
    [
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--dir",
      folder,
      "--appendonly",
      "yes",
    ],
    { stdio: "ignore" },
  );
  const client = new Redis(port, { maxRetriesPerRequest: null });
  client.on("error", () => {});
  await client.ping();
  return { port, child, client };
}
