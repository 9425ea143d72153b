import { statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { OutputSize, RunOptions } from "../../src/index.js";
import type { Layout } from "../../src/results/catalogue.js";
import { softjacIn } from "../cli/support.js";
import { npy } from "../support/array-files.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { normal, random } from "../support/random.js";
import { outputOf, runsIn, upTo } from "../support/runs.js";

// Compares the sizes that --dry-run prints with the files that a run writes.

const { at, run, files, input, output } = runsIn();

/** Writes logits, labels and nullable strings. Every fifth row is so peaked that entries underflow to 0. */
function write(rows: number, classes: number, isSingle = false): void {
  const draw = normal(random(7));
  const all = upTo(rows);
  const logits = all.map((r) =>
    upTo(classes).map(() => (r % 5 === 4 ? 900 : 2) * draw()),
  );
  const item = isSingle ? "float32" : "float64";
  const names = all.map((r) => (r % 3 === 1 ? null : "né".repeat(r % 7)));
  writeArrow(
    input,
    {
      logits: [logits, `fixed_size_list<${item}>[${classes}]`],
      label: [all.map((r) => r % classes), "int32"],
      name: [names, "utf8"],
    },
    { batchRows: 100 },
  );
}

interface Batch {
  values?: ArrayBufferView;
  children?: Batch[];
}

/** Returns the size of the value buffers of a column in the output. */
function valueBytes(name: string): number {
  const { data } = outputOf(output).table.getChild(name);
  return (data as readonly Batch[]).reduce((sum, { values, children }) => {
    const found = children?.[0]?.values ?? values;
    return sum + (found?.byteLength ?? 0);
  }, 0);
}

/** Runs in a layout, and compares the size of the file with the planned one. */
async function expectSize(
  { name, bytes, exact }: OutputSize<Layout>,
  options: Partial<RunOptions>,
): Promise<number> {
  await run({ ...options, layout: name });
  const { size } = statSync(output);
  if (exact) expect(size).toBe(bytes);
  else expect(size).toBeLessThanOrEqual(bytes);
  return size;
}

const ALL = "bsr packed csr coo factored";
const KEEP = { keep: ["name", "label"], onBadRow: "null" } as const;
const MANY: Partial<RunOptions> = {
  emit: ["jacobian", "cross_entropy", "gradient", "argmax"],
  ...{ label: "label", dtype: "float32" },
};
const CSR: Partial<RunOptions> = {
  ...{ layout: "csr", topK: 3, emit: ["log_jacobian", "entropy"] },
};
const VARIANCE: Partial<RunOptions> = {
  ...{ emit: ["softmax", "variance"], covariance: "logits" },
};
test.each<
  [number, number, "float32" | "float64", Partial<RunOptions>, string?]
>([
  [1000, 10, "float64", {}],
  [1000, 10, "float32", {}],
  [0, 3, "float64", {}],
  [1, 1, "float64", {}],
  [3, 700, "float64", {}],
  [777, 6, "float64", KEEP, "bsr packed csr factored"],
  [300, 4, "float32", { onBadRow: "skip" }],
  [500, 5, "float64", MANY],
  [400, 5, "float64", CSR, "bsr csr coo factored"],
  [9, 4, "float64", { layout: "dense" }, `${ALL} dense`],
  [200, 5, "float64", VARIANCE, "bsr"],
])("%i x %i, %s, %j", async (rows, classes, dtype, options, layouts = ALL) => {
  write(rows, classes, dtype === "float32");
  const base = { input, output, column: "logits", force: true, ...options };
  const plan = await built.dryRun(base);
  expect(plan.layouts.map(({ name }) => name).join(" ")).toBe(layouts);
  const { topK, emit, ...others } = base;
  for (const layout of plan.layouts) {
    const { name, bytes, bytesPerRow, exact } = layout;
    const isEntries = name === "csr" || name === "coo";
    await expectSize(layout, {
      ...others,
      ...(isEntries && topK !== undefined && { topK }),
      ...(emit && {
        emit: emit.filter((one) => name !== "coo" || one !== "gradient"),
      }),
    });
    expect(exact).toBe(!isEntries && options.onBadRow !== "skip");
    // The bound is useful if it exceeds the values by a few percent only.
    if (!exact)
      expect(bytes).toBeLessThan(1.1 * rows * (bytesPerRow + 20) + 20_000);
  }
  await built.run(base);
  const isKnown = options.onBadRow !== "skip" && options.layout !== "csr";
  expect(plan.outputBytes).toBe(isKnown ? statSync(output).size : null);
  for (const { name, bytes, bytesPerRow, exact } of plan.columns) {
    expect(bytes).toBe(rows * bytesPerRow);
    if (rows === 0) continue;
    if (exact) expect(valueBytes(name)).toBe(bytes);
    else expect(valueBytes(name)).toBeLessThanOrEqual(bytes);
  }
});

test("the bound for csr and coo is tight if all entries are kept", async () => {
  const rows = upTo(600).map((r) => [r % 3, 1, 2, 3, 4]);
  writeArrow(input, { logits: [rows, "fixed_size_list<float64>[5]"] });
  const { layouts } = await built.dryRun({ input, output: at("none") });
  const entries = layouts.filter(({ name }) => /csr|coo/.test(name));
  expect(entries).toHaveLength(2);
  for (const layout of entries)
    expect(await expectSize(layout, {})).toBeGreaterThan(0.95 * layout.bytes);
});

test("rows of several axes have index columns", async () => {
  const array = at("in.npy");
  const values = Float64Array.from(upTo(24), (k) => k % 5);
  writeFileSync(array, npy(values, [2, 4, 3]));
  const plan = await built.dryRun({ input: array, output: at("none") });
  expect(plan.columns.slice(0, 2)).toEqual([
    { name: "row", bytesPerRow: 8, bytes: 64, exact: true },
    { name: "position", bytesPerRow: 4, bytes: 32, exact: true },
  ]);
  for (const layout of plan.layouts) await expectSize(layout, { input: array });
});

test("the command prints a table, and the same numbers with --json", () => {
  write(1000, 10);
  const print = (...more: string[]) => {
    const line = "run in.arrow -o x.arrow --column logits --dry-run";
    return softjacIn({ cwd: at(".") }, ...line.split(" "), ...more).stdout;
  };
  const stdout = print("--report", "x.json", "--metrics", "x.prom");
  expect(stdout).toContain("(dry run: nothing is written)");
  expect(files(/^x/)).toEqual([]);
  const size = expect.stringMatching(/^\d{3},\d{3}$/);
  const most = expect.stringMatching(/^at most \d,\d{3},\d{3}$/);
  expect(
    stdout
      .slice(stdout.indexOf("  columns, "))
      .split("\n")
      .map((line) => line.trim().split(/ {2,}/)),
  ).toEqual([
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
  const { layouts, columns } = JSON.parse(print("--json"));
  expect(columns).toEqual([
    { name: "row", bytesPerRow: 8, bytes: 8000, exact: true },
    { name: "softmax", bytesPerRow: 80, bytes: 80_000, exact: true },
    { name: "jacobian", bytesPerRow: 800, bytes: 800_000, exact: true },
  ]);
  expect(layouts).toHaveLength(5);
});
