import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");

test("the table of commands has a row for every npm script, and no other", () => {
  const { scripts } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const [table = ""] = /^\| command .*?\n\n/ms.exec(text) ?? [];
  const named = table.split("\n").flatMap((row) => {
    const [, cell = ""] = row.split("|");
    return [...cell.matchAll(/`npm (?:run )?([\w:-]+)`/g)].map(
      ([, name]) => name,
    );
  });
  expect(named.toSorted()).toEqual(["ci", ...Object.keys(scripts)].toSorted());
});

test("the tree has every folder of the sources, and no other", () => {
  const [, tree = ""] = /```\n(src\/.*?)```/s.exec(text) ?? [];
  const path: string[] = [];
  const drawn: string[] = [];
  for (const line of tree.trimEnd().split("\n")) {
    const depth = (line.length - line.trimStart().length) / 2;
    for (const [name] of line.matchAll(/(?<=^\s*|\S\/ {2})[\w-]+(?=\/)/g)) {
      path.splice(depth);
      path.push(name);
      drawn.push(path.join("/"));
    }
  }
  for (const folder of drawn)
    expect(existsSync(join(root, folder)), folder).toBe(true);
  for (const top of ["src", "workers"]) {
    const folders = readdirSync(join(root, top), {
      withFileTypes: true,
      recursive: true,
    })
      .filter((entry) => entry.isDirectory())
      .map(({ parentPath, name }) =>
        join(parentPath, name).slice(root.length).replaceAll("\\", "/"),
      );
    expect(folders.length).toBeGreaterThan(0);
    for (const folder of folders) expect(drawn).toContain(folder);
  }
});

test("the table of tests names every folder of src, and tests that are there", () => {
  const [, table = ""] = /## Which tests to run\n(.*?)\n## /s.exec(text) ?? [];
  const named = [...table.matchAll(/`([^`]+)`/g)].flatMap(([, names = ""]) =>
    names.split(" "),
  );
  for (const { name } of readdirSync(join(root, "src"), {
    withFileTypes: true,
  }).filter((entry) => entry.isDirectory()))
    expect(
      named.some((path) => path.split("/")[1] === name),
      `src/${name}`,
    ).toBe(true);
  const tests = readdirSync(join(root, "test"), {
    recursive: true,
    encoding: "utf8",
  }).map((path) => `test/${path}`);
  for (const path of named.filter((path) => path.startsWith("test/")))
    expect(
      tests.some((test) => test.startsWith(path)),
      path,
    ).toBe(true);
});
