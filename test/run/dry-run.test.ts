import { readFileSync, statSync, writeFileSync } from "node:fs";
import {
  columnFromArray,
  fixedSizeList,
  float32,
  float64,
  int32,
  tableFromColumns,
  tableFromIPC,
  tableToIPC,
  utf8,
} from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/index.js";
import type { Layout } from "../../src/results/catalogue.js";
import { softjacIn } from "../cli/support.js";
import { npy } from "../support/array-files.js";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";

// Compares the sizes that --dry-run prints with the files that a run writes.

const at = workDirectory();
const input = at("in.arrow");
const output = at("out.arrow");

/** Writes logits, labels and nullable strings. Every fifth row is so peaked that entries underflow to 0. */
function write(rows: number, classes: number, isSingle = false): void {
  const draw = normal(random(7));
  const logits = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: classes }, () => (r % 5 === 4 ? 900 : 2) * draw()),
  );
  const item = isSingle ? float32() : float64();
  const names = logits.map((_, r) => (r % 3 === 1 ? null : "né".repeat(r % 7)));
  const columns: Columns = {
    logits: [logits, fixedSizeList(item, classes)],
    label: [logits.map((_, r) => r % classes), int32()],
    name: [names, utf8()],
  };
  writeArrow(input, columns, { batchRows: 100 });
}

interface Batch {
  values?: ArrayBufferView;
  children?: Batch[];
}

/** Returns the size of the value buffers of a column in the output. */
function valueBytes(name: string): number {
  const { data } = tableFromIPC(readFileSync(output)).getChild(name);
  return (data as readonly Batch[]).reduce((sum, { values, children }) => {
    const found = children?.[0]?.values ?? values;
    return sum + (found?.byteLength ?? 0);
  }, 0);
}

type Options = Omit<RunOptions, "input" | "output">;
const CASES: [
  rows: number,
  classes: number,
  isSingle: boolean,
  options: Options,
  layouts: Layout[],
][] = [
  [1000, 10, false, {}, ["bsr", "packed", "csr", "coo", "factored"]],
  [1000, 10, true, {}, ["bsr", "packed", "csr", "coo", "factored"]],
  [0, 3, false, {}, ["bsr", "packed", "csr", "coo", "factored"]],
  [1, 1, false, {}, ["bsr", "packed", "csr", "coo", "factored"]],
  [3, 700, false, {}, ["bsr", "packed", "csr", "coo", "factored"]],
  [
    777,
    6,
    false,
    { keep: ["name", "label"], onBadRow: "null" },
    ["bsr", "packed", "csr", "factored"],
  ],
  [
    300,
    4,
    true,
    { onBadRow: "skip" },
    ["bsr", "packed", "csr", "coo", "factored"],
  ],
  [
    500,
    5,
    false,
    {
      emit: ["jacobian", "cross_entropy", "gradient", "argmax"],
      label: "label",
      dtype: "float32",
    },
    ["bsr", "packed", "csr", "coo", "factored"],
  ],
  [
    400,
    5,
    false,
    { layout: "csr", topK: 3, emit: ["log_jacobian", "entropy"] },
    ["bsr", "csr", "coo", "factored"],
  ],
  [
    9,
    4,
    false,
    { layout: "dense" },
    ["bsr", "packed", "csr", "coo", "factored", "dense"],
  ],
  [
    200,
    5,
    false,
    { emit: ["softmax", "variance"], covariance: "logits" },
    ["bsr"],
  ],
];

