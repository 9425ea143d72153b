// npm run soak:dataset -- [rounds] [seed]: three processes on one dataset, stopped, woken and killed at random; then the same
// command again. Every round must end with the bytes of a run that nobody disturbed, and nothing half visible before.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [rounds = 50, seed = 1] = process.argv.slice(2).map(Number);
const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const at = mkdtempSync(join(tmpdir(), "softjac-soak-"));
const inputs = join(at, "logits");
mkdirSync(inputs);
const shardRows = "250";

/** Mulberry32. */
let state = seed;
function uniform() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function start(output) {
  const child = spawn(
    process.execPath,
    [
      cli,
      "run",
      inputs,
      "-o",
      `${output}/`,
      "--shard-rows",
      shardRows,
      "--threads",
      "1",
      "--quiet",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let stderr = "";
  child.stderr.on("data", (piece) => {
    stderr += piece;
  });
  return {
    child,
    ended: once(child, "close").then(([code]) => ({ code, stderr })),
  };
}

async function softjac(...args) {
  const child = spawn(process.execPath, [cli, ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [code] = await once(child, "close");
  if (code !== 0)
    throw new Error(`softjac ${args.join(" ")}: expected 0, found ${code}`);
}

function filesOf(folder) {
  return JSON.stringify(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length), readFileSync(path, "base64")]),
  );
}

/** Stops, wakes and kills a process at random until it has ended. */
async function disturb({ child, ended }) {
  let over = false;
  ended.then(() => {
    over = true;
  });
  while (!over) {
    await pause(400 * uniform());
    const what = uniform();
    if (what < 0.25) return child.kill("SIGKILL");
    if (what < 0.6) {
      child.kill("SIGSTOP");
      await pause(300 * uniform());
      child.kill("SIGCONT");
    }
  }
}

try {
  for (const [k, rows] of [4000, 1, 2500].entries())
    await softjac(
      "generate",
      join(inputs, `${k}.arrow`),
      "--rows",
      `${rows}`,
      "--classes",
      "6",
      "--seed",
      `${k}`,
      "--quiet",
    );
  const reference = join(at, "reference");
  await softjac(
    "run",
    inputs,
    "-o",
    `${reference}/`,
    "--shard-rows",
    shardRows,
    "--quiet",
  );
  const expected = filesOf(reference);
  let killed = 0;
  for (let round = 1; round <= rounds; round++) {
    const output = join(at, `out-${round}`);
    const workers = [start(output), start(output), start(output)];
    const ends = await Promise.all(
      workers.map(async (worker) => {
        await disturb(worker);
        return worker.ended;
      }),
    );
    for (const { code, stderr } of ends) {
      if (code === null) killed++;
      else if (code !== 0)
        throw new Error(`round ${round}: expected 0, found ${code}: ${stderr}`);
    }
    if (existsSync(output) && filesOf(output) !== expected)
      throw new Error(`round ${round}: other bytes are visible`);
    await softjac(
      "run",
      inputs,
      "-o",
      `${output}/`,
      "--shard-rows",
      shardRows,
      "--quiet",
    );
    if (filesOf(output) !== expected)
      throw new Error(`round ${round}: other bytes at the end`);
    const left = readdirSync(at).filter((name) =>
      name.startsWith(`out-${round}.__`),
    );
    if (left.length > 0)
      throw new Error(`round ${round}: left over: ${left.join(", ")}`);
    rmSync(output, { recursive: true });
  }
  console.log(
    `${rounds} rounds of three processes (seed ${seed}), ${killed} of them killed: 0 wrong`,
  );
} finally {
  rmSync(at, { recursive: true, force: true });
}
