import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };

const root = fileURLToPath(new URL("..", import.meta.url));
const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");

/** Returns the paths of all directories below a directory, itself included. */
function directories(top: string): string[] {
  const inside = readdirSync(join(root, top), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => directories(`${top}/${name}`));
  return [top, ...inside];
}

test("the table of commands has a row for every npm script, and no other", () => {
  const [table = ""] = /^\| command .*?\n\n/ms.exec(text) ?? [];
  const cells = table.split("\n").map((row) => row.split("|")[1] ?? "");
  const named = Array.from(
    cells.join("\n").matchAll(/`npm (?:run )?([\w:-]+)`/g),
    ([, name]) => name,
  );
  expect(named.sort()).toEqual(["ci", ...Object.keys(manifest.scripts)].sort());
});

test("the tree has every directory and every file of src, and no other", () => {
  const [, tree = ""] = /```\n(src\/.*?)```/s.exec(text) ?? [];
  const path: string[] = [];
  const drawn = tree.split("\n").flatMap((line) => {
    const depth = (line.length - line.trimStart().length) / 2;
    const names = line.matchAll(/(?<=^\s*|\S\/ {2})[\w-]+(?=\/)/g);
    return Array.from(names, ([name]) => {
      path.splice(depth, path.length, name);
      return path.join("/");
    });
  });
  expect(drawn.filter((folder) => !existsSync(join(root, folder)))).toEqual([]);
  const all = ["src", "workers"].flatMap(directories);
  expect(drawn).toEqual(expect.arrayContaining(all));
  const files = readdirSync(join(root, "src")).filter((name) =>
    name.endsWith(".ts"),
  );
  const listed = tree.match(/(?<=^ {2})[\w-]+\.ts(?= )/gm) ?? [];
  expect(listed.toSorted()).toEqual(files.sort());
});

test("the table of tests names every directory of src, and tests that exist", () => {
  const [, table = ""] = /## Which tests to run\n(.*?)\n## /s.exec(text) ?? [];
  const named = [...table.matchAll(/`([^`]+)`/g)].flatMap(([, names = ""]) =>
    names.split(" "),
  );
  const modules = directories("src").map((path) => path.split("/")[1]);
  expect(named.map((path) => path.split("/")[1])).toEqual(
    expect.arrayContaining([...new Set(modules)].filter(Boolean)),
  );
  const tests = readdirSync(join(root, "test"), { recursive: true }).map(
    (path) => `test/${path}`,
  );
  const missing = named.filter(
    (path) =>
      /^test\//.test(path) && !tests.some((test) => test.startsWith(path)),
  );
  expect(missing).toEqual([]);
});
