import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { softjac } from "../cli/support.js";
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
  "caf\\xe9.npy: file name: expected UTF-8, found other bytes (shown as \\x..): rename the file";

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
      leftOut: [{ name: "caf\\xe9.npy", error: ERROR }],
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
  expect(stderr).toContain(`${folder}/sub\\xff: file name: expected UTF-8`);
  expect(status).toBe(65);
  rmSync(sub, { recursive: true });
});

test("a link to nothing in a folder is an input that is missing", () => {
  const link = join(folder, "c.npy");
  symlinkSync(join(folder, "gone.npy"), link);
  const { status, stderr } = softjac("run", folder, "-o", at("linked"));
  expect(stderr).toBe(
    `softjac: expected an input file at ${link}, found nothing there\n`,
  );
  expect(status).toBe(66);
  rmSync(link);
  expect(readdirSync(folder)).toEqual(["a.npy", "b\ufffd.npy"]);
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
