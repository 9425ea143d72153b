import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compareNames } from "../../src/dataset/input-names.js";
import { listFiles } from "../../src/dataset/list-files.js";
import { DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { isLinux } from "../support/machine.js";

// Nothing in a folder of inputs is passed over in silence, whatever its name.

const at = workDirectory();
const npy = fileURLToPath(
  new URL("../input/arrays/written/f4.npy", import.meta.url),
);
const folder = at("logits");
mkdirSync(folder);
copyFileSync(npy, join(folder, "a.npy"));
// Named so, and no sign of a name that cannot be read.
copyFileSync(npy, join(folder, "b\ufffd.npy"));

const ERROR =
  "caf\\xe9.npy: file name: not valid UTF-8 (other bytes are shown as \\x..); rename the file";

/** Linux alone lets names be any bytes. */
const anyBytes = test.skipIf(!isLinux);

function writeUndecodable(name: Buffer): Buffer {
  const path = Buffer.concat([Buffer.from(`${folder}/`), name]);
  writeFileSync(path, "");
  return path;
}

anyBytes("a name that is not UTF-8 is an error of that input", () => {
  const path = writeUndecodable(Buffer.from("caf\xe9.npy", "latin1"));
  for (const input of [folder, join(folder, "*.npy")]) {
    const one = softjac("run", input, "-o", at("refused"));
    // After the line that names the logits of the first input.
    expect(one.stderr.split("\n").slice(1)).toEqual([
      `softjac: ${folder}/${ERROR}`,
      "",
    ]);
    expect(one.status).toBe(65);
    const args = ["run", input, "-o", at("others"), "--json"];
    const others = softjac(...args, "--keep-going", "--allow-missing");
    expect(others.status, others.stderr).toBe(0);
    expect(JSON.parse(others.stdout)).toMatchObject({
      inputs: 2,
      skippedInputs: [{ name: "caf\\xe9.npy", error: ERROR }],
    });
    rmSync(at("others"), { recursive: true });
  }
  // A pattern names those that it matches.
  const sound = softjac("run", join(folder, "a*.npy"), npy, "-o", at("sound"));
  expect(sound.status, sound.stderr).toBe(0);
  rmSync(path);
});

anyBytes("hidden names are left, and folders with such names are not", () => {
  const hidden = writeUndecodable(Buffer.from("_caf\xe9.npy", "latin1"));
  const output = at("hidden");
  expect(softjac("run", folder, "-o", output).status).toBe(0);
  rmSync(hidden);
  const name = Buffer.from("sub\xff", "latin1");
  const sub = Buffer.concat([Buffer.from(`${folder}/`), name]);
  mkdirSync(sub);
  const { status, stderr } = softjac("run", folder, "-o", at("sub"));
  expect(stderr).toContain(`${folder}/sub\\xff: file name: not valid UTF-8`);
  expect(status).toBe(65);
  rmSync(sub, { recursive: true });
});

test("a link to nothing in a folder is an input that is missing", () => {
  const link = join(folder, "c.npy");
  symlinkSync(join(folder, "gone.npy"), link);
  const { status, stderr } = softjac("run", folder, "-o", at("linked"));
  expect(stderr).toBe(`softjac: ${link}: no such file or directory\n`);
  expect(status).toBe(66);
  rmSync(link);
  expect(readdirSync(folder)).toEqual(["a.npy", "b\ufffd.npy"]);
});

test("a pipe or a socket is an error of that input", async () => {
  execFileSync("mkfifo", [join(folder, "pipe.npy")]);
  // The path of a socket is 107 bytes at most, and is relative here.
  const server = createServer();
  const cwd = process.cwd();
  process.chdir(folder);
  await once(server.listen("socket.npy"), "listening");
  process.chdir(cwd);
  const pipe =
    "pipe.npy: input: pipes and devices are not supported; use - to read standard input";
  const socket = "socket.npy: input: sockets are not supported";
  for (const input of [folder, join(folder, "*.npy")]) {
    const one = softjac("run", input, "-o", at("special"));
    expect(one.stderr).toContain(`softjac: ${folder}/${pipe}\n`);
    expect(one.status).toBe(65);
    const args = ["run", input, "-o", at("regular"), "--json"];
    const others = softjac(...args, "--keep-going", "--allow-missing");
    expect(others.status, others.stderr).toBe(0);
    expect(JSON.parse(others.stdout)).toMatchObject({
      inputs: 2,
      skippedInputs: [
        { name: "pipe.npy", error: pipe },
        { name: "socket.npy", error: socket },
      ],
    });
    rmSync(at("regular"), { recursive: true });
  }
  server.close();
  rmSync(join(folder, "pipe.npy"));
  rmSync(join(folder, "socket.npy"), { force: true });
});

test("a linked folder that is one of its own ancestors is not followed", () => {
  // in/a.npy; links to the folder itself, to its parent, to one that links back, and to one that is below such a one.
  for (const name of ["tree/in/deep", "tree/back", "tree/above/below"])
    mkdirSync(at(name), { recursive: true });
  copyFileSync(npy, at("tree/in/a.npy"));
  copyFileSync(npy, at("tree/above/below/b.npy"));
  symlinkSync(".", at("tree/in/loop"));
  symlinkSync("../..", at("tree/in/deep/up"));
  symlinkSync("../back", at("tree/in/back"));
  symlinkSync("../in", at("tree/back/in"));
  symlinkSync("../above/below", at("tree/in/below"));
  symlinkSync("..", at("tree/above/below/up"));
  symlinkSync("in", at("tree/start"));
  for (const [start, pattern] of [
    ["tree/in", ""],
    ["tree/in", "**/*.npy"],
    ["tree/start", ""],
    ["tree/in/loop", ""],
  ] as const) {
    const path = join(at(start), pattern);
    const args = ["run", path, "-o", at("loops"), "--dry-run", "--json"];
    const { status, stdout, stderr } = softjac(...args);
    expect(status, stderr).toBe(0);
    expect([path, JSON.parse(stdout).inputs]).toEqual([path, 2]);
  }
  // The same folder by two names that are no ancestors: both are inputs.
  symlinkSync("../above/below", at("tree/in/again"));
  const args = ["run", at("tree/in"), "-o", at("loops"), "--dry-run", "--json"];
  expect(JSON.parse(softjac(...args).stdout)).toMatchObject({ inputs: 3 });
});

test("what lies beside the folder of a pattern may be unreadable", () => {
  symlinkSync(at("circle"), at("circle"));
  const found = softjac("run", join(folder, "*.npy"), "-o", at("beside"));
  expect(found.status, found.stderr).toBe(0);
  // In the folder itself, it is an error.
  symlinkSync(join(folder, "circle.npy"), join(folder, "circle.npy"));
  const refused = softjac("run", join(folder, "*.npy"), "-o", at("within"));
  expect(refused.stderr).toContain(
    `${folder}/circle.npy: could not be examined: ELOOP`,
  );
  expect(refused.status).toBe(74);
  rmSync(join(folder, "circle.npy"));
});

test("files that stand beside data are counted, not read, unless they are named", () => {
  const mixed = at("mixed");
  mkdirSync(join(mixed, "sub"), { recursive: true });
  for (const name of ["a.npy", "sub/b.npy"])
    copyFileSync(npy, join(mixed, name));
  for (const name of ["data.json", "sub/README.md", "a.npy.sha256", "_SUCCESS"])
    writeFileSync(join(mixed, name), "{}");
  const beside =
    "4 files are ignored because of the name: _SUCCESS, a.npy.sha256, data.json, README.md; give the path of such a file to read it\n";
  const { status, stderr } = softjac("run", mixed, "-o", at("mixed-out"));
  expect(stderr).toContain(`softjac: ${beside}`);
  expect(stderr).toMatch(/inputs +2, /);
  expect(status).toBe(0);
  for (const input of [join(mixed, "data.json"), join(mixed, "*.json")]) {
    const named = softjac("run", mixed, input, "-o", at("named-out"));
    expect(named.stderr).toContain("data.json: first bytes: expected an Arrow");
    expect(named.stderr).not.toContain("data.json,");
    expect(named.status).toBe(65);
  }
});

test.each([
  [
    ["batch_10.npy", "batch_9.npy", "batch_1.npy", "batch_02.npy"],
    ["batch_1.npy", "batch_02.npy", "batch_9.npy", "batch_10.npy"],
  ],
  // Equal numbers, and what is no number, by code unit.
  [
    ["a1", "a01", "B", "a", "a1b", "é", "10/a", "9/b", "9/a10", "9/a9"],
    ["9/a9", "9/a10", "9/b", "10/a", "B", "a", "a01", "a1", "a1b", "é"],
  ],
  [
    ["99999999999999999999", "99999999999999999998", "100000000000000000000"],
    ["99999999999999999998", "99999999999999999999", "100000000000000000000"],
  ],
])("%j are in natural order", (names, sorted) => {
  expect([...names].sort(compareNames)).toEqual(sorted);
  expect([...names].reverse().sort(compareNames)).toEqual(sorted);
});

test.each([
  ["*.npy", ["a.npy"]],
  ["**/*.npy", ["[q]/a.npy", "a.npy", "x/a.npy", "x/y/b.npy", "x1/a.npy"]],
  ["x*/a.npy", ["x/a.npy", "x1/a.npy"]],
  ["{x/y,x1}/*.npy", ["x/y/b.npy", "x1/a.npy"]],
  ["./x/**", ["x/a.npy", "x/y/b.npy"]],
  ["x/**/y/*.npy", ["x/y/b.npy"]],
  ["x/../x[12]/!(b).npy", ["x1/a.npy"]],
  ["\\[q\\]/?.npy", ["[q]/a.npy"]],
  [".h/*.npy", []],
  ["!x/*.npy", []],
])("the files of the pattern %s", async (pattern, expected) => {
  const found = at("patterns");
  for (const name of ["a", "x/a", "x/y/b", "x1/a", "[q]/a", ".h/a", "x/_a"]) {
    mkdirSync(join(found, name, ".."), { recursive: true });
    writeFileSync(join(found, `${name}.npy`), "");
  }
  const { files } = await listFiles(`${found}/${pattern}`, "pattern");
  expect(files.map((file) => relative(found, file)).sort()).toEqual(expected);
});

test("compressed inputs are planned for an output whose directory does not exist yet", async () => {
  const input = `${at("compressed")}.arrow`;
  await built.run({
    input: DIGITS,
    output: input,
    emit: ["log_softmax"],
    compress: "lz4",
    force: true,
  });
  const output = at("not/there/yet/out");
  const report = await built.runDataset({
    inputs: [input],
    output,
    column: "log_softmax",
    emit: ["softmax"],
  });
  expect(report.shardsComputed).toBe(1);
});
