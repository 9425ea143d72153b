import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory } from "../support/logits-input.js";

// Replacing a dataset deletes its folder: no input may be in it, whatever path leads there.

const at = workDirectory();
const output = at("jacobian");
copyFileSync(DIGITS, at("in.arrow"));
await built.runDataset({ inputs: [DIGITS], output });
mkdirSync(at("jacobian/logits"));
copyFileSync(DIGITS, at("jacobian/logits/in.arrow"));
symlinkSync(at("jacobian/logits/in.arrow"), at("link.arrow"));
symlinkSync("jacobian", at("linked"));
mkdirSync(at("folder"));
symlinkSync("../jacobian/logits", at("folder/sub"));
const before = filesOf(output);

const IN_LOGITS = `(${output}/logits/in.arrow)`;
const PART = "jacobian/part-00000-of-00001.arrow";

test.each<[inputs: string[], named: string]>([
  [["link.arrow"], `${at("link.arrow")} ${IN_LOGITS}`],
  [["link*", "in.arrow"], `${at("link.arrow")} ${IN_LOGITS}`],
  [["linked/logits/in.arrow"], `${at("linked/logits/in.arrow")} ${IN_LOGITS}`],
  [["linked/logits"], `${at("linked/logits/in.arrow")} ${IN_LOGITS}`],
  [["folder"], `${at("folder/sub/in.arrow")} ${IN_LOGITS}`],
  [["f*/**/*.arrow"], `${at("folder/sub/in.arrow")} ${IN_LOGITS}`],
  [["jacobian/logits"], `${output}/logits/in.arrow`],
  [["jacobian/logits/in.arrow"], `${output}/logits/in.arrow`],
  [[PART, "in.arrow"], at(PART)],
  [["jacobian/*.arrow"], at(PART)],
])("%j", (inputs, named) => {
  for (const command of ["run", "plan"])
    expect(
      softjac(
        ...[command, ...inputs.map((input) => at(input))],
        ...["-o", output, "--overwrite", "--temperature", "2"],
      ),
    ).toMatchObject({
      status: 64,
      stderr: `softjac: ${named} is inside --output ${output}; choose another output\n`,
    });
  expect(filesOf(output)).toEqual(before);
});

test("a pattern leaves out the parts of the dataset that is there", async () => {
  const options = {
    inputs: [at("{*.npy,other/**/*.arrow}")],
    output: at("other/jacobian"),
  };
  mkdirSync(at("other"));
  copyFileSync(DIGITS, at("other/in.arrow"));
  expect(await built.runDataset(options)).toMatchObject({ status: "done" });
  expect(await built.runDataset(options)).toMatchObject({
    status: "up to date",
    inputs: 1,
  });
});
