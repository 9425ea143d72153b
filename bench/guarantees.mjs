import { readFileSync } from "node:fs";
import { intoReadme } from "./into-readme.mjs";

// README's first table: what softjac promises beside what one has without it, from the results of both benchmarks.

const PEERS = { numpy: "numpy-bsr", jax: "jax-jacrev", torch: "torch-jacrev" };
const DIAGONAL = 1;

const read = (name) =>
  JSON.parse(readFileSync(new URL(`results/${name}.json`, import.meta.url)));

export function guaranteesIntoReadme() {
  intoReadme("guarantees", guaranteesTable(read("accuracy"), read("results")));
}

export function guaranteesTable(accuracy, { workloads }) {
  const find = (name) => workloads.find((workload) => workload.name === name);
  const blocks = find("rows-10-float64");
  const long = find("memory-10x");
  const peer = (name) => blocks.peers.find((found) => found.name === name);
  const errors = (kind) => [
    errorText(accuracy[kind].softjac[DIAGONAL]),
    ...Object.keys(PEERS).map((name) =>
      errorText(accuracy[kind][name][DIAGONAL]),
    ),
  ];
  const each = (of) => [
    of(blocks.softjac),
    ...Object.values(PEERS).map((name) => of(peer(name))),
  ];
  const again = "starts again";
  const rows = [
    ["", "softjac", "NumPy + pyarrow", "JAX `jacrev`", "PyTorch `jacrev`"],
    ["---", "---", "---", "---", "---"],
    ["error of J's diagonal, a confident classifier", ...errors("digits")],
    ["the same, logits over ±300", ...errors("uniform")],
    [
      "blocks of 1,000,000 × 10, float64, whole process",
      secondsText(blocks.unsynced),
      ...Object.values(PEERS).map((name) => secondsText(peer(name))),
    ],
    [
      "the same until it is on the disk, where we measured",
      secondsText(blocks.softjac),
      "does not wait",
      "does not wait",
      "does not wait",
    ],
    ["its peak memory", ...each(({ peakBytes }) => mib(peakBytes))],
    ["the same of ten times the rows", mib(long.softjac.peakBytes), "", "", ""],
    [
      "killed half way (a dataset)",
      "goes on, the same bytes",
      again,
      again,
      again,
    ],
  ];
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** ε is 2^-52; over 1/ε of them no digit is right. */
function errorText(error) {
  if (error >= 2 ** 52) return "no digit right";
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
