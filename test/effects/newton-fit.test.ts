import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { distFile } from "../support/dist.js";
import { workDirectory } from "../support/logits-input.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("the example of a Newton fit ends with statsmodels' coefficients", () => {
  distFile("index.js");
  const printed = execFileSync(
    process.execPath,
    [
      join(root, "examples/newton-fit.mjs"),
      join(root, "data/anes96.parquet"),
      ...["logpopul,selfLR,age,educ,income", "label", "7"],
    ],
    { cwd: dirname(workDirectory()("x")), encoding: "utf8" },
  );
  const lines = printed.trim().split("\n");
  const fitted: number[] = JSON.parse(lines.pop() as string);
  expect(lines.at(-1)).toMatch(/log-likelihood -1461\.922747248/);
  // 6 features × 6 classes, row-major, after the header of 128 bytes; the fit is class-major.
  const file = readFileSync(join(root, "data/anes96-coefficients.npy"));
  const expected = new Float64Array(new Uint8Array(file).buffer, 128, 36);
  expect(fitted).toHaveLength(36);
  for (const [n, value] of fitted.entries()) {
    const other = expected[(n % 6) * 6 + Math.floor(n / 6)] as number;
    expect(Math.abs(value - other)).toBeLessThan(1e-10 * Math.abs(other));
  }
});
