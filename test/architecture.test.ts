import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Modules by level, lowest first: folders of src, files of src, and workers. A file imports from its own module and from
 * modules on lower levels only, type imports included.
 */
const LEVELS = [
  ["version.ts", "bisect.ts", "format-number.ts", "printable.ts"],
  ["errors.ts"],
  ["io", "kernels"],
  ["arrow", "results"],
  ["options", "reference"],
  ["tasks"],
  ["workers", "storage"],
  ["pool", "in-memory"],
  ["input"],
  ["output", "model"],
  ["run", "reader"],
  ["dataset", "verify", "inspect", "generate"],
  ["reduce"],
  ["show", "queue", "effects", "calibrate"],
  ["report"],
  ["cli", "index.ts"],
];

/** The modules and folders that may import a package. */
const PACKAGES: Record<string, readonly string[]> = {
  "@aws-sdk/client-s3": ["storage/s3"],
  "@foxglove/wasm-zstd": ["workers"],
  "@observablehq/plot": ["report"],
  "apache-arrow": ["arrow"],
  bullmq: ["queue/broker"],
  "cli-progress": ["cli"],
  "fastest-levenshtein": ["cli"],
  flatbuffers: ["arrow"],
  ioredis: ["queue/broker"],
  linkedom: ["report"],
  "lz4-wasm-nodejs": ["workers"],
  "parquet-wasm": ["workers"],
  picomatch: ["dataset"],
  pino: ["cli"],
  piscina: ["pool"],
  yargs: ["cli"],
  zstddec: ["workers"],
};

const files = ["src", "workers"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ts$/.test(name))
    .map((name) => `${folder}/${name}`),
);
const textOf = (file: string) => readFileSync(join(root, file), "utf8");

/** Returns the first part of a path in src, or workers. */
function moduleOf(file: string): string {
  const [first = "", second = ""] = file.split("/");
  return first === "src" ? second : first;
}

const isFile = (path: string) => files.includes(path);

/** Imports of all files, of files by their paths and of packages by their names. */
const imports = files.flatMap((file) => {
  const statements = textOf(file).matchAll(
    /(?:^(?:import|export)\b[^;]*?from\s+|import\(\s*)"([^"]+)"/gm,
  );
  return [...statements].map(([, path = ""]) => {
    const target = relative(root, resolve(root, dirname(file), path));
    // Imports of AssemblyScript have no extension.
    const to = `${target.replace(/\.(?:js|ts)$/, "")}.ts`;
    const text = `${file} -> ${path}`;
    return { file, to: path.startsWith(".") ? to : path, text };
  });
});

/** Returns the imports of files that `isWrong` finds. */
function wrongImports(isWrong: (file: string, to: string) => boolean) {
  return imports
    .filter(({ file, to }) => isFile(to) && isWrong(file, to))
    .map(({ text }) => text);
}

test("files import from their own module and from lower levels only", () => {
  const levelOf = (file: string) =>
    LEVELS.findIndex((modules) => modules.includes(moduleOf(file)));
  expect(files.filter((file) => levelOf(file) < 0)).toEqual([]);
  expect(imports.filter(({ to }) => isFile(to)).length).toBeGreaterThan(500);
  const isUpward = (file: string, to: string) =>
    moduleOf(to) !== moduleOf(file) && levelOf(to) >= levelOf(file);
  expect(wrongImports(isUpward)).toEqual([]);
});

test("no file imports itself through others", () => {
  const done = new Set<string>();
  const circles: string[][] = [];
  const visit = (file: string, path: string[]) => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push([...path.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    for (const { to } of imports.filter((each) => each.file === file))
      if (isFile(to)) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

test("packages are imported where they belong", () => {
  const found = imports.filter(({ file, to }) => {
    if (isFile(to) || /^node:|^package\.json/.test(to)) return false;
    const [name = ""] = /^(?:@[^/]+\/)?[^/]+/.exec(to) ?? [];
    const place = `${file.replace(/^src\//, "")}/`;
    return !PACKAGES[name]?.some((module) => place.startsWith(`${module}/`));
  });
  expect(found).toEqual([]);
});

/** Imports that a file must not have, so that one part can check another. */
test.each([
  ["src/kernels/", ["reference"]],
  // It checks the kernels.
  ["src/reference/", ["kernels"]],
  // It checks outputs. Only the comparison of bytes repeats the run.
  [
    "src/verify/",
    ["run", "output", "workers", "kernels", "in-memory", "tasks", "pool"],
  ],
])("%s is independent of what it is compared with", (folder, others) => {
  const own = files.filter((file) => file.startsWith(folder));
  expect(own.length).toBeGreaterThan(5);
  const isWrong = (file: string, to: string) =>
    file.startsWith(folder) &&
    file !== "src/verify/compare-bytes.ts" &&
    others.includes(moduleOf(to));
  expect(wrongImports(isWrong)).toEqual([]);
});

test("only cli uses process and the console", () => {
  for (const file of files.filter((name) => moduleOf(name) !== "cli"))
    expect(
      textOf(file).replace(/\/\/.*|\/\*[\s\S]*?\*\//g, ""),
      file,
    ).not.toMatch(/\bconsole\.|process\.(exit|on|stdout|stderr|argv|env)\b/);
});

test("one file starts a program: Node itself, without a shell", () => {
  const starts = files.filter((file) =>
    /\bchild_process\b|"(node:)?cluster"/.test(textOf(file)),
  );
  expect(starts.length).toBe(1);
  const text = textOf(starts[0] as string);
  expect(text.match(/\bspawn\(.*/g)).toEqual([
    'spawn(process.execPath, ["-e", script], {',
  ]);
  expect(text).not.toMatch(/\bexec(Sync)?\(|\bshell\b/);
});

test("docs/architecture.md names files that exist", () => {
  const named = textOf("docs/architecture.md").matchAll(
    /`((?:src|workers)\/[\w./-]+)`/g,
  );
  const missing = [...named]
    .map(([, path = ""]) => path)
    .filter((path) => !existsSync(join(root, path)));
  expect(missing).toEqual([]);
});
