import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";

// Replacing a dataset deletes its directory, so no input may be in it, whatever its path.

const at = workDirectory();
const output = at("jacobian");
copyFileSync(DIGITS, at("in.arrow"));
await built.runDataset({ inputs: [DIGITS], output });
for (const name of ["jacobian/logits", "folder", "other"]) mkdirSync(at(name));
copyFileSync(DIGITS, at("jacobian/logits/in.arrow"));
symlinkSync(at("jacobian/logits/in.arrow"), at("link.arrow"));
symlinkSync("jacobian", at("linked"));
symlinkSync("../jacobian/logits", at("folder/sub"));
const before = filesOf(output);

const IN = "jacobian/logits/in.arrow";
const PART = "jacobian/part-00000-of-00001.arrow";

test.each<[inputs: string, named: string]>([
  ["link.arrow", "link.arrow"],
  ["link* in.arrow", "link.arrow"],
  ["linked/logits/in.arrow", "linked/logits/in.arrow"],
  ["linked/logits", "linked/logits/in.arrow"],
  ["folder", "folder/sub/in.arrow"],
  ["f*/**/*.arrow", "folder/sub/in.arrow"],
  ["jacobian/logits", IN],
  [IN, IN],
  [`${PART} in.arrow`, PART],
  ["jacobian/*.arrow", PART],
])("%s", (inputs, named) => {
  const real = [IN, PART].includes(named) ? "" : ` (${at(IN)})`;
  const paths = inputs.split(" ").map(at);
  const options = ["-o", output, "--overwrite", "--temperature", "2"];
  for (const command of ["run", "plan"])
    expect(softjac(command, ...paths, ...options)).toMatchObject({
      status: 64,
      stderr: `softjac: ${at(named)}${real} is inside --output ${output}; choose another output\n`,
    });
  expect(filesOf(output)).toEqual(before);
});

test("a pattern does not match the shards of the earlier dataset", async () => {
  const inputs = [at("{*.npy,other/**/*.arrow}")];
  const options = { inputs, output: at("other/jacobian") };
  copyFileSync(DIGITS, at("other/in.arrow"));
  expect((await built.runDataset(options)).status).toBe("done");
  const again = { status: "up to date", inputs: 1 };
  expect(await built.runDataset(options)).toMatchObject(again);
});
