// usage: node damage.mjs [MINUTES, default 10] [SEED, default the time]
// Damages files of every format that is read, for as long as is asked for, and tries all that one may try on each. What
// has no right outcome is kept in out/soak and named; the exit code is 1 then.
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generator, mutate } from "./mutate.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const minutes = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
const BATCH = 20;
const HANGS_MS = 10_000;
const MOST_BYTES = 512 * 2 ** 20;
const RIGHT = new Set([
  ...["ok", "ERR_INPUT_FORMAT", "ERR_INPUT_UNSUPPORTED", "ERR_LOGITS_COLUMN"],
  ...["ERR_BAD_ROW", "ERR_RAGGED_ROW", "ERR_INVALID_OPTION"],
]);

const folders = [
  "../fixtures",
  "../input/parquet",
  "../input/arrays/written",
].map((folder) =>
  readdirSync(here(folder))
    .filter((name) =>
      /\.(arrow|arrows|parquet|npy|npz|safetensors)$/.test(name),
    )
    .map((name) => here(`${folder}/${name}`)),
);
const kept = here("../../out/soak");
const work = mkdtempSync(join(tmpdir(), "softjac-soak-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

/** What is wrong with what came of these files, if anything. */
function verdict(paths) {
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [here("../support/attempts.mjs"), join(work, "out.arrow"), ...paths],
    { encoding: "utf8", timeout: HANGS_MS * paths.length },
  );
  if (signal === "SIGTERM") return "no end";
  if (status !== 0 || stderr !== "")
    return `status ${status}, signal ${signal}: ${stderr.slice(0, 500)}`;
  const { outcomes, peakBytes } = JSON.parse(stdout);
  if (peakBytes > MOST_BYTES) return `${peakBytes} bytes of memory`;
  for (const path of paths)
    for (const [attempt, code] of outcomes[path]) {
      tally.set(code, (tally.get(code) ?? 0) + 1);
      if (!RIGHT.has(code)) return `${attempt}: ${code}`;
    }
  return null;
}

const uniform = generator(seed);
const tally = new Map();
const end = Date.now() + 60_000 * minutes;
const pick = (list) => list[Math.floor(uniform() * list.length)];
let tried = 0;
let wrong = 0;
console.log(`seed ${seed}, ${folders.flat().length} files, ${minutes} minutes`);
while (Date.now() < end) {
  const paths = Array.from({ length: BATCH }, (_, k) => {
    const from = pick(pick(folders));
    const path = join(work, `${k}-${basename(from)}`);
    writeFileSync(path, mutate(readFileSync(from), uniform));
    return path;
  });
  tried += BATCH;
  if (verdict(paths))
    for (const path of paths) {
      const text = verdict([path]);
      if (!text) continue;
      wrong++;
      mkdirSync(kept, { recursive: true });
      const copy = join(kept, `${seed}-${tried}-${basename(path)}`);
      writeFileSync(copy, readFileSync(path));
      console.log(`${copy}: ${text}`);
    }
  for (const path of paths) rmSync(path);
}
console.log(`${tried} files, ${wrong} wrong`, Object.fromEntries(tally));
process.exitCode = wrong > 0 ? 1 : 0;
