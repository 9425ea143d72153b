import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { built } from "../../support/built.js";
import { inputRuns, type Options } from "../../support/input-runs.js";
import { importable, runPython } from "./python.js";

// Copied columns of random nested types, made and compared by pyarrow (nested.py).

const { at, refused } = inputRuns();
const directory = at(".");
const script = fileURLToPath(new URL("nested.py", import.meta.url));

function python(...args: string[]): string {
  const { status, stdout, stderr } = runPython(script, ...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

const VARIANTS: Options[] = [
  { emit: ["softmax"] },
  { layout: "csr" },
  { compress: "lz4" },
  { chunkRows: 16, threads: 2 },
];

describe.skipIf(!importable("pyarrow"))("files of pyarrow", () => {
  test.each([
    [["make", "1"], "24 outputs\n"],
    [["parquet"], "2 outputs\n"],
  ])(
    "%j: columns of several batches, slices and dictionaries",
    async (made, compared) => {
      const [kind = "", ...seed] = made;
      python(kind, directory, ...seed);
      const cases = JSON.parse(readFileSync(at("cases.json"), "utf8"));
      for (const [n, { input, output }] of cases.entries()) {
        const variant = VARIANTS[n % VARIANTS.length];
        const options: Options = { keep: ["c*"], onBadRow: "skip", ...variant };
        await built.run({ input, output, column: "logits", ...options });
        const { bytes } = await built.verify({ input, output, all: true });
        expect(bytes).toEqual({ compared: true, message: null });
      }
      expect(python("check", directory)).toBe(compared);
    },
  );

  test("more values of lists in a record batch than its offsets can reach", async () => {
    python("overlapping", directory);
    const input = at("overlapping.arrow");
    for (const layout of ["bsr", "csr"] as const)
      await refused(
        { input, keep: ["c0"], layout },
        `column c0: expected at most 2147483647 bytes of text or values of lists in 100 rows, found ${100 * 2 ** 26}`,
      );
  });
});
