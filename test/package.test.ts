import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { distFile } from "./support/dist.js";
import { workDirectory } from "./support/logits-input.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const digits = `${root}data/digits-logits.arrow`;
const at = workDirectory();

describe("packed, and installed elsewhere", () => {
  const app = at("app");
  const node = (...args: string[]) => runIn(app, process.execPath, args);
  const softjac = (...args: string[]) =>
    runIn(app, "npx", ["--no-install", "softjac", ...args]);
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

  test("it has the files that it needs and no others, in at most 3 MB", () => {
    const files = packed.files.map(({ path }) => path);
    expect(files).toEqual(
      expect.arrayContaining([
        "bin/softjac.cjs",
        "bin/start.cjs",
        "dist/THIRD-PARTY-LICENSES.txt",
        "dist/kernels.wasm",
        "dist/parquet.wasm",
      ]),
    );
    expect(
      files.filter(
        (path) =>
          !/^(bin\/|dist\/|docs\/|README|CHANGELOG|SECURITY|LICENSE|package\.json)/.test(
            path,
          ),
      ),
    ).toEqual([]);
    expect(files.filter((path) => /\.d\.\w?ts$/.test(path))).toEqual([
      "dist/index.d.cts",
      "dist/index.d.ts",
    ]);
    expect(packed.size).toBeLessThan(3e6);
  });

  test("the command finds its threads and kernels", () => {
    expect(softjac("--version")).toBe(`${manifest.version}\n`);
    const quiet = ["--dtype", "float64", "--quiet"];
    expect(softjac("run", digits, "-o", "cli.arrow", ...quiet)).toBe("");
    // a thread and a module of its own, which nothing but a Parquet file starts
    const parquet = `${root}test/input/parquet/pyarrow-zstd.parquet`;
    expect(softjac("run", parquet, "-o", "p.arrow", "--quiet")).toBe("");
  });

  test("import and require give the same module, without a warning", () => {
    inApp(
      "use.mjs",
      `import * as imported from "softjac";
import { createRequire } from "node:module";
const required = createRequire(import.meta.url)("softjac");
process.on("warning", (warning) => console.log(warning));
const report = await imported.run({ input: ${JSON.stringify(digits)}, output: "esm.arrow", threads: 2 });
console.log(report.kernel, report.rows, required.UsageError === imported.UsageError);
`,
    );
    expect(node("use.mjs")).toBe("simd 1797 true\n");
    inApp(
      "use.cjs",
      `const { run, softmax } = require("softjac");
process.on("warning", (warning) => console.log(warning));
console.log(softmax(Float64Array.of(0, 0), { rows: 1, classes: 2 }).join());
run({ input: ${JSON.stringify(digits)}, output: "cjs.arrow", threads: 2 }).then(({ kernel, rows }) => console.log(kernel, rows));
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
    const types = ["--typeRoots", `${root}node_modules/@types`];
    const options = ["--noEmit", "--strict", "--target", "es2022"];
    const how = ["--module", module, "--moduleResolution", resolution];
    const tsc = `${root}node_modules/typescript/bin/tsc`;
    expect(
      node(tsc, ...options, ...types, "--types", "node", ...how, ...names),
    ).toBe("");
  });

  test("public docstrings are in the declarations", () => {
    const text = readFileSync(
      `${app}/node_modules/softjac/dist/index.d.ts`,
      "utf8",
    );
    const functions = text.match(/^export declare function/gm);
    const described = text.match(/^ ?.*\*\/\nexport declare function/gm);
    expect(functions?.length).toBeGreaterThan(20);
    expect(described?.length).toBe(functions?.length);
    expect(text).toContain(
      "/** Temperature T of softmax(o/T), 1e-100 to 1e100; default: 1. */",
    );
  });
});

test("three dependencies of exact versions; npm runs nothing when they are installed", () => {
  const read = (name: string) =>
    JSON.parse(readFileSync(`${root}${name}`, "utf8"));
  const { dependencies, optionalDependencies, bundleDependencies, scripts } =
    read("package.json");
  const exact = expect.stringMatching(/^\d+\.\d+\.\d+$/);
  expect(dependencies).toEqual({
    "apache-arrow": exact,
    piscina: exact,
    yargs: exact,
  });
  expect([optionalDependencies, bundleDependencies]).toEqual([
    undefined,
    undefined,
  ]);
  const RUN_BY_NPM = /^(pre|post)?(install|uninstall|prepare)$|^prepublish$/;
  expect(Object.keys(scripts).filter((name) => RUN_BY_NPM.test(name))).toEqual(
    [],
  );
  // Of all that is installed with it.
  const { packages } = read("package-lock.json");
  const installed = Object.entries<{
    dev?: boolean;
    hasInstallScript?: boolean;
  }>(packages).filter(([path, { dev }]) => path && !dev);
  expect(installed.map(([path]) => path)).toContain("node_modules/piscina");
  for (const [path, { hasInstallScript }] of installed)
    expect(hasInstallScript, path).toBeUndefined();
});

test("files that repeat the version, or the oldest Node.js, agree with package.json", () => {
  const text = (name: string) => readFileSync(`${root}${name}`, "utf8");
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
    /** Tables and patterns of characters, in which nothing fails. */
    const isData = (line: string) => /[^ ]{1000}/.test(line);
    const long = bundles.flatMap(({ name, text }) =>
      text
        .split("\n")
        .filter((line) => line.length > 3000 && !isData(line))
        .map((line) => `${name}: ${line.length}: ${line.slice(0, 60)}`),
    );
    expect(long).toEqual([]);
  });

  test("the licences name every package whose code is in it", () => {
    const text = readFileSync(distFile("THIRD-PARTY-LICENSES.txt"), "utf8");
    const named = new Set(
      Array.from(text.matchAll(/^(\S+) \d\S* \(/gm), ([, name]) => name),
    );
    const contained = new Set(
      bundles.flatMap(({ text }) =>
        Array.from(
          text.matchAll(/^\/\/ .*node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm),
          ([, name]) => name,
        ),
      ),
    );
    expect(contained.size).toBeGreaterThan(40);
    expect([...contained].filter((name) => !named.has(name))).toEqual([]);
    // Code that no bundle lists: WebAssembly, and what the builders add.
    for (const name of [
      "@foxglove/wasm-zstd",
      "lz4-wasm-nodejs",
      "parquet-wasm",
      "assemblyscript",
      "rolldown",
    ])
      expect(named).toContain(name);
  });
});

describe("the command on a Node.js that is too old", () => {
  const text = readFileSync(`${root}bin/softjac.cjs`, "utf8");
  const [, major, minor] =
    /^>=(\d+)\.(\d+)\.0$/.exec(manifest.engines.node) ?? [];

  /** What the launcher does on a version of Node.js. */
  function launch(node: string) {
    const process = {
      versions: { node },
      exitCode: 0,
      stderr: { write: (line: string) => void written.push(line) },
    };
    const written: string[] = [];
    const required: string[] = [];
    const require = (name: string) => void required.push(name);
    runInNewContext(text, { process, require });
    return { exitCode: process.exitCode, written, required };
  }

  test.each([
    "0.12.18",
    "8.17.0",
    "18.20.8",
    `${major}.${Number(minor) - 1}.9`,
  ])("%s: one sentence and exit code 78", (node) => {
    expect(launch(node)).toEqual({
      exitCode: 78,
      written: [
        `softjac needs Node.js ${major}.${minor} or later, but this is Node.js ${node}: install a newer one from https://nodejs.org\n`,
      ],
      required: [],
    });
  });

  test.each([`${major}.${minor}.0`, "22.0.0", "24.11.1", "100.0.0"])(
    "%s starts the command",
    (node) => {
      expect(launch(node)).toEqual({
        exitCode: 0,
        written: [],
        required: ["./start.cjs"],
      });
    },
  );
});

function runIn(cwd: string, command: string, args: string[]): string {
  return execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
