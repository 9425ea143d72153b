// usage: node damage.mjs [MUTATIONS, default 2000] [SEED, default the time]
// Damages files of every format that is read, and outputs in layouts that openJacobian, show and report read. A damaged
// file must be refused with an error of softjac, or give the numbers that a second reader reads: pyarrow and NumPy for
// inputs (INTEROP_PYTHON, default python3), flechette for outputs. If that reader refuses the file, the numbers of the
// sound file are right, too ("unharmed": the damaged bytes are not about values). Files for which neither holds are kept
// in out/soak and named, and the exit code is 1.
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { run } from "../../dist/index.js";
import { generator, mutate } from "./mutate.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const mutations = Number(process.argv[2] ?? 2000);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
const python = process.env.INTEROP_PYTHON ?? "python3";
const BATCH = 20;
const HANGS_MS = 10_000;
/** Wall-clock time for a process to start on a busy machine. */
const START_MS = 60_000;
const MOST_BYTES = 768 * 2 ** 20;
const REFUSALS = new Set([
  ...["ERR_INPUT_FORMAT", "ERR_INPUT_UNSUPPORTED", "ERR_LOGITS_COLUMN"],
  ...["ERR_BAD_ROW", "ERR_RAGGED_ROW", "ERR_INVALID_OPTION"],
  ...["ERR_ROW_MISSING", "ERR_USAGE"],
]);
/** Exit codes of show and report: ok, usage, damage, no such row. */
const EXITS = new Set([0, 64, 65, 66]);

const kept = here("../../out/soak");
const work = mkdtempSync(join(tmpdir(), "softjac-soak-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

const sound = await soundFiles();
const judge = secondReader();
const uniform = generator(seed);
const figures = new Map();
let wrong = 0;
console.log(
  `seed ${seed}, ${sound.length} sound files, ${mutations} mutations`,
);
for (const path of sound) figures.set(formatOf(path), {});
// A soak that is stopped still prints its figures.
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, () => {
    stopped = true;
  });
for (let done = 0; done < mutations && !stopped; done += BATCH) {
  // Lets signals be heard between batches: a batch waits for its processes.
  await new Promise(setImmediate);
  const paths = Array.from({ length: BATCH }, (_, k) => {
    const from = sound[(done + k) % sound.length];
    const path = join(work, `${done + k} ${basename(from)}`);
    writeFileSync(path, mutate(readFileSync(from), uniform));
    return path;
  });
  for (const path of paths) count(path, "mutants");
  for (const tried of tryFiles(paths)) {
    const [outcome, text] = await outcomeOf(tried);
    count(tried.path, outcome);
    if (["refused", "equal", "unharmed"].includes(outcome)) continue;
    wrong++;
    mkdirSync(kept, { recursive: true });
    const copy = join(kept, `${seed} ${basename(tried.path)}`);
    copyFileSync(tried.path, copy);
    console.log(`${copy}: ${outcome}: ${text}`);
  }
  for (const name of readdirSync(work))
    if (/^\d/.test(name)) rmSync(join(work, name));
}
console.table(Object.fromEntries([...figures].sort()));
console.log(`${wrong} wrong`);
judge.close();
process.exitCode = wrong > 0 ? 1 : 0;

/** Sound inputs as pyarrow and NumPy write them, and outputs of a run on one of them. */
async function soundFiles() {
  const folder = join(work, "sound");
  mkdirSync(folder);
  const { status, stderr } = spawnSync(python, [here("sound.py"), folder], {
    encoding: "utf8",
  });
  if (status !== 0)
    throw new Error(
      `${python} has no pyarrow to write and judge files with: ${stderr}`,
    );
  const input = join(folder, "file.arrow");
  for (const layout of ["bsr", "csr", "coo"])
    await run({
      input,
      output: join(folder, `output ${layout}.arrow`),
      layout,
      keep: layout === "coo" ? [] : ["name", "split"],
      chunkRows: 15,
    });
  for (const name of readdirSync(folder))
    if (name.startsWith("output"))
      renameSync(
        join(folder, name),
        join(folder, name.replace(".arrow", ".jacobian")),
      );
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

/** A long-lived process of Python that answers line by line. */
function secondReader() {
  const child = spawn(python, [here("second-reader.py")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[
    Symbol.asyncIterator
  ]();
  return {
    ask: async (question) => {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      return JSON.parse((await lines.next()).value);
    },
    close: () => child.stdin.end(),
  };
}

/** Tries the files at once; one by one where that does not end well. */
function tryFiles(paths) {
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [here("try-files.mjs"), ...paths],
    {
      encoding: "utf8",
      timeout: START_MS + HANGS_MS * paths.length,
      maxBuffer: 2 ** 26,
    },
  );
  if (status === 0 && stderr === "")
    return stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  if (paths.length > 1) return paths.flatMap((path) => tryFiles([path]));
  const text = `status ${status}, signal ${signal}: ${stderr.slice(0, 500)}`;
  return [
    { path: paths[0], code: signal === "SIGTERM" ? "hang" : "crash", text },
  ];
}

async function outcomeOf({ path, code, text, ms, tried = [], peakBytes = 0 }) {
  if (code === "hang" || ms > HANGS_MS) return ["hang", text];
  if (code === "crash") return ["crash", text];
  if (peakBytes > MOST_BYTES) return ["memory", `${peakBytes} bytes`];
  for (const [other, message] of [[code, text], ...tried])
    if (other !== "ok" && !REFUSALS.has(other))
      return ["internal", `${other}: ${message}`];
  if (path.endsWith(".jacobian")) {
    const exits = await commandsOn(path, code);
    if (exits) return ["internal", exits];
    if (code !== "ok") return ["refused", ""];
    return text === "" ? ["equal", ""] : ["different", text];
  }
  if (code !== "ok") return ["refused", ""];
  const keep = /\.(arrows?|parquet)$/.test(path) ? ["id", "name", "split"] : [];
  const { verdict, text: why } = await judge.ask({
    input: path,
    output: `${path}.out`,
    keep,
    sound: join(work, "sound", basename(path).replace(/^\d+ /, "")),
  });
  return [verdict === "refused" ? "only ours" : verdict, why];
}

/** Runs show and report on an output; returns what is wrong. Most that openJacobian refuses are not tried. */
async function commandsOn(path, code) {
  if (code !== "ok" && uniform() < 0.9) return null;
  for (const args of [
    ["show", path, "--row", "3"],
    ["report", path, "-o", `${path}.html`, "--force"],
  ]) {
    const { status, signal, stderr } = spawnSync(
      process.execPath,
      [here("../../dist/cli.js"), ...args],
      { encoding: "utf8", timeout: START_MS + HANGS_MS },
    );
    if (!EXITS.has(status))
      return `${args[0]}: status ${status}, signal ${signal}: ${stderr.slice(0, 300)}`;
  }
  return null;
}

function formatOf(path) {
  return `${extname(path).slice(1)} ${basename(path, extname(path)).replace(/^\d+ /, "")}`;
}

function count(path, outcome) {
  const figure = figures.get(formatOf(path));
  figure[outcome] = (figure[outcome] ?? 0) + 1;
}
