import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import {
  fixedSizeList,
  float64,
  tableFromArrays,
  tableFromIPC,
  tableToIPC,
} from "@uwdata/flechette";
import { expect, test } from "vitest";
import { CLI, softjac as command } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const NAMES = ["../outside", "/etc/softjac", "a/b", "..", "", "\0"];

function logits(column = "logits", labels: string[] = []): Uint8Array {
  const rows = Array.from({ length: 6 }, (_, row) => [row, row / 2, 1]);
  const kept = labels.map((name) => [name, rows.map(() => "../x/y")]);
  return tableToIPC(
    tableFromArrays(Object.fromEntries([[column, rows], ...kept]), {
      types: { [column]: fixedSizeList(float64(), 3) },
    }),
    { format: "file" },
  ) as Uint8Array;
}
const file = at("file.arrow");
writeFileSync(file, logits());
const jacobian = at("jacobian.arrow");
await built.run({ input: file, output: jacobian });
mkdirSync(at("folder"));
execFileSync("mkfifo", [at("pipe")]);
symlinkSync(at("pipe"), at("link to pipe"));
symlinkSync(at("nowhere"), at("dangling"));
symlinkSync(at("circle"), at("circle"));

/** The command's exit code and what it printed on standard error. */
function softjac(...line: string[]): [code: number, said: string] {
  const { status, stderr } = command(...line);
  return [status, stderr.trim()];
}

const DEVICE =
  "input: pipes and devices are not supported; use - to read standard input";

test.each([
  [at("pipe"), 65, DEVICE],
  [at("link to pipe"), 65, DEVICE],
  ["/dev/zero", 65, DEVICE],
  ["/dev/null", 65, DEVICE],
  [at("nowhere"), 66, "no such file or directory"],
  [
    at("caf\ufffd.arrow"),
    66,
    "no such file or directory; file names must be UTF-8: rename the file",
  ],
  [at("dangling"), 66, "no such file or directory"],
  [at("file.arrow/inside"), 66, "no such file or directory"],
  [at("circle"), 74, "ELOOP, too many symbolic links"],
])("%s is no input: refused at once, by every command", (input, exit, says) => {
  const output = at("none.arrow");
  for (const line of [
    ["run", input, "-o", output],
    ["run", input, "-o", "-"],
    ["inspect", input],
    ["verify", jacobian, "--input", input],
    ["verify", input, "--input", file],
  ]) {
    const [code, said] = softjac(...line);
    expect(said).toContain(`${input}`);
    expect(said).toContain(says);
    expect(said.split("\n")).toHaveLength(1);
    expect(code).toBe(exit);
  }
  expect(readdirSync(at("."))).not.toContain("none.arrow");
});

test("a folder is no standard input", () => {
  const stdin = openSync(at("folder"), "r");
  for (const args of [
    ["run", "-", "-o", at("none.arrow")],
    ["inspect", "-"],
  ]) {
    const found = spawnSync(process.execPath, [CLI, ...args], {
      stdio: [stdin, "pipe", "pipe"],
      encoding: "utf8",
    });
    expect(found.stderr).toBe(
      "softjac: standard input: input: expected a file or a pipe, found a directory; redirect a file to it: softjac run - -o OUTPUT < FILE\n",
    );
    expect(found.status).toBe(65);
  }
  closeSync(stdin);
});

test("a folder is the input of a dataset, and of nothing else", () => {
  const input = at("folder");
  const output = at("none.arrow");
  expect(softjac("run", input, "-o", output)).toEqual([
    66,
    `softjac: ${input} contains no input files (names that start with . or _ are ignored, and so are text, logs and pictures)`,
  ]);
  expect(softjac("run", input, "-o", "-")).toEqual([
    64,
    "softjac: --output: expected a directory for the dataset, found standard output",
  ]);
  for (const args of [
    ["inspect", input],
    ["verify", jacobian, "--input", input],
    ["verify", input, "--input", file],
  ]) {
    const [code, said] = softjac(...args);
    expect(said).toContain("input: expected a file, found a directory");
    expect(code).toBe(65);
  }
  expect(readdirSync(at("."))).not.toContain("none.arrow");
});

test("an input is read through links, and stays as it was", async () => {
  symlinkSync(file, at("link.arrow"));
  const before = readFileSync(file);
  const output = at("linked out.arrow");
  await built.run({ input: at("link.arrow"), output });
  const softmax = (path: string) =>
    tableFromIPC(readFileSync(path)).getChild("softmax").toArray();
  expect(softmax(output)).toEqual(softmax(jacobian));
  expect(readFileSync(file)).toEqual(before);
});

test("an output that is the input, by whatever name, or lies in it, is refused", () => {
  linkSync(file, at("hard link"));
  mkdirSync(at("a"));
  for (const output of [
    file,
    at("hard link"),
    at("a/../file.arrow"),
    at("./file.arrow"),
  ])
    expect(softjac("run", file, "-o", output, "--force")).toEqual([
      64,
      `softjac: --output: ${output} is the same file as the input ${file}; choose another path`,
    ]);
  unlinkSync(at("hard link"));
  symlinkSync(file, at("symbolic link"));
  const [code, said] = softjac(
    ...["run", file, "-o", at("symbolic link"), "--force"],
  );
  expect(said).toContain("is a symbolic link; choose another path");
  expect(code).toBe(73);
  const [inside, why] = softjac("run", file, "-o", `${file}/out`);
  expect(why).toBe(
    `softjac: --output: ${file}/out is inside the input ${file}; choose a path outside`,
  );
  expect(inside).toBe(64);
  expect(readFileSync(file)).toEqual(Buffer.from(logits()));
});

test.each(NAMES)("a column named %j names no path", async (name) => {
  const folder = at(`names ${NAMES.indexOf(name)}`);
  mkdirSync(folder);
  const input = `${folder}/in.arrow`;
  const above = readdirSync(at("."));
  const column = name || "logits";
  const label = name || "label";
  writeFileSync(input, logits(column, column === label ? [] : [label]));
  await built.run({ input, output: `${folder}/out.arrow`, column });
  expect(readdirSync(folder).sort()).toEqual(["in.arrow", "out.arrow"]);
  expect(readdirSync(at("."))).toEqual(above);
});
