import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { softjacIn } from "../../cli/support.js";
import { near } from "../../support/input-runs.js";
import { workDirectory } from "../../support/logits-input.js";
import { outputOf } from "../../support/runs.js";
import { importable, python, runPython } from "./python.js";

// Labels as data frames have them: factors, categories, enums and strings.

const at = workDirectory();
const cwd = at(".");
const NAMES = ["--class-names", "setosa,versicolor,virginica"];
const AS_NULL = ["--on-bad-row", "null"];
const CLASSES = [2, 0, null, 1, 1, 2, 0, 0, 2, 1];
const hasReaders = importable("pyarrow, pandas, polars, duckdb");

/** Returns -log p of each row's class. */
const entropies = (classes: readonly (number | null)[]) =>
  classes.map((k, r) => {
    const row = [0, 1, 2].map((j) => (7 * (3 * r + j)) % 5);
    const sum = row.reduce((total, x) => total + Math.exp(x), 0);
    return k === null ? null : near(Math.log(sum) - (row[k] ?? 0), 10);
  });
const ALL = entropies(CLASSES);

function run(name: string, ...options: string[]) {
  const columns = ["--column", "logits", "--label", "label"];
  const output = ["-o", "out.arrow", "-f", "--emit", "cross_entropy"];
  const args = ["run", ...output, ...columns, name, ...options];
  return softjacIn({ cwd }, ...args);
}

/** Returns the results of a run, and its messages. */
function read(name: string, ...options: string[]) {
  const { status, stderr } = run(name, ...options);
  expect(status, stderr).toBe(0);
  const values = outputOf(at("out.arrow")).column("cross_entropy");
  return { stderr, values };
}

describe.skipIf(!hasReaders)(`files of ${python}`, () => {
  beforeAll(() => {
    const script = fileURLToPath(new URL("labels.py", import.meta.url));
    const { status, stderr } = runPython(script, cwd);
    if (status !== 0) throw new Error(stderr);
  });

  test.each([
    "pandas-categorical.arrow",
    "pandas-object.arrow",
    "r-factor.arrow",
    "polars-string.arrow",
    "polars-categorical.arrow",
    "polars-enum.arrow",
    "duckdb-enum.arrow",
    "strings.parquet",
    "dictionary.parquet",
    "replaced.arrow",
  ])("%s, by the names of the classes", (name) => {
    const { stderr, values } = read(name, ...NAMES, ...AS_NULL);
    expect(stderr).not.toMatch("warning");
    expect(values).toEqual(ALL);
    const skipped = read(name, ...NAMES, "--on-bad-row", "skip");
    expect(skipped.values).toEqual(ALL.filter((value) => value !== null));
  });

  test.each<[name: string, options: string[], expected: unknown[]]>([
    ["pandas-float.arrow", [], ALL],
    ["numpy-nan.arrow", [], ALL],
    // Slices and several batches.
    ["sliced.arrow", NAMES, [...ALL.slice(3), ...ALL.slice(0, 3)]],
    // A dictionary that grows in a stream.
    ["deltas.arrow", NAMES, entropies([2, 0, null, 0, 1, 2, 0])],
    ["no-rows.arrow", NAMES, []],
  ])("%s", (name, options, expected) => {
    expect(read(name, ...options, ...AS_NULL).values).toEqual(expected);
  });

  test("a dictionary that a stream replaces is refused", () => {
    expect(run("replaced.arrow", "--quiet")).toMatchObject({
      status: 65,
      stderr:
        "softjac: replaced.arrow: column label: the stream replaces its dictionary, so that its codes are no classes; give the names of the classes with --class-names\n",
    });
  });
});
