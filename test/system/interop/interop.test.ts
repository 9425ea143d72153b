import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { RunOptions } from "../../../src/index.js";
import { LAYOUTS } from "../../../src/results/catalogue.js";
import { CLI } from "../../cli/support.js";
import { built } from "../../support/built.js";
import { KEPT, writeKept } from "../../support/kept-input.js";
import {
  type LogitsInput,
  workDirectory,
  writeLogits,
} from "../../support/logits-input.js";
import { normal, random } from "../../support/random.js";
import { importable, runPython } from "./python.js";

const at = workDirectory();
const hasReaders = importable("pyarrow, numpy");
const gauss = normal(random(3));
const logit = () => 3 * gauss();

/** Expects that a script reads all outputs, and finds in them what NumPy computes. */
function expectRead(script: string, cases: object[]): void {
  writeFileSync(at("cases.json"), JSON.stringify(cases));
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { status, stdout, stderr } = runPython(path, at("cases.json"));
  expect([stderr, status]).toEqual(["", 0]);
  expect(stdout).toContain(`pyarrow: ${cases.length} outputs`);
}

const PLAIN: [string, LogitsInput, options?: Partial<RunOptions>][] = [
  ["float64", { rows: 1000, classes: 7, batchRows: [300, 1], logit }],
  ["float32", { rows: 1000, classes: 7, dtype: "float32", logit }],
  ["several batches", { rows: 60, classes: 400, logit }],
  ["narrowed", { rows: 100, classes: 5, logit }, { dtype: "float32" }],
  ["no rows", { rows: 0, classes: 3, logit }],
  ["one class", { rows: 10, classes: 1, logit }],
  [
    "bad rows",
    {
      ...{ rows: 100, classes: 3 },
      logit: (r, k) => (r === 7 || r === 99 ? Number.NaN : r + k),
    },
    { onBadRow: "null" },
  ],
];

test.skipIf(!hasReaders)(
  "pyarrow, polars and DuckDB read outputs, which are equal to NumPy",
  async () => {
    const cases: object[] = [];
    for (const [name, logits, options] of PLAIN) {
      const input = at(`${name}.arrow`);
      const output = at(`${name} out.arrow`);
      writeLogits(input, logits);
      await built.run({ input, output, ...options });
      const bad = options?.onBadRow ? [7, 99] : [];
      cases.push({ input, output, keep: [], bad });
    }
    const paths = { input: at("kept.arrow"), output: at("kept out.arrow") };
    const keep = Object.keys(KEPT);
    writeKept(paths.input, 20);
    await built.run({ ...paths, keep });
    cases.push({ ...paths, keep, bad: [] });
    expectRead("read.py", cases);
  },
);

test.skipIf(!hasReaders)(
  "pyarrow, polars and DuckDB read files and streams of every layout, plain and compressed",
  async () => {
    const cases: object[] = [];
    for (const dtype of ["float64", "float32"] as const) {
      const input = at(`${dtype}.arrow`);
      const shape = { rows: 60, classes: 7, batchRows: [25] };
      writeLogits(input, { ...shape, dtype, logit });
      for (const layout of LAYOUTS)
        for (const compress of [undefined, "lz4", "zstd"] as const)
          for (const stream of dtype === "float64" && compress !== "lz4"
            ? [false, true]
            : [false]) {
            const output = at(`${[dtype, layout, compress, stream].join("-")}`);
            const threshold = layout === "csr" ? 1e-3 : undefined;
            const options = { layout, compress, threshold };
            if (stream) streamTo(output, input, options);
            else await built.run({ ...options, input, output });
            const least = threshold ?? 0;
            cases.push({ input, output, layout, stream, least });
          }
    }
    expectRead("layouts.py", cases);
  },
);

/** Writes the standard output of the command to a file. */
function streamTo(path: string, input: string, options: object): void {
  const flags = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
  const fd = openSync(path, "w");
  const args = [CLI, "run", input, "-o", "-", "--quiet", ...flags];
  const stdio = ["ignore", fd, "inherit"] as const;
  const { status } = spawnSync(process.execPath, args, { stdio: [...stdio] });
  closeSync(fd);
  expect(status).toBe(0);
}
