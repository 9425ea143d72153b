import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import lock from "../../package-lock.json" with { type: "json" };
import { distFile } from "../support/dist.js";
import { workDirectory } from "../support/logits-input.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const digits = `${root}data/digits-logits.arrow`;
const at = workDirectory();

describe("packed, and installed elsewhere", () => {
  const app = at("app");
  const node = (...args: string[]) => runIn(app, process.execPath, args);
  const inApp = (name: string, text: string) =>
    writeFileSync(`${app}/${name}`, text);
  let packed: { filename: string; size: number; files: { path: string }[] };

  beforeAll(() => {
    distFile("index.js");
    const to = ["--pack-destination", dirname(app)];
    [packed] = JSON.parse(runIn(root, "npm", ["pack", "--json", ...to]));
    mkdirSync(app);
    inApp("package.json", "{}");
    const quietly = ["--prefer-offline", "--no-audit", "--no-fund"];
    runIn(app, "npm", ["install", ...quietly, at(packed.filename)]);
  });

  test("the package has the files that it needs and no others, in at most 3 MB", () => {
    const files = packed.files.map(({ path }) => path);
    const needed = ["bin/softjac.cjs", "dist/cli.js", "dist/kernels.wasm"];
    needed.push("dist/THIRD-PARTY-LICENSES.txt", "dist/parquet.wasm");
    expect(files).toEqual(expect.arrayContaining(needed));
    const known =
      /^(bin\/|dist\/|docs\/|README|CHANGELOG|SECURITY|LICENSE|package\.json)/;
    expect(files.filter((path) => !known.test(path))).toEqual([]);
    expect(files.filter((path) => /\.d\.\w?ts$/.test(path))).toEqual([
      "dist/index.d.ts",
    ]);
    expect(packed.size).toBeLessThan(3e6);
  });

  test("the command finds its threads and kernels", () => {
    const softjac = (line: string) =>
      runIn(app, "npx", ["--no-install", "softjac", ...line.split(" ")]);
    expect(softjac("--version")).toBe(`${manifest.version}\n`);
    expect(softjac(`run ${digits} -o a --dtype float64 --quiet`)).toBe("");
    // Only a Parquet file needs its thread and module.
    const parquet = `${root}test/input/parquet/pyarrow-zstd.parquet`;
    expect(softjac(`run ${parquet} -o b --quiet`)).toBe("");
  });

  test("import and require give the same module, without a warning", () => {
    const input = JSON.stringify(digits);
    inApp(
      "use.mjs",
      `import * as imported from "softjac";
import { createRequire } from "node:module";
const required = createRequire(import.meta.url)("softjac");
process.on("warning", (warning) => console.log(warning));
const report = await imported.run({ input: ${input}, output: "esm.arrow", threads: 2 });
console.log(report.kernel, report.rows, required.UsageError === imported.UsageError);
`,
    );
    expect(node("use.mjs")).toBe("simd 1797 true\n");
    inApp(
      "use.cjs",
      `const { run, softmax } = require("softjac");
process.on("warning", (warning) => console.log(warning));
console.log(softmax(Float64Array.of(0, 0), { rows: 1, classes: 2 }).join());
run({ input: ${input}, output: "cjs.arrow", threads: 2 }).then(({ kernel, rows }) => console.log(kernel, rows));
`,
    );
    expect(node("use.cjs")).toBe("0.5,0.5\nsimd 1797\n");
  });

  test.each([
    ["node16", "node16", ["use.mts", "use.cts"]],
    ["bundler", "preserve", ["use.ts"]],
  ])("TypeScript finds its types: %s", (resolution, module, names) => {
    for (const name of names)
      inApp(
        name,
        `import { BadRowError, type ErrorCode, run, type RunReport, softmaxJacobian, softmaxResults } from "softjac";
const shape = { rows: 1, classes: 2 };
export const J: Float64Array = softmaxJacobian(Float64Array.of(0, 1), shape);
export const { vjp }: { vjp: Float64Array } = softmaxResults(J, { ...shape, emit: ["vjp"], cotangent: [1, 0] });
export const report: Promise<RunReport> = run({ input: "a", output: "b", threads: 2 });
export const codeOf = (error: BadRowError): "ERR_BAD_ROW" & ErrorCode => error.code;
// @ts-expect-error no such option
run({ input: "a", output: "b", thread: 2 });
`,
      );
    const tsc = `${root}node_modules/typescript/bin/tsc`;
    const options = `${tsc} --noEmit --strict --target es2022 --types node
      --typeRoots ${root}node_modules/@types
      --module ${module} --moduleResolution ${resolution}`;
    expect(node(...options.split(/\s+/), ...names)).toBe("");
  });

  test("public docstrings are in the declarations", () => {
    const types = `${app}/node_modules/softjac/dist/index.d.ts`;
    const text = readFileSync(types, "utf8");
    const functions = text.match(/^export declare function/gm);
    const described = text.match(/^ ?.*\*\/\nexport declare function/gm);
    expect(functions?.length).toBeGreaterThan(20);
    expect(described?.length).toBe(functions?.length);
  });
});

