import { execFileSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createServer } from "node:net";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compareNames } from "../../src/dataset/find-inputs.js";
import { filesOf as inputsOf } from "../../src/dataset/list-inputs.js";
import { DIGITS, softjac, typed } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { isLinux } from "../support/machine.js";
import { expectStatus, workOutputs } from "./support.js";

// No file in a directory of inputs is ignored silently, whatever its name.

const { at, newOutput } = workOutputs();
const npy = fileURLToPath(
  new URL("../input/arrays/written/f4.npy", import.meta.url),
);
const copy = (name: string) => {
  fs.mkdirSync(dirname(at(name)), { recursive: true });
  fs.copyFileSync(npy, at(name));
};
const folder = at("logits");
copy("logits/a.npy");
// This name contains U+FFFD, and is valid.
copy("logits/b\ufffd.npy");

/** Returns the path of a file whose name is not UTF-8. */
const undecodable = (name: string) =>
  Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, "latin1")]);

/** Expects errors of inputs: the first without --keep-going, and all as skipped inputs with it. */
function expectSkipped(errors: [name: string, error: string][]): void {
  for (const input of [folder, join(folder, "*.npy")]) {
    const { stderr } = expectStatus(typed`run ${input} -o ${newOutput()}`, 65);
    // The first line names the logits of the first input.
    const line = `softjac: ${folder}/${errors[0]?.[1]}`;
    expect(stderr.split("\n").slice(1)).toEqual([line, ""]);
    const others = typed`run ${input} -o ${newOutput()} --json --keep-going --allow-missing`;
    expect(JSON.parse(expectStatus(others, 0).stdout)).toMatchObject({
      inputs: 2,
      skippedInputs: errors.map(([name, error]) => ({ name, error })),
    });
  }
}

// Only Linux allows names of any bytes.
test.skipIf(!isLinux)(
  "a name that is not UTF-8 is an error of that input",
  () => {
    const path = undecodable("caf\xe9.npy");
    fs.writeFileSync(path, "");
    const invalid =
      "file name: not valid UTF-8 (other bytes are shown as \\x..); rename the file";
    expectSkipped([["caf\\xe9.npy", `caf\\xe9.npy: ${invalid}`]]);
    // A pattern names only the files that it matches.
    expectStatus(typed`run ${folder}/a*.npy ${npy} -o ${newOutput()}`, 0);
    fs.rmSync(path);
    const hidden = undecodable("_caf\xe9.npy");
    fs.writeFileSync(hidden, "");
    expectStatus(typed`run ${folder} -o ${newOutput()}`, 0);
    fs.rmSync(hidden);
    const sub = undecodable("sub\xff");
    fs.mkdirSync(sub);
    const { stderr } = expectStatus(typed`run ${folder} -o ${newOutput()}`, 65);
    expect(stderr).toContain(`${folder}/sub\\xff: ${invalid}`);
    fs.rmSync(sub, { recursive: true });
  },
);

test("a pipe or a socket is an error of that input", async () => {
  execFileSync("mkfifo", [join(folder, "pipe.npy")]);
  // The path of a socket has at most 107 bytes, so it is relative here.
  const server = createServer();
  const cwd = process.cwd();
  process.chdir(folder);
  await once(server.listen("socket.npy"), "listening");
  process.chdir(cwd);
  expectSkipped([
    [
      "pipe.npy",
      "pipe.npy: input: pipes and devices are not supported; use - to read standard input",
    ],
    ["socket.npy", "socket.npy: input: sockets are not supported"],
  ]);
  server.close();
  for (const name of ["pipe.npy", "socket.npy"])
    fs.rmSync(join(folder, name), { force: true });
});

test("a dangling or circular link is an error in its directory, not beside a pattern", () => {
  const link = join(folder, "c.npy");
  fs.symlinkSync(join(folder, "gone.npy"), link);
  const dangling = expectStatus(typed`run ${folder} -o ${newOutput()}`, 66);
  expect(dangling.stderr).toBe(`softjac: ${link}: no such file or directory\n`);
  fs.rmSync(link);
  fs.symlinkSync(at("circle"), at("circle"));
  expectStatus(typed`run ${folder}/*.npy -o ${newOutput()}`, 0);
  fs.symlinkSync(link, link);
  const circle = expectStatus(typed`run ${folder}/*.npy -o ${newOutput()}`, 74);
  expect(circle.stderr).toContain(`${link}: could not be examined: ELOOP`);
  for (const path of [link, at("circle")]) fs.rmSync(path);
});

test("a link to an ancestor of itself is not followed", () => {
  const inputsOf = (path: string) => {
    const dry = typed`run ${path} -o ${newOutput()} --dry-run --json`;
    return JSON.parse(expectStatus(dry, 0).stdout).inputs;
  };
  copy("tree/in/a.npy");
  copy("tree/above/below/b.npy");
  for (const name of ["tree/in/deep", "tree/back"]) fs.mkdirSync(at(name));
  for (const [target, link] of [
    [".", "in/loop"],
    ["../..", "in/deep/up"],
    // Leads to a directory that links back.
    ["../back", "in/back"],
    ["../in", "back/in"],
    // Leads to a directory below one that it links to.
    ["../above/below", "in/below"],
    ["..", "above/below/up"],
    ["in", "start"],
  ] as const)
    fs.symlinkSync(target, at(`tree/${link}`));
  for (const path of ["in", "in/**/*.npy", "start", "in/loop"])
    expect([path, inputsOf(at(`tree/${path}`))]).toEqual([path, 2]);
  // A directory with two names that are not ancestors is read twice.
  fs.symlinkSync("../above/below", at("tree/in/again"));
  expect(inputsOf(at("tree/in"))).toBe(3);
});

