import { expect, test } from "vitest";
import {
  type RunOptions,
  resolveOptions,
} from "../../src/options/run-options.js";
import { pairsOf } from "../support/pairs-of.js";

const paths = { input: "a.arrow", output: "b.arrow" };

test("fills in defaults in a new frozen object", () => {
  const options: RunOptions = { ...paths, threads: 2, keep: ["id"] };
  const resolved = resolveOptions(options);
  expect(resolved).toEqual({
    ...{ ...paths, source: "a.arrow", part: null, keep: ["id"], threads: 2 },
    ...{ emit: ["softmax", "jacobian"], layout: "bsr", forceDense: false },
    ...{ temperature: 1, threshold: 0, partitions: [], inputs: [] },
    ...{ onBadRow: "error", nullLogit: "error", allowMissingEos: false },
    ...{ threadsExplicit: true, force: false, sync: true },
  });
  expect(Object.isFrozen(resolved)).toBe(true);
  expect(options).toEqual({ ...paths, threads: 2, keep: ["id"] });
  const { threads, threadsExplicit } = resolveOptions(paths);
  expect(threadsExplicit).toBe(false);
  expect(threads).toBeGreaterThan(0);
});

/** Wrong options, each followed by its message. */
const WRONG = `
{"input": ""}
input: expected a path, found ""
{"threads": 0}
threads: expected a whole number from 1 to 256, found 0
{"threads": 1.5}
threads: expected a whole number from 1 to 256, found 1.5
{"threads": "2"}
threads: expected a whole number from 1 to 256, found "2"
{"temperature": 0}
temperature: expected a number from 1e-100 to 1e+100, found 0
{"emit": []}
emit: expected at least one result
{"emit": ["softmax", "softmax"]}
emit: softmax is given twice
{"layout": "csc"}
layout: expected one of bsr, packed, csr, coo, factored, dense, found "csc"
{"layout": "packed", "emit": ["softmax"]}
layout: packed needs jacobian in emit, found softmax
{"emit": ["vjp"]}
cotangent: vjp needs the name of a column
{"emit": ["column"]}
class, classColumn: column needs one of them
{"emit": ["column"], "class": 1, "classColumn": "y"}
class, classColumn: give only one of them
{"label": "y"}
label: only for --emit cross_entropy, gradient, found softmax, jacobian
{"class": 3}
class: only for --emit column, found softmax, jacobian
{"emit": ["column"], "class": -1}
class: expected a whole number from 0 to 2147483647, found -1
{"emit": ["column"], "class": 2147483648}
class: expected a whole number from 0 to 2147483647, found 2147483648
{"chunkRows": 0}
chunkRows: expected a whole number from 1, found 0
{"dtype": "float16"}
dtype: expected one of float32, float64, found "float16"
{"onBadRow": "nan"}
onBadRow: expected one of error, null, skip, found "nan"
{"compress": "gzip"}
compress: expected one of lz4, zstd, found "gzip"
{"threshold": 0.1}
threshold: only layouts csr and coo drop entries; found layout bsr
{"topK": 3, "layout": "packed"}
topK: only layouts csr and coo drop entries; found layout packed
{"threshold": -1, "layout": "csr"}
threshold: expected a number from 0, found -1
{"topK": 0, "layout": "coo"}
topK: expected a whole number from 1, found 0
{"layout": "coo", "onBadRow": "null"}
onBadRow: layout coo has one table row per entry and cannot store null rows; use error or skip
{"layout": "coo", "keep": ["id", "label"]}
keep: layout coo has one table row per entry and cannot copy columns (id, label); join them by the column row instead
{"layout": "coo", "emit": ["jacobian", "softmax"]}
emit: layout coo has one table row per entry and cannot store softmax, which has several values per row; use layout csr
{"layout": "csr", "emit": ["jacobian", "log_jacobian"]}
emit: layout csr stores only one of jacobian and log_jacobian
{"layout": "csr", "emit": ["softmax"]}
layout: csr needs jacobian or log_jacobian in emit, found softmax
{"emit": ["jacobian", "dropped_max"]}
emit: dropped_max needs layout csr or coo, found bsr
{"classAxis": 0.5}
classAxis: expected a whole number from -64 to 63, found 0.5
{"force": "yes"}
force: expected true or false, found "yes"
{"keep": "id"}
keep: expected a list of names, found "id"
{"keep": [""]}
keep: expected a list of names, found [""]
{"column": "a", "columns": "b*"}
column, columns: give only one of them
{"thread": 2}
unknown option thread; the options are input, column, columns, classAxis, binary, pad, onBadRow, nullLogit, allowMissingEos, emit, layout, threshold, topK, temperature, temperatureFile, class, classColumn, label, classNames, cotangent, tangent, covariance, forceDense, features, intercept, coefficients, base, covarianceFile, output, keep, dtype, compress, force, sync, threads, chunkRows
`;

test.each<[extra: object, message: string]>([
  ...pairsOf(WRONG).map(([options, message]): [object, string] => [
    JSON.parse(options),
    message,
  ]),
  [{ output: undefined }, "output: expected a path, found nothing"],
  [
    { temperature: Number.NaN },
    "temperature: expected a number from 1e-100 to 1e+100, found NaN",
  ],
])("%j: %s", (extra, message) => {
  const error = expect.objectContaining({ code: "ERR_USAGE", message });
  expect(() => resolveOptions({ ...paths, ...extra })).toThrow(error);
});

test.each([
  [["softmax", "hessian"], /^emit: expected names among softmax, log_softmax,/],
  [["log_jacobian"], /which is not symmetric/],
])("emit %j", (emit, message) => {
  const options = { ...paths, layout: "packed", emit } as RunOptions;
  expect(() => resolveOptions(options)).toThrow(message);
});
