import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { KEPT, writeKept } from "../support/kept-input.js";
import {
  type LogitsInput,
  workDirectory,
  writeLogits,
} from "../support/logits-input.js";
import { normal, random } from "../support/random.js";
import { importable, runPython } from "./python.js";

const at = workDirectory();
const gauss = normal(random(3));
const logit = () => 3 * gauss();

const PLAIN: (LogitsInput & {
  name: string;
  options?: object;
  bad?: number[];
})[] = [
  { name: "float64", rows: 1000, classes: 7, batchRows: [300, 1], logit },
  { name: "float32", rows: 1000, classes: 7, dtype: "float32", logit },
  { name: "several batches", rows: 60, classes: 400, logit },
  {
    name: "narrowed",
    rows: 100,
    classes: 5,
    logit,
    options: { dtype: "float32" },
  },
  { name: "no rows", rows: 0, classes: 3, logit },
  { name: "one class", rows: 10, classes: 1, logit },
  {
    name: "bad rows",
    rows: 100,
    classes: 3,
    logit: (r, k) => (r === 7 || r === 99 ? Number.NaN : r + k),
    options: { onBadRow: "null" },
    bad: [7, 99],
  },
];

interface Case {
  input: string;
  output: string;
  keep: string[];
  bad: number[];
  /** One record batch at least, and no nulls in it. */
  blocks: boolean;
}

test.skipIf(!importable("pyarrow, numpy"))(
  "read by pyarrow, polars, DuckDB, SciPy and PyTorch, and equal to NumPy",
  async () => {
    const cases: Case[] = [];
    for (const { name, options, bad = [], ...input } of PLAIN) {
      const paths = {
        input: at(`${name}.arrow`),
        output: at(`${name} out.arrow`),
      };
      writeLogits(paths.input, input);
      await built.run({ ...paths, ...options });
      cases.push({
        ...paths,
        keep: [],
        bad,
        blocks: input.rows > 0 && bad.length === 0,
      });
    }
    const paths = { input: at("kept.arrow"), output: at("kept out.arrow") };
    const keep = Object.keys(KEPT);
    writeKept(paths.input, 20);
    await built.run({ ...paths, keep });
    cases.push({ ...paths, keep, bad: [], blocks: true });
    writeFileSync(at("cases.json"), JSON.stringify(cases));
    const script = fileURLToPath(new URL("read.py", import.meta.url));
    const { status, stdout, stderr } = runPython(script, at("cases.json"));
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain(`pyarrow: ${cases.length} outputs`);
  },
);
