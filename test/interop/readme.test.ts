import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { EXIT } from "../../src/errors.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { importable, python } from "./python.js";

// README's blocks run as pasted, each in an empty directory, after the quick start that makes their files. What a block prints
// is compared with the `text` block below it, or with the comments behind its prints. The line of R is not run: no test machine
// has R with arrow.

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");
const at = workDirectory();
const { name: packageName, version } = JSON.parse(
  readFileSync(`${root}package.json`, "utf8"),
);

interface Block {
  language: string;
  code: string;
  /** What README shows below it. */
  printed: string | undefined;
}

const blocks: Block[] = [
  ...readme.matchAll(/^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?/gms),
].map(([, language = "", code = "", printed]) => ({ language, code, printed }));

/** Blocks for a checkout: npm runs these tests by them, and test/package.test.ts packs and installs. */
const isForCheckout = ({ code }: Block) => code.startsWith("npm ci && ");
const shell = blocks.filter(
  (block) => block.language === "sh" && !isForCheckout(block),
);
const [quickStart] = shell as [Block];

/** `softjac` on the PATH, as after installation. */
const bin = at("bin");
mkdirSync(bin);
symlinkSync(`${root}bin/softjac.cjs`, join(bin, "softjac"));

interface Row17 {
  row: bigint;
  id: bigint;
  label: number;
  softmax: Iterable<number>;
  jacobian: Iterable<number>;
}

let directories = 0;
function emptyDirectory(): string {
  const directory = at(`directory-${directories++}`);
  mkdirSync(directory);
  return directory;
}

/** Runs shell lines, and returns what they print on either stream. */
function runShell(code: string, cwd: string): string {
  const { status, stdout } = spawnSync(
    "bash",
    ["-eo", "pipefail", "-c", `exec 2>&1\n${code}`],
    {
      cwd,
      encoding: "utf8",
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
    },
  );
  expect(status, stdout).toBe(0);
  return stdout;
}

function afterQuickStart(): string {
  const directory = emptyDirectory();
  runShell(quickStart.code, directory);
  return directory;
}

/** The comments behind the prints of a block, as lines. */
function stated(code: string, comment: "#" | "//"): string {
  return code
    .split("\n")
    .filter((line) => /^\s*(print|console\.log)\(/.test(line))
    .map(
      (line) =>
        `${line.split(`  ${comment} `)[1] ?? line.split(` ${comment} `)[1]}\n`,
    )
    .join("");
}

test("README has blocks of every kind, and only those for a checkout are not run", () => {
  const languages = blocks.map(({ language }) => language);
  expect(new Set(languages)).toEqual(new Set(["sh", "python", "js"]));
  expect(shell.length).toBe(2);
  const skipped = blocks.filter(isForCheckout);
  expect(skipped.map(({ code }) => code.split("\n").length - 1)).toEqual([
    2, 2,
  ]);
});

test.each(shell.map((block, n) => [n, block] as const))(
  "shell block %i",
  (n, { code, printed = "" }) => {
    const directory = n === 0 ? emptyDirectory() : afterQuickStart();
    expect(runShell(code, directory)).toBe(printed);
  },
);

test("the quick start and the pipeline write what they say", async () => {
  const directory = afterQuickStart();
  const file = (name: string) => join(directory, name);
  const [logits, jacobian] = [file("logits.arrow"), file("jacobian.arrow")];
  expect(await built.verify({ input: logits, output: jacobian })).toMatchObject(
    { ok: true },
  );
  runShell((shell[1] as Block).code, directory);
  expect(readdirSync(file("jacobian"))).toContain("_SUCCESS");
  expect(JSON.parse(readFileSync(file("report.json"), "utf8")).exitCode).toBe(
    0,
  );
  const entries = tableFromIPC(readFileSync(file("entries.arrows")));
  expect(entries.schema.fields.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["row", "i", "j", "value"]),
  );
});

