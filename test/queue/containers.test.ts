import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, test as anyTest, expect } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";
import { expectCode, testDataset } from "./dataset.js";
import { endAll, type Started, startProgram } from "./processes.js";
import { hasRedis, startRedis, test } from "./redis.js";

// The commands of the container examples, as process 1 of a namespace of their own: that is what a container's command is.

const at = workDirectory();
afterEach(endAll);
const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const UNSHARE = ["--pid", "--fork", "--mount-proc"];
const isPermitted = spawnSync("unshare", [...UNSHARE, "true"]).status === 0;

/** An npm that installs this build, in the folder that it is called in. */
const bin = at("bin");
mkdirSync(bin);
writeFileSync(
  join(bin, "npm"),
  `#!/bin/sh
mkdir -p node_modules/.bin
printf '#!/bin/sh\\nexec "${process.execPath}" "${CLI}" "$@"\\n' > node_modules/.bin/softjac
chmod +x node_modules/.bin/softjac
`,
);
chmodSync(join(bin, "npm"), 0o755);
const opt = at("opt");
mkdirSync(opt);

const redis = await startRedis("--requirepass", "open");
// One part each.
const dataset = await testDataset(at, redis, { rows: 200, classes: 100 });
const queue = { SOFTJAC_QUEUE: redis.url, SOFTJAC_QUEUE_PASSWORD: "open" };

/** Runs an example's shell command, whose threads dawdle over the second input. */
function inContainer(example: string, word: string, env: object): Started {
  const text = readFileSync(join(examples, example), "utf8");
  const [command] =
    new RegExp(`cd /opt && .*\\.bin/softjac ${word} [^"\\n]*`).exec(text) ?? [];
  expect(command, `${example}: ${word}`).toBeDefined();
  const here = String(command)
    .replaceAll("/opt", opt)
    .replaceAll("/data", at("."))
    .replace("--shard-count 8", "--shard-count 1");
  const dawdle = fileURLToPath(
    new URL("../dataset/threads-that.mjs", import.meta.url),
  );
  return startProgram("unshare", [...UNSHARE, "/bin/sh", "-c", here], {
    ...{ PATH: `${bin}:${process.env.PATH}`, SOFTJAC_CHUNK_ROWS: "5" },
    ...{ NODE_OPTIONS: `--import ${dawdle}`, SOFTJAC_THREADS: "1" },
    ...{ THREADS_DO: "wait", THREADS_AT: "b.arrow" },
    ...env,
  });
}

/** Stops a container as its runtime does: process 1 gets the signal. */
function terminate({ child }: Started): void {
  const children = readFileSync(
    `/proc/${child.pid}/task/${child.pid}/children`,
    "utf8",
  );
  process.kill(Number(children.trim()), "SIGTERM");
}

anyTest.skipIf(!hasRedis || !isPermitted).each([
  ["queue/compose.yaml", {}],
  ["queue/deployment.yaml", {}],
])(
  "SIGTERM to a worker of %s: 75, and its part is handed back",
  async (name) => {
    const output = dataset.newOutput();
    await expectCode(dataset.commands.submitUnder({ env: queue }, output), 0);
    const text = readFileSync(join(examples, name), "utf8");
    const [, address = ""] =
      /SOFTJAC_QUEUE\W+(?:value\W+)?(redis:[^\s"]*)/.exec(text) ?? [];
    const worker = inContainer(name, "worker", {
      ...queue,
      SOFTJAC_QUEUE: address.replace("redis:6379", `127.0.0.1:${redis.port}`),
    });
    await worker.until(/threads-that: wait/);
    terminate(worker);
    const { stderr } = await expectCode(worker, 75);
    expect(stderr).toMatch(/part-00001-of-00003\.arrow.*this worker ends/);
    const [waiting = ""] = await redis.client.keys("bull:*:wait");
    expect(await redis.client.llen(waiting)).toBe(2);
    await redis.client.flushall();
  },
);

anyTest.skipIf(!hasRedis || !isPermitted)(
  "SIGTERM to a task of kubernetes/job.yaml: 75, and what is done is kept",
  async () => {
    const output = at("jacobian");
    const planned = ["plan", dataset.folder, "-o", output, ...dataset.parts];
    expect(softjac(...planned).status).toBe(0);
    const task = inContainer("kubernetes/job.yaml", "run-shard", {
      JOB_COMPLETION_INDEX: "0",
    });
    await task.until(/threads-that: wait/);
    terminate(task);
    const { stderr } = await expectCode(task, 75);
    expect(stderr).toMatch(/stopped with 2 of 3 parts done, which are kept/);
  },
);

test("no example starts softjac by npx, which would not pass signals on", () => {
  const files = readdirSync(examples, { recursive: true, withFileTypes: true });
  for (const file of files.filter((entry) => entry.isFile()))
    expect(
      readFileSync(join(file.parentPath, file.name), "utf8"),
      file.name,
    ).not.toMatch(/\bnpx\b/);
});
