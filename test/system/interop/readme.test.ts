import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { EXIT } from "../../../src/errors.js";
import { built } from "../../support/built.js";
import {
  type Block,
  blocksOf,
  readPage,
  root,
  runModule,
  workplace,
} from "./pages.js";
import { importable, python } from "./python.js";

// The blocks of README run, each in an empty directory after the quick start, and print what README shows. The line of R does
// not: no test machine has R with arrow.

const readme = readPage("README.md");
const { directory, shell } = workplace();
const {
  name: packageName,
  version,
  scripts,
} = JSON.parse(readPage("package.json"));

/** Blocks for a checkout: npm runs these tests by them, and test/package.test.ts packs and installs. */
const isForCheckout = ({ code }: Block) => /^npm ci && | data\//.test(code);
const all = blocksOf(readme);
const numbered = (language: string) =>
  all
    .filter((block) => block.language === language && !isForCheckout(block))
    .map((block, n) => [n, block] as const);
const [[, quickStart], [, pipeline]] = numbered("sh") as never as [
  [number, Block],
  [number, Block],
];

let quickStarted = "";
/** Returns a directory with the files of the quick start, which tests only read. */
function afterQuickStart(): string {
  if (quickStarted) return quickStarted;
  quickStarted = directory("quick-start");
  shell(quickStart.code, quickStarted);
  return quickStarted;
}

test("README has blocks of three languages, and three for a checkout", () => {
  expect(new Set(all.map(({ language }) => language))).toEqual(
    new Set(["sh", "python", "js"]),
  );
  expect(numbered("sh").length).toBe(2);
  const skipped = all.filter(isForCheckout);
  expect(skipped.map(({ code }) => code.split("\n").length - 1)).toEqual([
    2, 2, 2,
  ]);
});

test("the effects that README shows", () => {
  const [{ code, printed }] = all.filter(isForCheckout) as [Block];
  expect(shell(code, root)).toBe(printed);
});

test("the quick start and the pipeline", async () => {
  const path = directory("shell");
  expect(shell(quickStart.code, path)).toBe(quickStart.printed);
  const file = (name: string) => join(path, name);
  const [input, output] = [file("logits.arrow"), file("jacobian.arrow")];
  expect(await built.verify({ input, output })).toMatchObject({ ok: true });
  expect(shell(pipeline.code, path)).toBe(pipeline.printed);
  expect(readdirSync(file("jacobian"))).toContain("_SUCCESS");
  const report = JSON.parse(readFileSync(file("report.json"), "utf8"));
  expect(report.exitCode).toBe(0);
  const { fields } = tableFromIPC(readFileSync(file("entries.arrows"))).schema;
  expect(fields.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["row", "i", "j", "value"]),
  );
});

test("the table of columns has the values of row 17", () => {
  const bytes = readFileSync(join(afterQuickStart(), "jacobian.arrow"));
  const row = tableFromIPC(bytes).get(17) as never as Record<
    "row" | "id" | "label" | "softmax" | "jacobian",
    Iterable<number>
  >;
  const cells = [...readme.matchAll(/^\| `(\w+)`[^\n]*\| *([^|]*?) *\|$/gm)];
  const cell = Object.fromEntries(cells.map(([, name, text]) => [name, text]));
  const p = [...row.softmax].map((x) =>
    x < 1e-3 ? x.toExponential(1) : x.toFixed(4),
  );
  const entry = [...row.jacobian][2 * 5 + 4] as number;
  expect(cell).toMatchObject({
    ...{ row: `${row.row}`, id: `${row.id}, ${row.label}` },
    softmax: p.join(", "),
    jacobian: expect.stringContaining(
      `${entry.toFixed(4).replace("-", "−")} at \`[2,4]\``,
    ),
  });
});

for (const [n, { code, printed }] of numbered("python")) {
  const imports = [...code.matchAll(/^import (.*)$/gm)].flatMap(
    ([, names = ""]) => names.split(", ").map((name) => name.split(" ")[0]),
  );
  test.skipIf(!importable(imports.join(", ")))(`Python block ${n}`, () => {
    const options = { cwd: afterQuickStart(), encoding: "utf8" } as const;
    expect(execFileSync(python, ["-c", code], options)).toBe(printed);
  });
}

test.each(numbered("js"))("JavaScript block %i", (_, { code, printed }) => {
  expect(runModule(code, afterQuickStart())).toBe(printed);
});

test("README names scripts of package.json and its tarball, and pages install nothing by name", () => {
  const named = readme.match(/(?<=npm run )[a-z:-]+/g) ?? [];
  expect(named).toEqual(expect.arrayContaining(["demo", "package", "build"]));
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
  const tarballs = readme.match(/softjac-\d[^\s]*\.tgz/g) ?? [];
  expect(new Set(tarballs)).toEqual(new Set([`${packageName}-${version}.tgz`]));
  const pages = readdirSync(`${root}docs`).map((page) => `docs/${page}`);
  for (const page of ["README.md", ...pages])
    expect(readPage(page), page).not.toMatch(
      /(npx|npm (i|install|exec)) (-\S+ )*softjac\b(?!-)/,
    );
});

test("links in README have targets, and the page has at most 200 lines", () => {
  const links = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(
    ([, link = ""]) => link,
  );
  expect(links.length).toBeGreaterThan(20);
  expect(links).toEqual(
    expect.arrayContaining(["docs/derivation.md", "examples/notebook.mjs"]),
  );
  for (const link of links) {
    const [path = "", anchor] = link.split("#");
    expect(existsSync(root + path), link).toBe(true);
    if (anchor === undefined) continue;
    const headings = readPage(path).match(/(?<=^#+ ).*$/gm) ?? [];
    const anchors = headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    );
    expect(anchors, link).toContain(anchor);
  }
  expect(readme.split("\n").length).toBeLessThanOrEqual(200);
});

test("README says of every exit code of a failure whether to retry it", () => {
  const [, retry = "", never = ""] =
    /^Exit codes (.*?) mean: (.*?)\. \[docs/ms.exec(readme) ?? [];
  const codes = (text: string) => (text.match(/\b\d\d\b/g) ?? []).map(Number);
  expect(codes(retry)).toEqual([EXIT.unavailable, EXIT.io, EXIT.stopped]);
  expect([0, ...codes(retry), ...codes(never)].sort()).toEqual(
    Object.values(EXIT).sort(),
  );
});

test("the tables of figures are those that the benchmarks write", async () => {
  const bench = (name: string) =>
    import(new URL(`../../../bench/${name}.mjs`, import.meta.url).href);
  const read = (name: string) =>
    JSON.parse(readPage(`bench/results/${name}.json`));
  const section = (page: string, name: string) =>
    page.split(`<!-- ${name} -->\n`)[1]?.split(`\n<!-- /${name} -->`)[0];
  const [accuracy, results] = [read("accuracy"), read("results")];
  const { readmeTables } = await bench("guarantees");
  for (const [name, table] of Object.entries(readmeTables(accuracy, results)))
    expect(section(readme, name)).toBe(table);
  const page = readPage("bench/RESULTS.md");
  const { markdownTable } = await bench("table");
  expect(section(page, "speed")).toBe(markdownTable(results).trimEnd());
  const { accuracyTable } = await bench("accuracy-table");
  expect(section(page, "accuracy")).toBe(accuracyTable(accuracy));
});
