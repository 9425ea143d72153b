import { readFileSync } from "node:fs";
import { writeSection } from "./write-section.mjs";

// README's two tables of figures, from the results of both benchmarks.

const PEERS = { numpy: "numpy-bsr", jax: "jax-jacrev", torch: "torch-jacrev" };
const DIAGONAL = 1;

const read = (name) =>
  JSON.parse(readFileSync(new URL(`results/${name}.json`, import.meta.url)));

export function writeReadmeTables() {
  const tables = readmeTables(read("accuracy"), read("results"));
  for (const [name, table] of Object.entries(tables))
    writeSection("README.md", name, table);
}

/** By section of README, its table. */
export function readmeTables(accuracy, { workloads }) {
  const find = (name) => workloads.find((workload) => workload.name === name);
  const blocks = find("rows-10-float64");
  return {
    guarantees: guaranteesTable(accuracy, blocks, find("memory-10x")),
    comparison: comparisonTable(accuracy, blocks),
  };
}

function guaranteesTable(accuracy, blocks, long) {
  const results = Object.values(accuracy);
  // Rounded up, since the table says "at most".
  const largest =
    Math.ceil(100 * Math.max(...results.flatMap(({ ulp }) => ulp))) / 100;
  const share = Math.min(...results.flatMap(({ correct }) => correct));
  return tableText([
    ["guarantee", "bound", "measured"],
    [
      "error of softmax and of every entry of J",
      "less than 1 ulp: one of the two doubles next to the true value",
      `at most ${largest} ulp in three data sets; ${(100 * share).toFixed(1)} % correctly rounded`,
    ],
    [
      "output bytes",
      "identical for any number of threads, chunk size, kernel (SIMD or plain JavaScript), Node version and processor",
      "tests compare outputs with stored SHA-256 hashes",
    ],
    [
      "memory",
      "bounded, whatever the number of rows",
      `${mib(blocks.softjac.peakBytes)} for 1,000,000 × 10, ${mib(long.softjac.peakBytes)} for 10,000,000 × 10`,
    ],
    [
      "output file after `kill -9`",
      "complete or absent; an existing file is replaced only with `--force`",
      "tests check the order of write, fsync and rename",
    ],
    [
      "dataset after `kill -9`",
      "the same command resumes and gives the same bytes",
      "tests kill it before and after every file operation",
    ],
  ]);
}

function comparisonTable(accuracy, blocks) {
  const peer = (name) => blocks.peers.find((found) => found.name === name);
  const peers = Object.values(PEERS).map(peer);
  const errors = (kind) =>
    ["softjac", ...Object.keys(PEERS)].map((name) =>
      errorText(accuracy[kind][name][DIAGONAL]),
    );
  const all = [blocks.softjac, ...peers];
  return tableText([
    ["", "softjac", "NumPy + pyarrow", "JAX `jacrev`", "PyTorch `jacrev`"],
    ["error of J's diagonal, digits classifier", ...errors("digits")],
    ["error of J's diagonal, logits over ±300", ...errors("uniform")],
    [
      "time for 1,000,000 × 10 blocks, float64, no fsync",
      ...[blocks.unsynced, ...peers].map(secondsText),
    ],
    [
      "the same time, including fsync",
      secondsText(blocks.softjac),
      ...peers.map(() => "no fsync"),
    ],
    ["peak memory", ...all.map(({ peakBytes }) => mib(peakBytes))],
    [
      "after a kill halfway through a dataset",
      "resumes",
      ...peers.map(() => "starts again"),
    ],
  ]);
}

function tableText([header, ...rows]) {
  return [header, header.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** ε is 2^-52; an error of 1/ε or more of them leaves no correct digit. */
function errorText(error) {
  if (error >= 2 ** 52) return "no correct digit";
  return error < 10
    ? `${error.toFixed(1)} ε`
    : `${error.toExponential(0).replace("+", "")} ε`;
}

function secondsText({ seconds }) {
  return `${seconds.median.toFixed(2)} s`;
}

function mib(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
