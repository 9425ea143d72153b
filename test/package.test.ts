import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { workDirectory } from "./support/logits-input.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const at = workDirectory();

test("one dependency, of an exact version; nothing that npm runs when it is installed", () => {
  const read = (name: string) =>
    JSON.parse(readFileSync(`${root}${name}`, "utf8"));
  const { dependencies, optionalDependencies, bundleDependencies, scripts } =
    read("package.json");
  expect(dependencies).toEqual({
    piscina: expect.stringMatching(/^\d+\.\d+\.\d+$/),
  });
  expect([optionalDependencies, bundleDependencies]).toEqual([
    undefined,
    undefined,
  ]);
  const RUN_BY_NPM =
    /^(pre|post)?(install|uninstall|prepare|pack|publish)$|^prepublishOnly$/;
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

test("packed and installed elsewhere: library, command, worker and kernel are found, types resolve", () => {
  const place = dirname(at("x"));
  const run = (command: string, args: string[], cwd: string) =>
    execFileSync(command, args, {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  const [packed] = JSON.parse(
    run("npm", ["pack", "--json", "--pack-destination", place], root),
  );
  const files = packed.files.map(({ path }: { path: string }) => path);
  expect(files).toContain("dist/kernels.wasm");
  expect(files).toContain("dist/parquet.wasm");
  expect(
    files.filter(
      (path: string) =>
        !/^(dist\/|docs\/|README|CHANGELOG|SECURITY|LICENSE|package\.json)/.test(
          path,
        ),
    ),
  ).toEqual([]);

  const app = at("app");
  mkdirSync(app);
  writeFileSync(`${app}/package.json`, JSON.stringify({ type: "module" }));
  run(
    "npm",
    [
      "install",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      at(packed.filename),
    ],
    app,
  );
  writeFileSync(
    `${app}/use.ts`,
    `import { run, softmaxJacobian, type RunReport } from "softjac";
const J: Float64Array = softmaxJacobian(Float64Array.of(0, 1), { rows: 1, classes: 2 });
const report: RunReport = await run({ input: "a", output: "b", threads: 2 });
// @ts-expect-error no such option
await run({ input: "a", output: "b", thread: 2 });
export { J, report };
`,
  );
  run(
    process.execPath,
    [
      `${root}node_modules/typescript/bin/tsc`,
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "use.ts",
    ],
    app,
  );
  writeFileSync(
    `${app}/use.js`,
    `import { run } from "softjac";
const report = await run({ input: ${JSON.stringify(`${root}data/digits-logits.arrow`)}, output: "out.arrow", threads: 2 });
console.log(report.kernel, report.rows);
`,
  );
  expect(run(process.execPath, ["use.js"], app)).toBe("simd 1797\n");
  expect(
    run(
      "npx",
      [
        "--no-install",
        "softjac",
        "run",
        `${root}data/digits-logits.arrow`,
        "-o",
        "cli.arrow",
        "--dtype",
        "float64",
        "--quiet",
      ],
      app,
    ),
  ).toBe("");
  // a thread and a module of its own, which nothing but a Parquet file starts
  const parquet = `${root}test/input/parquet/pyarrow-zstd.parquet`;
  expect(
    run(
      "npx",
      ["--no-install", "softjac", "run", parquet, "-o", "p.arrow", "--quiet"],
      app,
    ),
  ).toBe("");
});
