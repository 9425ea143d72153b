import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { beforeAll, describe, expect, test } from "vitest";
import { softjacIn } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";
import { importable, python, runPython } from "./python.js";

// Labels as data frames have them: factors, categories, enums and strings.

const at = workDirectory();
const NAMES = ["setosa", "versicolor", "virginica"];
const CLASSES = [2, 0, null, 1, 1, 2, 0, 0, 2, 1];
const hasReaders = importable("pyarrow, pandas, polars, duckdb");

/** -log p of each row's class. */
function expected(
  classes: readonly (number | null)[],
  rows = classes.map((_, r) => r),
): unknown[] {
  return classes.map((k, n) => {
    const r = rows[n] as number;
    const row = [0, 1, 2].map((j) => (7 * (3 * r + j)) % 5);
    const sum = row.reduce((total, o) => total + Math.exp(o), 0);
    return k === null
      ? null
      : expect.closeTo(Math.log(sum) - (row[k] as number), 10);
  });
}

/** Exit code, messages and results of a run. */
function run(name: string, ...options: string[]) {
  const { status, stderr } = softjacIn(
    { cwd: at(".") },
    ..."run -o out.arrow -f --column logits --label label --emit cross_entropy".split(
      " ",
    ),
    name,
    ...options,
  );
  const values =
    status === 0
      ? [
          ...tableFromIPC(readFileSync(at("out.arrow"))).getChild(
            "cross_entropy",
          ),
        ]
      : null;
  return { status, stderr, values };
}

describe.skipIf(!hasReaders)(`files of ${python}`, () => {
  beforeAll(() => {
    const script = fileURLToPath(new URL("labels.py", import.meta.url));
    const { status, stderr } = runPython(script, at("."));
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
  ])("%s, by the names of the classes", (name) => {
    const names = ["--class-names", NAMES.join()];
    const { stderr, values } = run(name, ...names, "--on-bad-row", "null");
    expect(stderr).not.toMatch("warning");
    expect(values).toEqual(expected(CLASSES));
    const skipped = run(name, ...names, "--on-bad-row", "skip");
    expect(skipped.values).toEqual(
      expected(CLASSES).filter((value) => value !== null),
    );
  });

  test("pandas' float labels with NaN, and NumPy's", () => {
    for (const name of ["pandas-float.arrow", "numpy-nan.arrow"])
      expect(run(name, "--on-bad-row", "null").values).toEqual(
        expected(CLASSES),
      );
  });

  test("slices and several batches", () => {
    const names = ["--class-names", NAMES.join(), "--on-bad-row", "null"];
    const rows = [3, 4, 5, 6, 7, 8, 9, 0, 1, 2];
    expect(run("sliced.arrow", ...names).values).toEqual(
      expected(
        rows.map((r) => CLASSES[r] as number | null),
        rows,
      ),
    );
  });

  test("a dictionary that grows in a stream", () => {
    const names = ["--class-names", NAMES.join(), "--on-bad-row", "null"];
    expect(run("deltas.arrow", ...names).values).toEqual(
      expected([2, 0, null, 0, 1, 2, 0]),
    );
  });

  test("a dictionary that a stream replaces", () => {
    const names = ["--class-names", NAMES.join(), "--on-bad-row", "null"];
    expect(run("replaced.arrow", ...names).values).toEqual(expected(CLASSES));
    const { status, stderr } = run("replaced.arrow", "--quiet");
    expect({ status, stderr }).toEqual({
      status: 65,
      stderr:
        "softjac: replaced.arrow: column label: the stream replaces its dictionary, so that its codes are no classes; give the names of the classes with --class-names\n",
    });
  });

  test("no rows", () => {
    expect(run("no-rows.arrow", "--class-names", NAMES.join()).values).toEqual(
      [],
    );
  });

  test("codes of R's factors are the classes, with a warning", () => {
    const { stderr, values } = run("r-factor.arrow", "--on-bad-row", "null");
    expect(values).toEqual(expected(CLASSES));
    expect(stderr).toMatch(
      "column label: the codes of its dictionary are the classes (0 is setosa, 1 is versicolor); use --class-names to match its strings instead",
    );
  });

  test("classes that are counted from 1", () => {
    for (const onBadRow of ["error", "null", "skip"]) {
      const { status, stderr } = run(
        "one-based.arrow",
        "--on-bad-row",
        onBadRow,
        "--quiet",
      );
      expect(status).toBe(65);
      expect(stderr).toBe(
        "softjac: one-based.arrow: row 0: expected a class from 0 to 2 in label, or null, -1 or -100 for no label, found 3 (classes are counted from 0)\n",
      );
    }
  });
});
