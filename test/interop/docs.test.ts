import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { EMIT_NAMES } from "../../src/results/catalogue.js";
import { CLI } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";
import { importable, python } from "./python.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Pages that go on from one another, as one reads them. */
const PAGES = ["results", "layouts", "library", "numerics"];
const text = PAGES.map((page) =>
  readFileSync(`${root}docs/${page}.md`, "utf8"),
).join("\n");
const cwd = dirname(workDirectory()("x"));
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, "g"))].map(
    ([, code]) => code as string,
  );

test("the table of docs/results.md has a row for every result, and no other", () => {
  const results = readFileSync(`${root}docs/results.md`, "utf8");
  const [table = ""] = /^\| `--emit` .*?\n\n/ms.exec(results) ?? [];
  const named = table
    .split("\n")
    .slice(2)
    .flatMap((row) => {
      const [, cell = ""] = row.split("|");
      return [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name);
    });
  expect(named.toSorted()).toEqual(EMIT_NAMES.toSorted());
});

test("README's picture is what the command prints", () => {
  const made = join(cwd, "show.svg");
  execFileSync(process.execPath, [`${root}docs/make-pictures.mjs`, made]);
  const picture = readFileSync(`${root}docs/show.svg`, "utf8");
  expect(readFileSync(made, "utf8")).toBe(picture);
});

test("every command of docs/generate.md runs", () => {
  const drawn = readFileSync(`${root}docs/generate.md`, "utf8");
  const commands = [...drawn.matchAll(/^softjac .*$/gm)].map(([line]) => line);
  expect(commands.length).toBe(3);
  const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  execFileSync("bash", ["-ec", [softjac, ...commands].join("\n")], {
    cwd,
    stdio: "pipe",
  });
});

test("every command of docs/datasets.md runs, and its snippet", (context) => {
  const datasets = readFileSync(`${root}docs/datasets.md`, "utf8");
  const commands = [...datasets.matchAll(/^softjac .*$/gm)].map(
    ([line]) => line,
  );
  expect(commands.length).toBe(13);
  const at = join(cwd, "datasets");
  const script = [
    `softjac() { "${process.execPath}" "${CLI}" "$@"; }`,
    "mkdir -p logits",
    ...["train", "test"].map(
      (name) => `cp "${root}data/digits-logits.arrow" logits/${name}.arrow`,
    ),
    ...commands,
  ];
  mkdirSync(at);
  execFileSync("bash", ["-ec", script.join("\n")], { cwd: at, stdio: "pipe" });
  const [, snippet] = /```python\n(.*?)```/s.exec(datasets) ?? [];
  if (!importable("pyarrow.dataset"))
    context.skip("no pyarrow for the snippet in Python");
  const check = `${snippet}\nassert rows == 2 * 1797, rows`;
  execFileSync(python, ["-c", check], { cwd: at, stdio: "pipe" });
});

test("every command of docs/report.md runs, and makes a page", () => {
  const text = readFileSync(`${root}docs/report.md`, "utf8");
  const commands = [...text.matchAll(/^softjac .*$/gm)].map(([line]) => line);
  expect(commands.length).toBe(8);
  const at = join(cwd, "report");
  mkdirSync(at);
  copyFileSync(`${root}data/digits-logits.arrow`, join(at, "logits.arrow"));
  const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  execFileSync("bash", ["-ec", [softjac, ...commands].join("\n")], {
    cwd: at,
    stdio: "pipe",
  });
  const pages = commands.flatMap((line) => /\S+\.html/.exec(line) ?? []);
  expect(pages.length).toBe(5);
  for (const page of pages)
    expect(readFileSync(join(at, page), "utf8")).toMatch(/^<!doctype html>/);
  const { rows, seed } = JSON.parse(
    readFileSync(join(at, "numbers.json"), "utf8"),
  );
  expect([rows.random.length, seed]).toEqual([50, 7]);
});

