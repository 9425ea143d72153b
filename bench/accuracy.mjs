// The table of errors in README: softjac, NumPy, PyTorch and JAX against 60-digit arithmetic.
// usage: npm run bench:accuracy (PEERS_PYTHON: see README.md here)
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { guaranteesIntoReadme } from "./guarantees.mjs";
import { intoReadme } from "./into-readme.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = process.env.PEERS_PYTHON ?? here(".work/venv/bin/python");
const work = here(".work/accuracy");
const KINDS = {
  digits: "trained digits classifier",
  normal: "N(0,3)",
  uniform: "U(−300,300)",
};

const peer = (...args) =>
  execFileSync(python, [here("peers/accuracy.py"), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });

mkdirSync(work, { recursive: true });
mkdirSync(here("results"), { recursive: true });
peer("generate", here("../data/digits-logits.arrow"), work);
const results = {};
for (const kind of Object.keys(KINDS)) {
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

/** Two digits, or the magnitude where it is large. */
const figure = (x) =>
  x < 1e4
    ? String(Number(x.toPrecision(2)))
    : x.toExponential(1).replace("+", "");
const span = (values) => {
  const low = figure(Math.min(...values));
  const high = figure(Math.max(...values));
  return low === high ? low : `${low} to ${high}`;
};
const table = [
  "| logits | NumPy, PyTorch, JAX: softmax | diagonal of J | off-diagonal | softjac: softmax | diagonal | off-diagonal |",
  "|---|---|---|---|---|---|---|",
  ...Object.entries(KINDS).map(([kind, title]) => {
    const { softjac, ...peers } = results[kind];
    const cells = [0, 1, 2].map((k) =>
      span(Object.values(peers).map((errors) => errors[k])),
    );
    return `| ${[title, ...cells, ...softjac.map((x) => `**${x.toFixed(1)}**`)].join(" | ")} |`;
  }),
];
writeFileSync(
  here("results/accuracy.json"),
  `${JSON.stringify(results, null, 2)}\n`,
);
writeFileSync(here("results/accuracy.md"), `${table.join("\n")}\n`);
intoReadme("accuracy", table.join("\n"));
guaranteesIntoReadme();
process.stdout.write(`${table.join("\n")}\n`);