test("three dependencies of exact versions; npm runs nothing when they are installed", () => {
  const exact = expect.stringMatching(/^\d+\.\d+\.\d+$/);
  expect(manifest.dependencies).toEqual({
    ...{ "apache-arrow": exact, piscina: exact, yargs: exact },
  });
  expect(manifest).not.toHaveProperty("optionalDependencies");
  expect(manifest).not.toHaveProperty("bundleDependencies");
  const RUN_BY_NPM = /^(pre|post)?(install|uninstall|prepare)$|^prepublish$/;
  const scripts = Object.keys(manifest.scripts);
  expect(scripts.filter((name) => RUN_BY_NPM.test(name))).toEqual([]);
  const installed = Object.entries<object>(lock.packages).filter(
    ([path, about]) => path && !("dev" in about && about.dev),
  );
  const paths = installed.map(([path]) => path);
  expect(paths).toContain("node_modules/piscina");
  const running = installed.filter(([, about]) => "hasInstallScript" in about);
  expect(running).toEqual([]);
});

test("files that repeat the version, or the oldest Node.js, agree with package.json", () => {
  const text = (name: string) => readFileSync(root + name, "utf8");
  expect(text("CITATION.cff")).toContain(`\nversion: ${manifest.version}\n`);
  const oldest = text(".nvmrc").trim();
  expect(manifest.engines.node).toBe(`>=${oldest}.0`);
  expect(text(".github/workflows/ci.yml")).toContain(`node: ["${oldest}", `);
});

describe("dist/", () => {
  const bundles = readdirSync(dirname(distFile("index.js")))
    .filter((name) => /\.c?js$/.test(name))
    .map((name) => ({ name, text: readFileSync(distFile(name), "utf8") }));

  test("lines that a stack trace may print are short", () => {
    /** Whether a line is a table or pattern of characters, in which nothing fails. */
    const isData = (line: string) => /[^ ]{1000}/.test(line);
    const long = bundles
      .flatMap(({ text }) => text.split("\n"))
      .filter((line) => line.length > 3000 && !isData(line));
    expect(long.map((line) => line.slice(0, 60))).toEqual([]);
  });

  test("the licences name every package whose code is in it", () => {
    const text = readFileSync(distFile("THIRD-PARTY-LICENSES.txt"), "utf8");
    const named = [...text.matchAll(/^(\S+) \d\S* \(/gm)].map(
      ([, name]) => name,
    );
    const code = bundles.map(({ text }) => text).join("\n");
    const paths = code.matchAll(
      /^\/\/ .*node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm,
    );
    const contained = new Set(Array.from(paths, ([, name]) => name));
    expect(contained.size).toBeGreaterThan(40);
    // Code that no bundle lists: WebAssembly, and what the builders add.
    for (const name of ["@foxglove/wasm-zstd", "lz4-wasm-nodejs"])
      contained.add(name);
    for (const name of ["parquet-wasm", "assemblyscript", "rolldown"])
      contained.add(name);
    expect(named).toEqual(expect.arrayContaining([...contained]));
  });
});

describe("the command starts, or says in one sentence that Node.js is too old", () => {
  const text = readFileSync(`${root}bin/softjac.cjs`, "utf8");
  const [, major, minor] =
    /^>=(\d+)\.(\d+)\.0$/.exec(manifest.engines.node) ?? [];

  const last = `${major}.${Number(minor) - 1}.9`;
  const old = ["0.12.18", "8.17.0", "18.20.8", last];
  const known = [`${major}.${minor}.0`, "22.0.0", "24.11.1", "100.0.0"];

  test.each([...old, ...known])("%s", (node) => {
    const required: string[] = [];
    const written: string[] = [];
    const stderr = { write: (line: string) => written.push(line) };
    const process = { versions: { node }, exitCode: 0, stderr };
    const require = (name: string) => required.push(name);
    runInNewContext(text, { process, require });
    const line = `softjac needs Node.js ${major}.${minor} or later, but this is Node.js ${node}: install a newer one from https://nodejs.org\n`;
    expect({ exitCode: process.exitCode, written, required }).toEqual(
      old.includes(node)
        ? { exitCode: 78, written: [line], required: [] }
        : { exitCode: 0, written: [], required: ["../dist/cli.js"] },
    );
  });
});

test("without dist, the command says in one sentence that it is not built", () => {
  mkdirSync(at("bin"));
  copyFileSync(`${root}bin/softjac.cjs`, at("bin/softjac.cjs"));
  const args = [at("bin/softjac.cjs"), "--version"];
  const { status, stderr } = spawnSync(process.execPath, args);
  expect([status, String(stderr)]).toEqual([
    78,
    "softjac is not built: run npm run build in the checkout, or install the package again\n",
  ]);
});

function runIn(cwd: string, command: string, args: string[]): string {
  return execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
