import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Modules by level, lowest first: folders of src, files of src, and workers. A file imports from its own module and from
 * modules on lower levels only, type imports included.
 */
const LEVELS = [
  ["version.ts", "format-number.ts", "printable.ts"],
  ["errors.ts"],
  ["io", "kernels"],
  ["arrow", "results"],
  ["options", "reference"],
  ["tasks"],
  ["workers", "storage"],
  ["pool", "in-memory"],
  ["input"],
  ["output"],
  ["run", "reader"],
  ["dataset", "verify", "inspect", "generate"],
  ["show", "queue"],
  ["report"],
  ["cli", "index.ts"],
];

/** The modules and folders that may import a package. */
const PACKAGES: Record<string, readonly string[]> = {
  "@aws-sdk/client-s3": ["storage/s3"],
  "@foxglove/wasm-zstd": ["workers"],
  "@observablehq/plot": ["report"],
  "apache-arrow": ["output", "arrow"],
  bullmq: ["queue"],
  "cli-progress": ["cli"],
  "fastest-levenshtein": ["cli"],
  flatbuffers: ["output", "arrow"],
  ioredis: ["queue"],
  linkedom: ["report"],
  "lz4-wasm-nodejs": ["workers"],
  "parquet-wasm": ["workers"],
  picomatch: ["dataset"],
  pino: ["cli"],
  piscina: ["pool"],
  tinyglobby: ["dataset"],
  yargs: ["cli"],
  "yargs-parser": ["cli"],
  zstddec: ["workers"],
};

const foldersOf = (folder: string): string[] => [
  folder,
  ...readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => foldersOf(`${folder}/${name}`)),
];
const folders = ["src", "workers"].flatMap(foldersOf);
const files = folders.flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => /\.ts$/.test(name))
    .map((name) => `${folder}/${name}`),
);
const textOf = (file: string) => readFileSync(join(root, file), "utf8");

/** The first part of a path in src, or workers. */
function moduleOf(file: string): string {
  const [first, second = ""] = file.split("/");
  return first === "src" ? second : (first as string);
}

function importsOf(file: string): string[] {
  const statements = textOf(file).matchAll(
    /(?:^(?:import|export)\b[^;]*?from\s+|import\(\s*)"([^"]+)"/gm,
  );
  return [...statements].map(([, path = ""]) => {
    if (!path.startsWith(".")) return path;
    const target = relative(root, resolve(root, dirname(file), path));
    // AssemblyScript has no endings.
    return `${target.replace(/\.(?:js|ts)$/, "")}.ts`.replace(
      ".json.ts",
      ".json",
    );
  });
}
const imports = new Map(files.map((file) => [file, importsOf(file)]));
const isFile = (path: string) => imports.has(path);

test("files import from their own module and from lower levels only", () => {
  const levelOf = (file: string) =>
    LEVELS.findIndex((modules) => modules.includes(moduleOf(file)));
  expect(files.filter((file) => levelOf(file) < 0)).toEqual([]);
  const upward = files.flatMap((file) =>
    (imports.get(file) as string[])
      .filter(isFile)
      .filter((to) => moduleOf(to) !== moduleOf(file))
      .filter((to) => levelOf(to) >= levelOf(file))
      .map((to) => `${file} -> ${to}`),
  );
  expect(upward).toEqual([]);
});

test("no file imports itself by way of others", () => {
  const done = new Set<string>();
  const circles: string[][] = [];
  const visit = (file: string, path: string[]) => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push([...path.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    for (const to of (imports.get(file) as string[]).filter(isFile))
      visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

test("packages are imported where they belong", () => {
  const isAllowed = (name: string, file: string) =>
    PACKAGES[name]?.some((module) =>
      `${file.replace(/^src\//, "")}/`.startsWith(`${module}/`),
    );
  const found = files.flatMap((file) =>
    (imports.get(file) as string[])
      .filter((path) => !isFile(path) && !/^node:|^package\.json$/.test(path))
      .map((path) => /^(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] as string)
      .filter((name) => !isAllowed(name, file))
      .map((name) => `${file} -> ${name}`),
  );
  expect(found).toEqual([]);
});

/** What a file must not import, so that one part can judge another. */
test.each([
  ["src/kernels/", ["reference"]],
  // The judge of the kernels.
  ["src/reference/", ["kernels"]],
  // The judge of outputs, except for the comparison of bytes, which repeats the run.
  [
    "src/verify/",
    ["run", "output", "workers", "kernels", "in-memory", "tasks", "pool"],
  ],
])("%s is independent of what it is compared with", (folder, others) => {
  const own = files.filter(
    (file) => file.startsWith(folder) && file !== "src/verify/compare-bytes.ts",
  );
  expect(own.length).toBeGreaterThan(5);
  const found = own.flatMap((file) =>
    (imports.get(file) as string[])
      .filter((to) => isFile(to) && others.includes(moduleOf(to)))
      .map((to) => `${file} -> ${to}`),
  );
  expect(found).toEqual([]);
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

test("CONTRIBUTING.md lists every module", () => {
  const tree = textOf("CONTRIBUTING.md")
    .split("```\nsrc/")[1]
    ?.split("\nbin/")[0];
  const listed = [...(tree ?? "").matchAll(/^ {2}([\w-]+\/|[\w-]+\.ts) /gm)];
  const modules = readdirSync(join(root, "src")).map((name) =>
    statSync(join(root, "src", name)).isDirectory() ? `${name}/` : name,
  );
  expect(listed.map(([, name]) => name).sort()).toEqual(modules.sort());
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
