import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { importable, runPython } from "./python.js";

// Copied columns of random nested types, made and compared by pyarrow (nested.py).

const at = workDirectory();
const directory = dirname(at("x"));
const script = fileURLToPath(new URL("nested.py", import.meta.url));

function python(...args: string[]): string {
  const { status, stdout, stderr } = runPython(script, ...args);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

const VARIANTS = [
  { emit: ["softmax" as const] },
  { layout: "csr" as const },
  { compress: "lz4" as const },
  { chunkRows: 16, threads: 2 },
];

/** Copies the columns of every case, with bad rows omitted; returns what the comparison prints. */
async function copyAll(): Promise<string> {
  const cases = JSON.parse(readFileSync(at("cases.json"), "utf8"));
  for (const [n, { input, output }] of cases.entries()) {
    const options = { input, output, keep: ["c*"], onBadRow: "skip" as const };
    const variant = VARIANTS[n % VARIANTS.length];
    await built.run({ ...options, ...variant, column: "logits" });
    const { bytes } = await built.verify({ input, output, all: true });
    expect(bytes).toEqual({ compared: true, message: null });
  }
  return python("check", directory);
}

test.skipIf(!importable("pyarrow"))(
  "random nested columns of several batches, slices and dictionaries",
  async () => {
    python("make", directory, "1");
    expect(await copyAll()).toBe("24 outputs\n");
  },
);

test.skipIf(!importable("pyarrow"))(
  "more values of lists in a record batch than its offsets can reach",
  async () => {
    python("overlapping", directory);
    const input = at("overlapping.arrow");
    for (const layout of ["bsr", "csr"] as const)
      await expect(
        built.run({ input, output: at("none.arrow"), keep: ["c0"], layout }),
      ).rejects.toThrow(
        `${input}: column c0: expected at most 2147483647 bytes of text or values of lists in 100 rows, found ${100 * 2 ** 26}`,
      );
  },
);

test.skipIf(!importable("pyarrow"))(
  "lists, structs and texts of Parquet",
  async () => {
    python("parquet", directory);
    expect(await copyAll()).toBe("2 outputs\n");
  },
);