test("the table of columns has the values of row 17", () => {
  const bytes = readFileSync(join(afterQuickStart(), "jacobian.arrow"));
  const row = tableFromIPC(bytes).get(17) as unknown as Row17;
  const cells = [...readme.matchAll(/^\| `row`|^\| `(id|softmax)`.*/gm)];
  expect(cells.length).toBe(3);
  const lastCell = (start: string) =>
    new RegExp(`^\\| \`${start}.*\\| *([^|]*?) *\\|$`, "m").exec(readme)?.[1];
  expect(lastCell("row")).toBe(`${row.row}`);
  expect(lastCell("id")).toBe(`${row.id}, ${row.label}`);
  const p = [...row.softmax].map((x) =>
    x < 1e-3 ? x.toExponential(1) : x.toFixed(4),
  );
  expect(lastCell("softmax")).toBe(p.join(", "));
  const entry = [...row.jacobian][2 * 5 + 4] as number;
  expect(lastCell("jacobian")).toMatch(
    `${entry.toFixed(4).replace("-", "−")} at \`[2,4]\``,
  );
});

const scripts = blocks.filter(({ language }) => language === "python");
const modules = (code: string) =>
  [...code.matchAll(/^import (.*)$/gm)]
    .flatMap(([, names = ""]) => names.split(", "))
    .map((name) => name.split(" ")[0])
    .join(", ");

describe.each(scripts.map((block, n) => [n, block] as const))(
  "Python block %i",
  (_, { code, printed }) => {
    test.skipIf(!importable(modules(code)))("prints what README shows", () => {
      const found = execFileSync(python, ["-c", code], {
        cwd: afterQuickStart(),
        encoding: "utf8",
      });
      expect(found).toBe(printed ?? stated(code, "#"));
    });
  },
);

test.each(
  blocks
    .filter(({ language }) => language === "js")
    .map((block, n) => [n, block] as const),
)("JavaScript block %i", (_, { code, printed }) => {
  const directory = afterQuickStart();
  writeFileSync(join(directory, "package.json"), "{}");
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(root, join(directory, "node_modules", "softjac"));
  const found = execFileSync(
    process.execPath,
    ["--input-type=module", "-e", code],
    { cwd: directory, encoding: "utf8" },
  );
  expect(found).toBe(printed ?? stated(code, "//"));
});

test("npm scripts and the tarball that README names exist; nothing is installed from a registry by name", () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  const named = [...readme.matchAll(/npm run ([a-z:-]+)/g)].map(
    ([, name]) => name as string,
  );
  expect(named).toEqual(expect.arrayContaining(["demo", "package", "build"]));
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
  const tarballs = readme.match(/softjac-\d[^\s]*\.tgz/g) ?? [];
  expect(new Set(tarballs)).toEqual(new Set([`${packageName}-${version}.tgz`]));
  for (const name of [
    "README.md",
    ...readdirSync(`${root}docs`).map((page) => `docs/${page}`),
  ])
    expect(readFileSync(root + name, "utf8"), name).not.toMatch(
      /(npx|npm (i|install|exec)) (-\S+ )*softjac\b(?!-)/,
    );
});

test("every link of README leads somewhere, and the page stays under 200 lines", () => {
  const links = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(
    ([, link = ""]) => link,
  );
  expect(links.length).toBeGreaterThan(20);
  for (const link of links) {
    const [path = "", anchor] = link.split("#");
    expect(existsSync(root + path), link).toBe(true);
    if (anchor === undefined) continue;
    const headings = readFileSync(root + path, "utf8").match(/^#+ .*$/gm) ?? [];
    const anchors = headings.map((heading) =>
      heading
        .replace(/^#+ /, "")
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
    import(new URL(`../../bench/${name}.mjs`, import.meta.url).href);
  const read = (name: string) =>
    JSON.parse(readFileSync(`${root}bench/results/${name}.json`, "utf8"));
  const section = (page: string, name: string) =>
    page.split(`<!-- ${name} -->\n`)[1]?.split(`\n<!-- /${name} -->`)[0];
  const [accuracy, results] = [read("accuracy"), read("results")];
  const { readmeTables } = await bench("guarantees");
  for (const [name, table] of Object.entries(readmeTables(accuracy, results)))
    expect(section(readme, name)).toBe(table);
  const page = readFileSync(`${root}bench/RESULTS.md`, "utf8");
  const { markdownTable } = await bench("table");
  expect(section(page, "speed")).toBe(markdownTable(results).trimEnd());
  const { accuracyTable } = await bench("accuracy-table");
  expect(section(page, "accuracy")).toBe(accuracyTable(accuracy));
});