test("files beside data are counted, not read, unless they are named", () => {
  for (const name of ["a", "sub/b", "_metadata", ".hidden/c"])
    copy(`mixed/${name}.npy`);
  for (const name of ["data.json", "sub/README.md", "a.npy.sha256", "_SUCCESS"])
    fs.writeFileSync(at(`mixed/${name}`), "{}");
  const mixed = at("mixed");
  const { stderr } = expectStatus(typed`run ${mixed} -o ${newOutput()}`, 0);
  expect(stderr).toContain(
    "softjac: 5 files are ignored because of the name: _SUCCESS, _metadata.npy, a.npy.sha256, data.json, README.md; give the path of such a file to read it\n",
  );
  expect(stderr).toMatch(/inputs +2, /);
  const hidden = typed`run ${mixed} ${mixed}/_metadata.npy -o ${newOutput()}`;
  expect(expectStatus(hidden, 0).stderr).toMatch(/4 files are.*inputs +3, /s);
  for (const name of ["data.json", "*.json"]) {
    const named = typed`run ${mixed} ${mixed}/${name} -o ${newOutput()}`;
    const { stderr } = expectStatus(named, 65);
    expect(stderr).toContain("data.json: first bytes: expected an Arrow");
    expect(stderr).not.toContain("data.json,");
  }
});

test.each([
  ["batch_1 batch_02 batch_9 batch_10"],
  // Equal numbers, and text, by code unit.
  ["9/a9 9/a10 9/b 10/a B a a01 a1 a1b é"],
  ["99999999999999999998 99999999999999999999 100000000000000000000"],
])("natural order: %s", (text) => {
  const sorted = text.split(" ");
  expect([...sorted].sort().sort(compareNames)).toEqual(sorted);
  expect([...sorted].reverse().sort(compareNames)).toEqual(sorted);
});

test.each([
  ["*.npy", "a.npy"],
  ["**/*.npy", "[q]/a.npy a.npy x/a.npy x/y/b.npy x1/a.npy"],
  ["x*/a.npy", "x/a.npy x1/a.npy"],
  ["{x/y,x1}/*.npy", "x/y/b.npy x1/a.npy"],
  ["./x/**", "x/a.npy x/y/b.npy"],
  ["x/**/y/*.npy", "x/y/b.npy"],
  ["x/../x[12]/!(b).npy", "x1/a.npy"],
  ["\\[q\\]/?.npy", "[q]/a.npy"],
  [".h/*.npy", ""],
  ["!x/*.npy", ""],
])("the files of the pattern %s", async (pattern, expected) => {
  const found = at("patterns");
  for (const name of ["a", "x/a", "x/y/b", "x1/a", "[q]/a", ".h/a", "x/_a"])
    copy(`patterns/${name}.npy`);
  const { files } = await inputsOf(`${found}/${pattern}`);
  const names = files.map((file) => relative(found, file));
  expect(names.sort().join(" ")).toBe(expected);
});

test("compressed inputs are planned for an output in a directory that does not exist yet", async () => {
  const input = at("compressed.arrow");
  const emit = ["log_softmax" as const];
  const one = { input: DIGITS, output: input, emit, compress: "lz4" as const };
  await built.run(one);
  const output = at("not/there/yet/out");
  const options = { inputs: [input], output, column: "log_softmax" };
  expect((await built.runDataset(options)).shardsComputed).toBe(1);
});

// Replacing a dataset deletes its directory, so no input may be in it, whatever its path.

const jacobian = at("jacobian");
fs.copyFileSync(DIGITS, at("in.arrow"));
await built.runDataset({ inputs: [DIGITS], output: jacobian });
for (const name of ["jacobian/logits", "folder", "other"])
  fs.mkdirSync(at(name));
fs.copyFileSync(DIGITS, at("jacobian/logits/in.arrow"));
fs.symlinkSync(at("jacobian/logits/in.arrow"), at("link.arrow"));
fs.symlinkSync("jacobian", at("linked"));
fs.symlinkSync("../jacobian/logits", at("folder/sub"));
const before = filesOf(jacobian);

const IN = "jacobian/logits/in.arrow";
const PART = "jacobian/part-00000-of-00001.arrow";

test.each<[inputs: string, named: string]>([
  ["link.arrow", "link.arrow"],
  ["in.arrow link*", "link.arrow"],
  ["{in,link}.arrow", "link.arrow"],
  ["linked/logits/in.arrow", "linked/logits/in.arrow"],
  ["linked/logits", "linked/logits/in.arrow"],
  ["folder", "folder/sub/in.arrow"],
  ["f*/**/*.arrow", "folder/sub/in.arrow"],
  ["jacobian/logits", IN],
  [IN, IN],
  [`${PART} in.arrow`, PART],
  ["jacobian/*.arrow", PART],
])("inside the output: %s", (inputs, named) => {
  const real = [IN, PART].includes(named) ? "" : ` (${at(IN)})`;
  const paths = inputs.split(" ").map(at);
  const options = ["-o", jacobian, "--overwrite", "--temperature", "2"];
  for (const command of ["run", "plan"])
    expect(softjac(command, ...paths, ...options)).toMatchObject({
      status: 64,
      stderr: `softjac: ${at(named)}${real} is inside --output ${jacobian}; choose another output\n`,
    });
  expect(filesOf(jacobian)).toEqual(before);
});

test("a pattern does not match the shards of the earlier dataset", async () => {
  const inputs = [at("{*.npy,other/**/*.arrow}")];
  const options = { inputs, output: at("other/jacobian") };
  fs.copyFileSync(DIGITS, at("other/in.arrow"));
  expect((await built.runDataset(options)).status).toBe("done");
  const again = { status: "up to date", inputs: 1 };
  expect(await built.runDataset(options)).toMatchObject(again);
});
