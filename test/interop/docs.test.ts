import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { EMIT_NAMES } from "../../src/results/catalogue.js";
import { CLI } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";
import { importable, python } from "./python.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cwd = dirname(workDirectory()("x"));
const pageOf = (name: string) => readFileSync(`${root}docs/${name}.md`, "utf8");
const blocks = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, "g"))].map(
    ([, code]) => code as string,
  );

/** Runs the commands of a page in an empty directory, and returns its path. */
function runCommands(name: string): string {
  const at = join(cwd, name);
  mkdirSync(at);
  const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  execFileSync(
    "bash",
    ["-ec", [softjac, ...blocks(pageOf(name), "sh")].join("\n")],
    {
      cwd: at,
      stdio: "pipe",
    },
  );
  return at;
}

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

test.each([
  ["results", 4],
  ["generate", 3],
  ["numerics", 4],
])("every command of docs/%s.md runs", (name, count) => {
  expect(pageOf(name).match(/^softjac .*$/gm)).toHaveLength(count);
  runCommands(name);
});

test("docs/numerics.md shows what verify prints, docs/generate.md what generate prints", () => {
  const withoutTimes = (text: string) =>
    text.replace(/\d+ of .*recomputed in .*|time .*/g, "").trim();
  for (const [name, line] of [
    ["numerics", "softjac verify checked.arrow --input logits.arrow"],
    ["generate", "softjac generate logits.arrow --rows 10000 --classes 10 -f"],
  ] as const) {
    const [shown = ""] = blocks(pageOf(name), "text");
    const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
    const printed = execFileSync("bash", ["-ec", `${softjac}\n${line} 2>&1`], {
      cwd: join(cwd, name),
      encoding: "utf8",
    });
    expect(withoutTimes(printed)).toBe(withoutTimes(shown));
  }
});

test("every command of docs/datasets.md runs, and its snippet", (context) => {
  const datasets = readFileSync(`${root}docs/datasets.md`, "utf8");
  const commands = blocks(datasets, "sh").join("").trim().split("\n");
  expect(commands.length).toBe(16);
  const at = join(cwd, "datasets");
  const script = [
    `softjac() { "${process.execPath}" "${CLI}" "$@"; }`,
    ...commands,
  ];
  mkdirSync(at);
  execFileSync("bash", ["-ec", script.join("\n")], { cwd: at, stdio: "pipe" });
  const [, snippet] = /```python\n(.*?)```/s.exec(datasets) ?? [];
  if (!importable("pyarrow.dataset"))
    context.skip("no pyarrow for the snippet in Python");
  const check = `${snippet}\nassert rows == 3000, rows`;
  execFileSync(python, ["-c", check], { cwd: at, stdio: "pipe" });
});

test("every command of docs/report.md runs, and makes a page", () => {
  const commands = pageOf("report").match(/^softjac .*$/gm) ?? [];
  expect(commands.length).toBe(8);
  const at = runCommands("report");
  const pages = commands.flatMap((line) => /\S+\.html/.exec(line) ?? []);
  expect(pages.length).toBe(4);
  for (const page of pages)
    expect(readFileSync(join(at, page), "utf8")).toMatch(/^<!doctype html>/);
  const { rows } = JSON.parse(readFileSync(join(at, "numbers.json"), "utf8"));
  expect(rows.mostUncertain.length).toBe(20);
});

test("docs/reporting.md: its commands run, and it names all that files and lines hold", () => {
  const reporting = readFileSync(`${root}docs/reporting.md`, "utf8");
  const [, script] = /```sh\n(.*?)```/s.exec(reporting) ?? [];
  const at = join(cwd, "reporting");
  mkdirSync(at);
  const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  const run = (line: string) =>
    execFileSync("bash", ["-ec", `${softjac}\n${line}`], {
      cwd: at,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  run(script as string);
  run("softjac run logits/a.arrow -o one --report one.json");
  const json = (name: string) =>
    JSON.parse(readFileSync(join(at, name), "utf8"));
  const names = [
    ...Object.keys(json("report.json")),
    ...Object.keys(json("one.json")),
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

test("docs/library.md: its commands and snippets run, and print what they say", () => {
  const at = runCommands("library");
  // A package of its own, whatever stands in the folders above.
  writeFileSync(join(at, "package.json"), "{}");
  mkdirSync(join(at, "node_modules"));
  symlinkSync(resolve(root), join(at, "node_modules", "softjac"));
  const scripts = blocks(pageOf("library"), "js");
  /** A line to end each snippet with, and what that prints. */
  const ends: [code: string, expected: string][] = [
    [
      "console.log(J.length, uncertainty.length, ...offsets, indices.length, values.length);",
      "18 2 0 2 4 4 4\n",
    ],
    ["", ""],
    [
      `console.log(JSON.stringify([rows, classes, count, layout, dtype, result, temperature, threshold]));
console.log(J[38] === entry && column[3] === entry && part[1] === entry);
console.log(product.every((x) => Math.abs(x) < 1e-15), steepest.trace < 1);`,
      '[1000,10,1000,"factored","float64","jacobian",1,0]\ntrue\ntrue true\n',
    ],
  ];
  expect(scripts.length).toBe(ends.length);
  for (const [n, [end, expected]] of ends.entries()) {
    const script = scripts[n] as string;
    const said = [...script.matchAll(/^console\.log\(.*\/\/ (.*)$/gm)]
      .map(([, text]) => `${text}\n`)
      .join("");
    expect(said).not.toBe("");
    const output = execFileSync(
      process.execPath,
      ["--input-type=module", "-e", `${script}\n${end}`],
      { cwd: at, encoding: "utf8" },
    );
    expect(output).toBe(said + expected);
  }
});

test("docs/layouts.md: its commands and snippets run, and load the same numbers", (context) => {
  const at = runCommands("layouts");
  const code = blocks(pageOf("layouts"), "python");
  const checks = `
assert np.array_equal(B, v), "packed is not the block"
assert J.shape == (len(v) * Q, len(v) * Q) and J.nnz == v.size
assert np.allclose(d, v[:, range(Q), range(Q)], rtol=1e-14, atol=0), "factored gives another diagonal"
assert uncertain.height == 10 and loss > 0
flat = v.reshape(len(v), Q * Q)
assert S.shape == flat.shape and np.array_equal(S.toarray(), np.where(np.abs(flat) >= 1e-6, flat, 0)), "csr is not the blocks"
top = np.sort(np.abs(flat), axis=1)[:, -20:]
assert len(trade) > 10 and entries.num_rows == 20 * len(v)
assert np.isclose(np.abs(entries["value"].to_numpy()).sum(), top.sum(), rtol=1e-12), "coo is not the 20 largest"
`;
  const modules = "numpy, pyarrow, scipy, torch, polars, pandas, duckdb";
  if (!importable(modules))
    context.skip(`not all of ${modules} for ${code.length} snippets`);
  const output = execFileSync(
    python,
    ["-c", [...code, checks, 'print("same")'].join("\n")],
    { cwd: at, encoding: "utf8", stdio: "pipe" },
  );
  expect(output).toBe("same\n");
});
