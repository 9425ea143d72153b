// The table of errors in RESULTS.md: softjac, NumPy, PyTorch and JAX against 60-digit arithmetic.
// usage: npm run bench:accuracy (PEERS_PYTHON: see README.md here)
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ACCURACY_KINDS, accuracyTable } from "./accuracy-table.mjs";
import { writeReadmeTables } from "./guarantees.mjs";
import { writeSection } from "./write-section.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = process.env.PEERS_PYTHON ?? here(".work/venv/bin/python");
const work = here(".work/accuracy");

const peer = (...args) =>
  execFileSync(python, [here("peers/accuracy.py"), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });

mkdirSync(work, { recursive: true });
mkdirSync(here("results"), { recursive: true });
peer("generate", here("../data/digits-logits.arrow"), work);
const results = {};
for (const kind of Object.keys(ACCURACY_KINDS)) {
  const [input, output] = [
    `${work}/${kind}.arrow`,
    `${work}/${kind}-out.arrow`,
  ];
  execFileSync(process.execPath, [
    here("../dist/cli.js"),
    ...["run", input, "-o", output, "--force", "--quiet"],
  ]);
  results[kind] = JSON.parse(peer("measure", input, output));
}

const table = accuracyTable(results);
writeFileSync(
  here("results/accuracy.json"),
  `${JSON.stringify(results, null, 2)}\n`,
);
writeSection("bench/RESULTS.md", "accuracy", table);
writeReadmeTables();
process.stdout.write(`${table}\n`);
