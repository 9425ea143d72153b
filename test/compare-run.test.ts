import { readFileSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { SoftjacError } from "../src/errors.js";
import type { RunOptions } from "../src/options/run-options.js";
import { compareRun } from "../src/verify/compare-bytes.js";
import { built } from "./support/built.js";
import { inputs, writeInputs } from "./support/inputs-input.js";
import { KEPT, writeKept } from "./support/kept-input.js";
import { workDirectory } from "./support/logits-input.js";

const at = workDirectory();

// The sources have no compiled kernel beside them.
vi.mock(import("../src/tasks/kernel-memory.js"), async (original) => {
  const { allocateKernelMemory, ...others } = await original();
  return {
    ...others,
    allocateKernelMemory: (bytes) => allocateKernelMemory(bytes, "plain"),
  };
});

const kept = at("kept.arrow");
writeKept(kept, 20);
const all = at("all.arrow");
writeInputs(all, inputs(40, 5), 13);

type Made = Omit<RunOptions, "input" | "output">;
const keep = Object.keys(KEPT);
const label = "label";
const inputsOfAll = {
  cotangent: "g",
  covariance: "s",
  classColumn: "k",
  label: "y",
};
const cases: [made: Made, input?: string, columns?: Made][] = [
  [{}],
  [{ keep, layout: "packed" }],
  [{ keep, layout: "csr", threshold: 0.01 }],
  [{ keep: ["id"], layout: "csr", topK: 3, dtype: "float64" }],
  [{ layout: "coo", emit: ["log_jacobian", "entropy"] }],
  [{ layout: "factored", temperature: 0.3 }],
  [{ layout: "dense" }],
  [
    { emit: ["cross_entropy", "factor"], keep, onBadRow: "skip" },
    kept,
    { label },
  ],
  [
    { emit: ["cross_entropy", "jacobian"], layout: "csr", onBadRow: "null" },
    kept,
    { label },
  ],
  [
    { emit: ["vjp", "covariance", "column", "gradient"], dtype: "float32" },
    all,
    inputsOfAll,
  ],
];

test.each(cases)(
  "nothing to find in a file made with %o",
  async (made, input = kept, others = {}) => {
    const output = at("made.arrow");
    const columns = { column: "logits", ...others };
    await built.run({ input, output, force: true, ...made, ...columns });
    expect(await compareRun(output, { input, ...columns }, {})).toEqual({
      compared: true,
      message: null,
    });
  },
);

test.each([
  { made: { keep: ["id", "name", "flag"] } },
  { made: { keep: ["weight"], layout: "csr" as const, threshold: 0.05 } },
  { made: { layout: "coo" as const, topK: 4 } },
])(
  "a flipped bit at any byte of a file made with $made is found",
  async ({ made }) => {
    const path = at("flipped.arrow");
    await built.run({
      input: kept,
      output: path,
      force: true,
      column: "logits",
      ...made,
    });
    const good = readFileSync(path);
    const unseen: number[] = [];
    for (let k = 0; k < good.length; k += 73) {
      const bytes = Buffer.from(good);
      bytes[k] = (bytes[k] as number) ^ (1 << (k % 8));
      writeFileSync(path, bytes);
      const result = await compareRun(
        path,
        { input: kept, column: "logits" },
        {},
      ).catch((error) => {
        if (error instanceof SoftjacError) return { message: error.message };
        throw error;
      });
      if (result.message === null) unseen.push(k);
    }
    // What is not seen is padding between buffers: zeros that nobody reads.
    expect(unseen.every((k) => good[k] === 0)).toBe(true);
    expect(unseen.length).toBeLessThan(good.length / 20);
  },
  120_000,
);

test("a difference is told by its record batch, column and value", async () => {
  const path = at("told.arrow");
  await built.run({ input: kept, output: path, column: "logits", force: true });
  const bytes = readFileSync(path);
  // softmax of row 7, class 2: found by its own value
  const { softmax } = built.softmaxResults(
    Float32Array.from([0, 1, 2, 3], (k) => ((7 * 31 + k * 17) % 23) / 4 - 2),
    { rows: 1, classes: 4, emit: ["softmax"] },
  );
  const value = Buffer.from(Float32Array.of(softmax?.[2] as number).buffer);
  const place = bytes.indexOf(value);
  bytes[place] = (bytes[place] as number) ^ 1;
  writeFileSync(path, bytes);
  const { message } = await compareRun(
    path,
    { input: kept, column: "logits" },
    {},
  );
  expect(message).toMatch(
    /record batch 0: column softmax, table row \d+, value \d: expected \d+ at byte \d+, found \d+$/,
  );
});

test("another input is found by its results; another version's files are not compared", async () => {
  const path = at("other.arrow");
  await built.run({ input: all, output: path, column: "logits", force: true });
  const other = at("other-in.arrow");
  writeInputs(other, inputs(40, 5, 77), 13);
  const options = { column: "logits" };
  const { message } = await compareRun(path, { input: other, ...options }, {});
  expect(message).toMatch(/record batch 0: column jacobian, table row 0/);

  const bytes = readFileSync(path).toString("latin1");
  const { version } = built;
  const newer = version.replace(/^\d/, "9");
  writeFileSync(path, bytes.replaceAll(version, newer), "latin1");
  expect(await compareRun(path, { input: all, ...options }, {})).toEqual({
    compared: false,
    message: `bytes not compared: the output was written by version ${newer}, this is ${version}`,
  });
});
