import { expect, test } from "vitest";
import { UsageError } from "../src/errors.js";
import { type RunOptions, resolveOptions } from "../src/options.js";
import { RUN_OPTIONS } from "../src/options-table.js";

const paths = { input: "a.arrow", output: "b.arrow" };

test("every option of a run states whether it changes bytes of the output", () => {
  for (const { name, affects } of RUN_OPTIONS)
    expect(["bytes", "process"], name).toContain(affects);
});

test("defaults, in a new frozen object", () => {
  const options: RunOptions = { ...paths, threads: 2, keep: ["id"] };
  const resolved = resolveOptions(options);
  expect(resolved).toEqual({
    ...paths,
    source: "a.arrow",
    part: null,
    column: undefined,
    columns: undefined,
    keep: ["id"],
    emit: ["softmax", "jacobian"],
    layout: "bsr",
    forceDense: false,
    temperature: 1,
    threshold: 0,
    topK: undefined,
    class: undefined,
    inputs: [],
    dtype: undefined,
    onBadRow: "error",
    nullLogit: "error",
    allowMissingEos: false,
    tensorType: true,
    threads: 2,
    threadsAsked: true,
    chunkRows: undefined,
    kernel: "auto",
    force: false,
    sync: true,
    limits: {
      maxMetadataBytes: 64 * 2 ** 20,
      maxColumns: 1_000_000,
      maxNesting: 64,
      maxBatchRows: 2 ** 32,
      maxDecodedBytes: 2 ** 40,
    },
  });
  expect(Object.isFrozen(resolved)).toBe(true);
  expect(options).toEqual({ ...paths, threads: 2, keep: ["id"] });
});

const WRONG: [extra: Record<string, unknown>, message: string][] = [
  [{ input: "" }, 'input: expected a path, found ""'],
  [{ output: undefined }, "output: expected a path, found nothing"],
  [{ threads: 0 }, "threads: expected a whole number from 1 to 256, found 0"],
  [
    { threads: 1.5 },
    "threads: expected a whole number from 1 to 256, found 1.5",
  ],
  [
    { threads: "2" },
    'threads: expected a whole number from 1 to 256, found "2"',
  ],
  [
    { temperature: 0 },
    "temperature: expected a number from 1e-100 to 1e+100, found 0",
  ],
  [{ temperature: Number.NaN }, "temperature: expected a number from"],
  [{ emit: [] }, "emit: expected a result, found none"],
  [
    { emit: ["softmax", "hessian"] },
    "emit: expected names among softmax, log_softmax,",
  ],
  [
    { emit: ["softmax", "softmax"] },
    "emit: expected each result once, found softmax twice",
  ],
  [
    { layout: "csc" },
    "layout: expected bsr or packed or csr or coo or factored or dense, found",
  ],
  [{ layout: "packed", emit: ["log_jacobian"] }, "which is not symmetric"],
  [
    { layout: "packed", emit: ["softmax"] },
    "expected jacobian or log_jacobian among the results for layout packed, found softmax",
  ],
  [
    { emit: ["vjp"] },
    "cotangent: expected the name of a column for vjp, found nothing",
  ],
  [
    { emit: ["column"] },
    "classColumn: expected the name of a column for column, found nothing",
  ],
  [
    { emit: ["column"], class: 1, classColumn: "y" },
    "class, classColumn: expected one of the two, found both",
  ],
  [
    { label: "y" },
    "label: expected a result that uses it (cross_entropy, gradient), found softmax, jacobian",
  ],
  [
    { class: 3 },
    "class: expected a result that uses it (column), found softmax, jacobian",
  ],
  [
    { emit: ["column"], class: -1 },
    "class: expected a whole number from 0 to 2147483647, found -1",
  ],
  [
    { emit: ["column"], class: 2 ** 31 },
    "class: expected a whole number from 0 to 2147483647, found 2147483648",
  ],
  [{ chunkRows: 0 }, "chunkRows: expected a whole number from 1, found 0"],
  [{ dtype: "float16" }, 'dtype: expected float32 or float64, found "float16"'],
  [
    { onBadRow: "nan" as never },
    'onBadRow: expected error or null or skip, found "nan"',
  ],
  [
    { threshold: 0.1 },
    "threshold: expected layout csr or coo, found bsr, which keeps every entry",
  ],
  [
    { topK: 3, layout: "packed" },
    "topK: expected layout csr or coo, found packed, which keeps every entry",
  ],
  [
    { threshold: -1, layout: "csr" },
    "threshold: expected a number from 0 to 1.7976931348623157e+308, found -1",
  ],
  [{ topK: 0, layout: "coo" }, "topK: expected a whole number from 1, found 0"],
  [
    { layout: "coo", onBadRow: "null" },
    "onBadRow: expected error or skip in layout coo, whose table rows are entries, found null",
  ],
  [
    { layout: "coo", keep: ["id", "label"] },
    "keep: expected no columns to keep in layout coo, whose table rows are entries (join them by row), found id, label",
  ],
  [
    { layout: "coo", emit: ["jacobian", "softmax"] },
    "emit: expected results of one value in layout coo, whose table rows are entries, found softmax",
  ],
  [
    { layout: "csr", emit: ["jacobian", "log_jacobian"] },
    "emit: expected one of jacobian, log_jacobian in layout csr, found both",
  ],
  [
    { layout: "csr", emit: ["softmax"] },
    "layout: expected jacobian or log_jacobian among the results for layout csr, found softmax",
  ],
  [
    { emit: ["jacobian", "dropped_max"] },
    "emit: expected layout csr or coo for dropped_max, found bsr, which leaves nothing out",
  ],
  [{ kernel: "gpu" }, 'kernel: expected auto or simd or plain, found "gpu"'],
  [{ force: "yes" }, 'force: expected true or false, found "yes"'],
  [{ keep: "id" }, 'keep: expected a list of names, found "id"'],
  [{ keep: [""] }, 'keep: expected a list of names, found [""]'],
  [{ keep: ["id", "id"] }, "keep: expected each column once, found id twice"],
  [
    { column: "a", columns: "b*" },
    "column, columns: expected one of the two, found both",
  ],
  [
    { thread: 2 },
    "expected an option among input, column, columns, onBadRow, nullLogit, allowMissingEos, emit, layout, threshold, topK, temperature, class, classColumn, label, cotangent, tangent, covariance, forceDense, output, keep, dtype, tensorType, compress, force, sync, threads, chunkRows, kernel, maxMetadataBytes, maxColumns, maxNesting, maxBatchRows, maxDecodedBytes, found thread",
  ],
];

test.each(WRONG)("%o is refused", (extra, message) => {
  const act = () => resolveOptions({ ...paths, ...extra } as RunOptions);
  expect(act).toThrow(UsageError);
  expect(act).toThrow(message);
});

test("threads that nobody asked for are a default", () => {
  const resolved = resolveOptions(paths);
  expect(resolved.threadsAsked).toBe(false);
  expect(resolved.threads).toBeGreaterThan(0);
});