describe("sizes of layouts and columns", () => {
  test.each(CASES)(
    "%i x %i, float32 %s, %j",
    async (rows, classes, isSingle, options, layouts) => {
      write(rows, classes, isSingle);
      const base = { input, output, column: "logits", force: true, ...options };
      const plan = await built.dryRun(base);
      expect(plan.layouts.map(({ name }) => name)).toEqual(layouts);
      for (const { name: layout, bytes, bytesPerRow, exact } of plan.layouts) {
        const emit = options.emit?.filter(
          (name) => layout !== "coo" || name !== "gradient",
        );
        const { topK, ...others } = base;
        const isEntries = layout === "csr" || layout === "coo";
        await built.run({
          ...others,
          layout,
          ...(isEntries && topK !== undefined && { topK }),
          ...(emit && { emit }),
        });
        const { size } = statSync(output);
        expect(exact).toBe(!isEntries && options.onBadRow !== "skip");
        if (exact) expect(size).toBe(bytes);
        else {
          expect(size).toBeLessThanOrEqual(bytes);
          // The bound is useful if it exceeds the values by a few percent only.
          expect(bytes).toBeLessThan(1.1 * rows * (bytesPerRow + 20) + 20_000);
        }
      }
      await built.run(base);
      expect(plan.outputBytes ?? 0).toBe(
        plan.outputBytes === null ? 0 : statSync(output).size,
      );
      for (const { name, bytes, bytesPerRow, exact } of plan.columns) {
        expect(bytes).toBe(rows * bytesPerRow);
        if (rows === 0) continue;
        if (exact) expect(valueBytes(name)).toBe(bytes);
        else expect(valueBytes(name)).toBeLessThanOrEqual(bytes);
      }
    },
  );

  test("the bound for csr and coo is tight if all entries are kept", async () => {
    writeFileSync(
      input,
      tableToIPC(
        tableFromColumns({
          logits: columnFromArray(
            Array.from({ length: 600 }, (_, r) => [r % 3, 1, 2, 3, 4]) as never,
            fixedSizeList(float64(), 5),
          ),
        }),
        { format: "file" },
      ) as Uint8Array,
    );
    const { layouts } = await built.dryRun({ input, output: at("none") });
    for (const layout of ["csr", "coo"] as const) {
      await built.run({ input, output, layout, force: true });
      const bound = layouts.find(({ name }) => name === layout)?.bytes ?? 0;
      const { size } = statSync(output);
      expect(size).toBeLessThanOrEqual(bound);
      expect(size).toBeGreaterThan(0.95 * bound);
    }
  });

  test("rows of several axes have index columns", async () => {
    const values = Float64Array.from({ length: 24 }, (_, k) => k % 5);
    const array = at("in.npy");
    writeFileSync(array, npy(values, [2, 4, 3]));
    const plan = await built.dryRun({ input: array, output: at("none") });
    expect(plan.columns.slice(0, 2)).toEqual([
      { name: "row", bytesPerRow: 8, bytes: 64, exact: true },
      { name: "position", bytesPerRow: 4, bytes: 32, exact: true },
    ]);
    for (const { name: layout, bytes, exact } of plan.layouts) {
      await built.run({ input: array, output, layout, force: true });
      const { size } = statSync(output);
      if (exact) expect(size).toBe(bytes);
      else expect(size).toBeLessThanOrEqual(bytes);
    }
  });

  test("the command prints a table, and the same numbers with --json", () => {
    write(1000, 10);
    const run = (...more: string[]) =>
      softjacIn(
        { cwd: at(".") },
        ..."run in.arrow -o x.arrow --column logits --dry-run".split(" "),
        ...more,
      );
    const { stdout } = run();
    const cells = stdout
      .slice(stdout.indexOf("  columns, "))
      .split("\n")
      .map((line) => line.trim().split(/ {2,}/));
    const size = expect.stringMatching(/^\d{3},\d{3}$/);
    const most = expect.stringMatching(/^at most \d,\d{3},\d{3}$/);
    expect(cells).toEqual([
      ["columns, bytes per row and in all:"],
      ["row", "8", "8,000"],
      ["softmax", "80", "80,000"],
      ["jacobian", "800", "800,000"],
      [""],
      ["layouts, bytes per row and in all:"],
      ["bsr", "888", size],
      ["packed", "528", size],
      ["csr", "at most 1,304", most],
      ["coo", "at most 2,400", most],
      ["factored", "100", size],
      [""],
    ]);
    const { layouts, columns } = JSON.parse(run("--json").stdout);
    expect(columns).toEqual([
      { name: "row", bytesPerRow: 8, bytes: 8000, exact: true },
      { name: "softmax", bytesPerRow: 80, bytes: 80_000, exact: true },
      { name: "jacobian", bytesPerRow: 800, bytes: 800_000, exact: true },
    ]);
    expect(layouts).toHaveLength(5);
  });
});
