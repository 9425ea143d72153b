import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// A name must not promise another format than the file has.

const at = workDirectory();
const input = at("in.arrow");
writeLogits(input, { rows: 3, classes: 2, logit: (r, k) => r * k });

describe("run", () => {
  test.each([
    "parquet",
    "csv",
    "json",
    "npy",
    "npz",
    "safetensors",
    "CSV",
    "gz",
    "html",
  ])("refuses a name that ends in .%s", async (extension) => {
    const output = at(`refused.${extension}`);
    for (const call of [built.run, built.dryRun])
      await expect(call({ input, output })).rejects.toMatchObject({
        code: "ERR_USAGE",
        message: `${output}: softjac writes Arrow files; use a name that ends in .arrow`,
      });
    expect(existsSync(output)).toBe(false);
  });

  test.each([
    "a.arrow",
    "a.arrows",
    "a.feather",
    "a.ipc",
    "a",
    "a.ARROW",
    "run-2.5",
  ])("accepts the name %s", async (name) => {
    await built.run({ input, output: at(name) });
    expect(existsSync(at(name))).toBe(true);
  });
});

test("generate and report refuse names of other formats", async () => {
  await expect(
    built.generate({ output: at("g.csv"), rows: 3, classes: 2 }),
  ).rejects.toMatchObject({ code: "ERR_USAGE" });
  await built.run({ input, output: at("results.arrow") });
  await expect(
    built.report({ results: at("results.arrow"), output: at("page.arrow") }),
  ).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: `${at("page.arrow")}: softjac report writes HTML pages; use a name that ends in .html`,
  });
  expect(existsSync(at("page.arrow"))).toBe(false);
});
