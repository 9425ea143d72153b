import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { arrowOf, type Columns } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const rows = [0, 1, 2].map((row) => [row, row / 2, 1]);
const file = at("file.arrow");
const none = at("none.arrow");
const logits: Columns[string] = [rows, "fixed_size_list<float64>[3]"];
fs.writeFileSync(file, arrowOf({ logits }));
const jacobian = at("jacobian.arrow");
await built.run({ input: file, output: jacobian });
const folder = at("folder");
fs.mkdirSync(folder);
execFileSync("mkfifo", [at("pipe")]);
fs.symlinkSync(at("pipe"), at("link to pipe"));
fs.symlinkSync(at("nowhere"), at("dangling"));
fs.symlinkSync(at("circle"), at("circle"));

/** Expects commands on an input to be refused in one line, without an output. */
function expectRefused(
  commands: string[][],
  status: number,
  ...texts: string[]
): void {
  for (const args of commands) {
    const found = softjac(...args);
    for (const text of texts) expect(found.stderr).toContain(text);
    expect(found.stderr).toMatch(/^.*\n$/);
    expect(found.status).toBe(status);
  }
  expect(fs.readdirSync(at("."))).not.toContain("none.arrow");
}

const inspections = (input: string) => [
  ["inspect", input],
  ["verify", jacobian, "--input", input],
  ["verify", input, "--input", file],
];
const DEVICE =
  "input: pipes and devices are not supported; use - to read standard input";
const MISSING = "no such file or directory";

test.each([
  [at("pipe"), 65, DEVICE],
  [at("link to pipe"), 65, DEVICE],
  ["/dev/zero", 65, DEVICE],
  ["/dev/null", 65, DEVICE],
  [at("nowhere"), 66, MISSING],
  [
    at("caf\ufffd.arrow"),
    66,
    `${MISSING}; file names must be UTF-8: rename the file`,
  ],
  [at("dangling"), 66, MISSING],
  [at("file.arrow/inside"), 66, MISSING],
  [at("circle"), 74, "ELOOP, too many symbolic links"],
])("every command refuses the input %s", async (input, exitCode, text) => {
  for (const work of [
    () => built.run({ input, output: none }),
    () => built.inspect({ input }),
    () => built.verify({ output: jacobian, input }),
    () => built.verify({ output: input, input: file }),
  ]) {
    const error = await work().catch((error) => error);
    expect(error.message).toContain(text);
    expect(error.message).toContain(input);
    expect(error.message).toMatch(/^.+$/);
    expect(error).toMatchObject({ exitCode });
  }
  expectRefused([["run", input, "-o", none]], exitCode, input, text);
});

test("a directory is the input of a dataset only", () => {
  expectRefused(
    [["run", folder, "-o", none]],
    66,
    `softjac: ${folder} contains no input files (names that start with . or _ are ignored, and so are text, logs and pictures)\n`,
  );
  expectRefused(
    inspections(folder),
    65,
    "input: expected a file, found a directory; give the path of one of its files\n",
  );
  for (const args of [
    ["run", "-", "-o", none],
    ["inspect", "-"],
  ])
    expect(
      spawnSync(process.execPath, [CLI, ...args], {
        ...{
          stdio: [fs.openSync(folder, "r"), "pipe", "pipe"],
          encoding: "utf8",
        },
      }),
    ).toMatchObject({
      status: 65,
      stderr:
        "softjac: standard input: input: expected a file or a pipe, found a directory; redirect a file to it: softjac run - -o OUTPUT < FILE\n",
    });
});

test.each(["../outside", "/etc/softjac", "a/b", "..", "\0"])(
  "a column named %j is no path",
  async (column) => {
    const directory = at("columns");
    fs.mkdirSync(directory, { recursive: true });
    const above = fs.readdirSync(at("."));
    const [input, output] = [`${directory}/in`, `${directory}/out`];
    const texts: Columns[string] = [["../x", "/y", ".."], "utf8"];
    fs.writeFileSync(input, arrowOf({ [column]: logits, label: texts }));
    await built.run({ input, output, column, keep: ["label"], force: true });
    fs.writeFileSync(input, arrowOf({ logits, [column]: texts }));
    await built.run({ input, output, keep: [column], force: true });
    expect(fs.readdirSync(directory).sort()).toEqual(["in", "out"]);
    expect(fs.readdirSync(at("."))).toEqual(above);
  },
);