test("docs/reporting.md: its commands run, and it names all that files and lines hold", () => {
  const reporting = readFileSync(`${root}docs/reporting.md`, "utf8");
  const [, script] = /```sh\n(.*?)```/s.exec(reporting) ?? [];
  const at = join(cwd, "reporting");
  mkdirSync(join(at, "logits"), { recursive: true });
  for (const name of ["train", "test"])
    copyFileSync(
      `${root}data/digits-logits.arrow`,
      join(at, "logits", `${name}.arrow`),
    );
  const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  const run = (line: string) =>
    execFileSync("bash", ["-ec", `${softjac}\n${line}`], {
      cwd: at,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  run(script as string);
  run(
    "softjac run logits/test.arrow -o one --report one.json --status-file state.json",
  );
  const json = (name: string) =>
    JSON.parse(readFileSync(join(at, name), "utf8"));
  const names = [
    ...Object.keys(json("report.json")),
    ...Object.keys(json("one.json")),
    ...Object.keys(json("state.json")),
    ...(readFileSync(join(at, "softjac.prom"), "utf8").match(
      /(?<=^# TYPE )\w+/gm,
    ) as string[]),
  ];
  const log = run(
    "softjac run logits -o logged/ --shard-rows 900 --log-format json 2>&1",
  );
  for (const line of log.trimEnd().split("\n")) {
    const { msg, ...fields } = JSON.parse(line);
    names.push(msg, ...Object.keys(fields));
  }
  expect(names.length).toBeGreaterThan(80);
  for (const name of names) expect(reporting).toContain(`\`${name}\``);
});

test("every command and every snippet of results, layouts, library and numerics runs, in order", (context) => {
  execFileSync(
    "bash",
    [
      "-ec",
      [
        `softjac() { "${process.execPath}" "${CLI}" "$@"; }`,
        `cp "${root}data/digits-logits.arrow" logits.arrow`,
        "softjac run logits.arrow -o jacobian.arrow",
        ...blocks("sh"),
      ].join("\n"),
    ],
    { cwd, stdio: "pipe" },
  );
  // A package of its own, whatever stands in the folders above.
  writeFileSync(join(cwd, "package.json"), "{}");
  mkdirSync(join(cwd, "node_modules"));
  symlinkSync(resolve(root), join(cwd, "node_modules", "softjac"));
  const scripts = blocks("js");
  /** Of each what it has come to. */
  const shown: [code: string, expected: string][] = [
    [
      "console.log(J.length, uncertainty.length, ...offsets, indices.length, values.length);",
      "18 2 0 2 4 4 4\n",
    ],
    ["console.log(report.rowsDone);", "1797\n"],
    [
      `console.log(JSON.stringify([rows, classes, count, layout, dtype, result, temperature, threshold]));
console.log(J[38] === entry && column[3] === entry && product.every((x) => Math.abs(x) < 1e-7));
console.log(steepest.row >= 0 && steepest.trace < 1);`,
      '[1797,10,1797,"factored","float32","jacobian",1,0]\ntrue\ntrue\n',
    ],
  ];
  expect(scripts.length).toBe(shown.length);
  for (const [n, [end, expected]] of shown.entries()) {
    const output = execFileSync(
      process.execPath,
      ["--input-type=module", "-e", `${scripts[n]}\n${end}`],
      { cwd, encoding: "utf8" },
    );
    expect(output).toBe(expected);
  }
  const code = blocks("python");
  const checks = `
assert np.array_equal(B, v), "packed is not the block"
assert J.shape == (len(v) * Q, len(v) * Q) and J.nnz == v.size
assert np.allclose(d, v[:, range(Q), range(Q)], rtol=1e-5, atol=0), "factored gives another diagonal"
assert uncertain.height == 10 and loss > 0
flat = v.reshape(len(v), Q * Q)
assert S.shape == flat.shape and np.array_equal(S.toarray(), np.where(np.abs(flat) >= np.float32(1e-6), flat, 0)), "csr is not the blocks"
top = np.sort(np.abs(flat), axis=1)[:, -20:]
assert len(trade) > 10 and entries.num_rows == 20 * len(v)
assert np.isclose(np.abs(entries["value"].to_numpy().astype(float)).sum(), top.astype(float).sum(), rtol=1e-6), "coo is not the 20 largest"
`;
  const modules = "numpy, pyarrow, scipy, torch, polars, pandas, duckdb";
  if (!importable(modules))
    context.skip(`not all of ${modules} for ${code.length} snippets`);
  execFileSync(python, ["-c", [...code, checks].join("\n")], {
    cwd,
    stdio: "pipe",
  });
});
