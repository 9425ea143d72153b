// npm run soak:dataset -- [rounds] [seed]: three processes on one dataset, stopped, woken and killed at random; then the same
// command again. Every round must end with the bytes of an undisturbed run, and nothing half visible before.
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
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generator } from "./mutate.mjs";

const [rounds = 50, seed = 1] = process.argv.slice(2).map(Number);
const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const at = mkdtempSync(join(tmpdir(), "softjac-soak-"));
const inputs = join(at, "logits");
mkdirSync(inputs);
const uniform = generator(seed);

/** Starts a command; `ended` is a promise of its exit code (null if it was killed) and standard error. */
function start(...args) {
  const child = spawn(process.execPath, [cli, ...args, "--quiet"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (piece) => {
    stderr += piece;
  });
  const ended = once(child, "close").then(([code]) => ({ code, stderr }));
  return { child, ended };
}

function startRun(output, ...more) {
  return start(
    "run",
    inputs,
    "-o",
    `${output}/`,
    "--shard-rows",
    "250",
    ...more,
  );
}

function check({ code, stderr }, what) {
  if (code !== 0)
    throw new Error(`${what}: expected 0, found ${code}: ${stderr}`);
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

/** Stops, wakes and kills a process at random until it has ended; returns its end. */
async function disturb({ child, ended }) {
  let over = false;
  ended.then(() => {
    over = true;
  });
  while (!over) {
    await pause(400 * uniform());
    const what = uniform();
    if (what < 0.25) {
      child.kill("SIGKILL");
      break;
    }
    if (what < 0.6) {
      child.kill("SIGSTOP");
      await pause(300 * uniform());
      child.kill("SIGCONT");
    }
  }
  return ended;
}

try {
  for (const [k, rows] of [4000, 1, 2500].entries()) {
    const shape = ["--rows", `${rows}`, "--classes", "6", "--seed", `${k}`];
    const path = join(inputs, `${k}.arrow`);
    check(await start("generate", path, ...shape).ended, "generate");
  }
  const reference = join(at, "reference");
  check(await startRun(reference).ended, "reference");
  const expected = filesOf(reference);
  let killed = 0;
  for (let round = 1; round <= rounds; round++) {
    const name = `round ${round}`;
    const output = join(at, `out-${round}`);
    const runs = [1, 2, 3].map(() => startRun(output, "--threads", "1"));
    for (const end of await Promise.all(runs.map(disturb)))
      if (end.code === null) killed++;
      else check(end, name);
    if (existsSync(output) && filesOf(output) !== expected)
      throw new Error(`${name}: other bytes are visible`);
    check(await startRun(output).ended, name);
    if (filesOf(output) !== expected)
      throw new Error(`${name}: other bytes at the end`);
    const left = readdirSync(at).filter((file) =>
      file.startsWith(`out-${round}.__`),
    );
    if (left.length > 0)
      throw new Error(`${name}: left over: ${left.join(", ")}`);
    rmSync(output, { recursive: true });
  }
  console.log(
    `${rounds} rounds of three processes (seed ${seed}), ${killed} of them killed: 0 wrong`,
  );
} finally {
  rmSync(at, { recursive: true, force: true });
}
