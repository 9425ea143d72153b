import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EMIT_NAMES } from "../../../src/results/catalogue.js";
import {
  blocksOf,
  codeOf,
  readPage,
  root,
  runModule,
  workplace,
} from "./pages.js";
import { importable, python } from "./python.js";

const { directory, shell } = workplace();
const pageOf = (name: string) => readPage(`docs/${name}.md`);

/** Runs the commands of a page in an empty directory, and returns its path. */
function runCommands(name: string, folder = name): string {
  const path = directory(folder);
  shell(codeOf(pageOf(name), "sh").join("\n"), path);
  return path;
}

test("the table of docs/results.md has a row for every result", () => {
  const [table = ""] = /^\| `--emit` .*?\n\n/ms.exec(pageOf("results")) ?? [];
  const cells = table
    .split("\n")
    .slice(2)
    .map((row) => row.split("|")[1] ?? "");
  const named = cells.flatMap((cell) => cell.match(/(?<=`)\w+(?=`)/g) ?? []);
  expect(named.toSorted()).toEqual(EMIT_NAMES.toSorted());
});

test("the picture in README is what the command prints", () => {
  const made = join(directory("picture"), "show.svg");
  execFileSync(process.execPath, [`${root}docs/make-pictures.mjs`, made]);
  expect(readFileSync(made, "utf8")).toBe(readPage("docs/show.svg"));
});

test.each([
  ["generate", 3, "softjac generate logits.arrow --rows 10000 --classes 10 -f"],
  ["numerics", 4, "softjac verify checked.arrow --input logits.arrow"],
])(
  "the commands of docs/%s.md run and print what it shows",
  (name, count, line) => {
    const page = pageOf(name);
    expect(page.match(/^softjac .*$/gm)).toHaveLength(count);
    const path = runCommands(name);
    const withoutTimes = (text = "") =>
      text.replace(/\d+ of .*recomputed in .*|time .*/g, "").trim();
    const shown = blocksOf(page).find(({ printed }) => printed !== "");
    expect(withoutTimes(shell(line, path))).toBe(withoutTimes(shown?.printed));
  },
);

test("the commands of docs/results.md run", () => {
  expect(pageOf("results").match(/^softjac .*$/gm)).toHaveLength(5);
  runCommands("results");
});

const withTorch = test.skipIf(!importable("torch"));
withTorch("the snippet of docs/results.md loads soft labels", () => {
  const cwd = runCommands("results", "soft-labels");
  const check = `
logits = pa.ipc.open_file("logits.arrow").read_all()["logits"].combine_chunks()
o = torch.from_numpy(logits.flatten().to_numpy().reshape(len(t), -1).copy())
expected = torch.softmax(o.double() / 2, 1)
assert torch.allclose(p.double(), expected, rtol=1e-6, atol=0), "other labels"
loss.backward()
gradient = 2 * (torch.softmax(student / 2, 1) - p) / len(t)
assert torch.allclose(student.grad, gradient, atol=1e-8), "another gradient"`;
  const [snippet] = codeOf(pageOf("results"), "python");
  execFileSync(python, ["-c", snippet + check], { cwd, stdio: "pipe" });
});

test("the commands and the snippet of docs/datasets.md run", (context) => {
  const page = pageOf("datasets");
  expect(codeOf(page, "sh").join("").trim().split("\n").length).toBe(16);
  const cwd = runCommands("datasets");
  if (!importable("pyarrow"))
    context.skip("no pyarrow for the snippet in Python");
  const check = `${codeOf(page, "python")[0]}\nassert rows == 3000, rows`;
  execFileSync(python, ["-c", check], { cwd, stdio: "pipe" });
});

test("the commands of docs/report.md run and write pages", () => {
  const commands = pageOf("report").match(/^softjac .*$/gm) ?? [];
  expect(commands.length).toBe(7);
  const path = runCommands("report");
  const read = (name: string) => readFileSync(join(path, name), "utf8");
  const pages = commands.flatMap((line) => /\S+\.html/.exec(line) ?? []);
  expect(pages.length).toBe(4);
  for (const page of pages) expect(read(page)).toMatch(/^<!doctype html>/);
  const { rows } = JSON.parse(read("numbers.json"));
  expect(rows.mostUncertain.length).toBe(20);
});

test("the commands of docs/reporting.md run, and it names all fields", () => {
  const page = pageOf("reporting");
  const path = directory("reporting");
  const [script = ""] = codeOf(page, "sh");
  shell(script, path);
  shell("softjac run logits/a.arrow -o one --report one.json", path);
  const read = (name: string) => readFileSync(join(path, name), "utf8");
  const log = shell(
    "softjac run logits -o logged/ --shard-rows 900 --log-format json",
    path,
  );
  const lines = log
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const names = [
    ...Object.keys(JSON.parse(read("report.json"))),
    ...Object.keys(JSON.parse(read("one.json"))),
    ...(read("softjac.prom").match(/(?<=^# TYPE )\w+/gm) ?? []),
    ...lines.flatMap(({ msg, ...fields }) => [msg, ...Object.keys(fields)]),
  ];
  expect(names.length).toBeGreaterThan(80);
  for (const name of names) expect(page).toContain(`\`${name}\``);
});

test("the commands and snippets of docs/library.md run and print what it shows", () => {
  const path = runCommands("library");
  const scripts = blocksOf(pageOf("library")).filter(
    ({ language }) => language === "js",
  );
  /** Code after each snippet, and what it prints. */
  const checks = [
    [
      "console.log(J.length, uncertainty.length, ...offsets, indices.length, values.length);",
      "18 2 0 2 4 4 4\n",
    ],
    ["console.log(jacobian.length, score.length);", "9 6\n"],
    ["", ""],
    [
      `console.log(JSON.stringify([rows, classes, count, layout, dtype, result, temperature, threshold]));
console.log(J[38] === entry && part[1] === entry);
console.log(steepest.trace < 1);`,
      '[1000,10,1000,"factored","float64","jacobian",1,0]\ntrue\ntrue\n',
    ],
  ];
  expect(scripts.length).toBe(checks.length);
  for (const [n, { code, printed }] of scripts.entries()) {
    const [check, result] = checks[n] as [string, string];
    expect(printed).not.toBe("");
    expect(runModule(`${code}\n${check}`, path)).toBe(printed + result);
  }
});

test("the commands and snippets of docs/layouts.md load the same numbers", (context) => {
  const cwd = runCommands("layouts");
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
print("same")`;
  const modules = "numpy, pyarrow, scipy, torch, polars, pandas, duckdb";
  if (!importable(modules)) context.skip(`not all of ${modules}`);
  const code = [...codeOf(pageOf("layouts"), "python"), checks].join("\n");
  const options = { cwd, encoding: "utf8", stdio: "pipe" } as const;
  expect(execFileSync(python, ["-c", code], options)).toBe("same\n");
});
