import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import type { EffectsReport } from "../../src/index.js";
import { CLI, softjac, softjacIn } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import {
  columnsOf,
  drawn,
  readOutput,
  writeDrawn,
  writeMatrix,
} from "../support/sums-files.js";

// What the commands reduce and effects refuse: one sentence, an exit code, no output.

const at = workDirectory();
const B = [
  [0.4, -0.3],
  [0.8, -0.5],
  [-0.2, 0.3],
];
const data = drawn(
  60,
  B.map((row) => [0, ...row]),
  2,
);
const input = writeDrawn(at("data.arrow"), data);
const matrix = (name: string, rows: number[][]) => writeMatrix(at(name), rows);
const b = matrix("B.npy", B);
const eye = (n: number): number[][] =>
  Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)),
  );

/** Writes the data with some columns replaced. */
function changed(name: string, columns: Columns): string {
  const path = at(`${name}.arrow`);
  writeArrow(path, { ...columnsOf(data), ...columns });
  return path;
}

const spoiled = (key: "label" | "w", row: number, value: number | null) => {
  const values = key === "w" ? data.weight : data.label;
  const type = key === "w" ? "float64" : "int32";
  return changed(`${key}-${value}`, {
    [key]: [values.map((v, r) => (r === row ? value : v)), type],
  });
};
const feature = (value: number | null) =>
  changed(`a-${value}`, {
    a: [data.x.map((x, r) => (r === 40 ? value : x[1])), "float64"],
  });
changed("collinear", {
  a: [data.x.map((x) => 2 * (x[2] as number) + 1), "float64"],
});
writeDrawn(at("empty.arrow"), drawn(0, B));
const text = changed("text", {
  label: [data.label.map((y) => `c${y}`), "utf8"],
});
const wide = at("wide.arrow");
const list = (n: number) =>
  [[new Array(n).fill(0)], `fixed_size_list<float64>[${n}]`] as never;
writeArrow(wide, { logits: list(1000), h: list(300) });

const MODEL = "--features a,b --intercept";
const ROWS = `${MODEL} --coefficients B.npy`;
const FEATURES = "--features a,b --coefficients B.npy";
const model = [...MODEL.split(" "), "--coefficients", b];

matrix("T.npy", [
  [1, 2, 3],
  [1, 2, 3],
]);
matrix("one.npy", [[1], [2], [3]]);
matrix("nan.npy", [
  [1, 2],
  [3, Number.NaN],
  [5, 6],
]);
matrix("huge.npy", [
  [1, 1],
  [1e308, 1],
  [1e308, 1],
]);
changed("taken", {
  weight: [data.label, "int32"],
  term: [data.label, "int32"],
  kfac_output: [data.label, "int32"],
});
writeFileSync(
  at("arrays.npz"),
  zip({
    "a.npy": npy(Float64Array.of(1, 2)),
    "b.npy": npy(Float64Array.of(1, 2)),
    "logits.npy": npy(Float64Array.of(1, 2, 3, 4), [2, 2]),
  }),
);
writeArrow(at("nulls.arrow"), {
  logits: [
    [
      [1, 2],
      [null, 3],
    ],
    "list<float64>",
  ],
});
const six = Float64Array.of(1, 2, 3, 4, 5, 6);
writeFileSync(at("B3.npy"), npy(six, [3, 1, 2]));
writeFileSync(at("vector.npy"), npy(six));
writeArrow(at("lowest.arrow"), {
  logits: [
    [
      [1, 2],
      [-Number.MAX_VALUE, 3],
    ],
    "fixed_size_list<float64>[2]",
  ],
  label: [[0, 1], "int32"],
});
matrix("V5.npy", eye(5));
matrix("Vasym.npy", eye(6).with(0, [1, 0.12, 0, 0, 0, 0]));
matrix(
  "Vlarge.npy",
  eye(6).map((row) => row.map((value) => 1e308 * value)),
);
matrix("Vneg.npy", eye(6).with(0, [-1, 0, 0, 0, 0, 0]));
changed("w0", { w: [data.weight.map(() => 0), "float64"] });
for (const value of [7, null]) spoiled("label", 50, value);
for (const value of [-1, null]) spoiled("w", 33, value);
for (const value of [Number.NaN, null, 1e200]) feature(value);

/** Command lines and their messages by exit code; _ is the output. */
const REFUSED: Record<number, Record<string, string>> = {
  64: {
    [`effects data.arrow ${ROWS} --base 3`]:
      "--base: expected a class from 0 to 2, found 3",
    [`effects data.arrow ${ROWS} --covariance none --covariance-file V5.npy`]:
      "--covariance, --covariance-file: give only one of them",
    [`effects data.arrow ${ROWS} --covariance robust`]:
      "--covariance: robust needs --label",
    [`effects data.arrow ${ROWS} --covariance robust --label label --weight w`]:
      "--covariance: robust does not support --weight",
    [`effects data.arrow ${ROWS} --contrast a=1:x`]:
      "--contrast: expected a feature, or feature=from:to with two numbers, found a=1:x",
    [`effects data.arrow ${ROWS} --class-names p,q,p`]:
      "--class-names: p is given twice",
    [`effects data.arrow ${ROWS} --terms a,b,a`]: "--terms: a is given twice",
    [`effects data.arrow ${ROWS} --contrast a,b,a`]:
      "--contrast: a is given twice",
    "effects data.arrow":
      'missing required option --features; run "softjac effects --help"',
    [`effects data.arrow ${ROWS} --partial`]: "--partial: needs --output",
    [`effects taken.arrow -o _ ${ROWS} --by group,term`]:
      "--by: the output has a column term of its own; rename the column term of the input",
    "reduce taken.arrow -o _ --column logits --by weight":
      "--by: the output has a column weight of its own; rename the column weight of the input",
    "reduce taken.arrow -o _ --column logits --features a --emit kfac --by kfac_output":
      "--by: the output has a column kfac_output of its own; rename the column kfac_output of the input",
    "reduce data.arrow -o _ --column logits --label label":
      "--label: only for --emit cross_entropy, gradient, accuracy, loglik, score, opg, found softmax, jacobian",
    "reduce data.arrow -o _ --column logits --emit fisher":
      "--emit: fisher needs --features",
    [`reduce data.arrow -o _ ${ROWS} --emit score`]:
      "--emit: score needs --label",
    [`reduce data.arrow -o _ ${ROWS} --emit opg --label label --weight w`]:
      "--emit: opg does not support --weight, since frequency weights need w and sampling weights w²",
    [`reduce data.arrow -o _ ${ROWS} --column logits`]:
      "--column: with coefficients the logits are features × coefficients; give only one of them",
    [`reduce data.arrow -o _ ${ROWS} --temperature 2`]:
      "--temperature: coefficients need 1",
    "reduce data.arrow -o _ --coefficients B.npy":
      "--coefficients: needs --features",
    [`reduce data.arrow -o _ ${ROWS} --by group,group`]:
      "--by: group is given twice",
    [`reduce data.arrow data.arrow -o _ ${ROWS}`]:
      "data.arrow is given twice; its rows would count twice",
    [`effects data.arrow w0.arrow ./data.arrow ${ROWS}`]:
      "./data.arrow is the same file as data.arrow; its rows would count twice",
    [`reduce data.arrow -o _ ${ROWS} --emit fisher --max-sums-bytes 4000 --threads 2`]:
      "--max-sums-bytes: 37 sums take 6.43 kB with 2 threads, more than the maximum (4 kB); raise it, or use fewer threads or smaller results",
    [`reduce data.arrow -o data.arrow --force ${ROWS}`]:
      "--output: data.arrow is the same file as the input data.arrow; choose another path",
  },
  65: {
    [`effects data.arrow ${MODEL} --coefficients T.npy`]:
      "T.npy: array: expected 3 rows, one per feature with the intercept, found 2 × 3; it looks like classes × features, so save its transpose",
    [`effects data.arrow ${FEATURES}`]:
      "B.npy: array: expected 2 rows, one per feature, found 3 × 2; if its first row is the intercept, add --intercept; or it looks like classes × features, so save its transpose",
    [`effects data.arrow ${MODEL} --coefficients one.npy --base none`]:
      "one.npy: array: it has one column and --base none makes it the only class; a two-class model with one column (scikit-learn's binary coef_) needs --base 0",
    [`effects data.arrow ${MODEL} --coefficients nan.npy`]:
      "nan.npy: [1,1]: expected a finite number, found NaN",
    [`effects data.arrow ${MODEL} --coefficients huge.npy --by group`]:
      "data.arrow: row 0: expected features × coefficients that float64 can hold, found an infinite product or sum (--on-bad-row skip leaves such rows out)",
    [`effects data.arrow ${ROWS} --covariance-file V5.npy`]:
      "V5.npy: array: expected 6 × 6, or 9 × 9 with the reference class, for 3 features and 3 classes; found 5 × 5",
    [`effects data.arrow ${ROWS} --covariance-file Vasym.npy`]:
      "Vasym.npy: array: it is not symmetric: [0,1] is 0.12 and [1,0] is 0",
    [`effects data.arrow ${ROWS} --covariance-file Vneg.npy`]:
      "Vneg.npy: array: it is not positive semidefinite, so it is no covariance",
    [`effects data.arrow ${ROWS} --covariance-file Vlarge.npy --terms b`]:
      "Vlarge.npy: dydx of b, class 0: its variance exceeds float64; scale the features, their coefficients and the covariance, or the weights",
    "reduce nulls.arrow -o _ --quiet":
      "nulls.arrow: row 1: expected finite logits or -inf for masked classes, found null in class 0 (--on-bad-row skip leaves such rows out, --null-logit mask masks the class)",
    [`effects data.arrow ${MODEL} --coefficients B3.npy`]:
      "B3.npy: array: expected a two-dimensional array of numbers, found one of shape (3, 1, 2); reshape it",
    [`effects data.arrow ${MODEL} --coefficients vector.npy`]:
      "vector.npy: array: expected a two-dimensional array of numbers in an .npy file, with rows and columns; reshape a vector with x.reshape(-1, 1)",
    "calibrate lowest.arrow --label label --quiet":
      "lowest.arrow: rows 0 to 1: a term of a sum is infinite: log_softmax or the loss of a masked class, or a value near the end of float64; mask classes with -inf, not with the smallest float",
    [`effects arrays.npz ${ROWS}`]:
      "arrays.npz: --features a,b: a file of arrays has all features in one array of shape (rows, features); the file has a: float64 [2], b: float64 [2], logits: float64 [2, 2]; save numpy.column_stack([…])",
    "reduce arrays.npz -o _ --column logits --features a,b --emit kfac":
      "arrays.npz: --features a,b: a file of arrays has all features in one array of shape (rows, features); the file has a: float64 [2], b: float64 [2], logits: float64 [2, 2]; save numpy.column_stack([…])",
    [`effects data.arrow ${ROWS} --terms c`]:
      "data.arrow: --terms c: there is no such feature; the features are (intercept), a, b",
    [`effects data.arrow ${ROWS} --contrast c`]:
      "data.arrow: --contrast c: there is no such feature; the features are (intercept), a, b",
    [`effects collinear.arrow ${ROWS}`]:
      "collinear.arrow: Fisher information: it is singular: b of class 1 is determined by the terms before it (a collinear feature, or classes that are separated)",
    [`effects empty.arrow ${ROWS}`]:
      "empty.arrow: rows: expected at least one good row, found none in 0",
    [`effects w0.arrow ${ROWS} --weight w`]:
      "w0.arrow: rows: expected a weight above 0, found only 0 in 60 good rows",
    [`effects text.arrow ${ROWS} --label label`]:
      "text.arrow: column label has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c",
    [`effects label-7.arrow ${ROWS} --label label --by group --on-bad-row skip`]:
      "label-7.arrow: row 50: expected a class from 0 to 2 in label, or null, -1 or -100 for no label, found 7 (classes are counted from 0; give other codes in class order, such as --class-names 1,2,3)",
    [`effects label-null.arrow ${ROWS} --label label --by group`]:
      "label-null.arrow: row 50: expected a class from 0 to 2 in label, found null (--on-bad-row skip leaves such rows out)",
    [`reduce w--1.arrow -o _ ${ROWS} --weight w`]:
      "w--1.arrow: row 33: expected a finite weight of at least 0 in w, found -1 (--on-bad-row skip leaves such rows out)",
    [`reduce w-null.arrow -o _ ${ROWS} --weight w`]:
      "w-null.arrow: row 33: expected a finite weight of at least 0 in w, found null (--on-bad-row skip leaves such rows out)",
    [`reduce data.arrow -o _ ${ROWS} --weight group`]:
      "data.arrow: column group: expected numbers for --weight, found utf8; write one number from 0 for each row",
    [`reduce data.arrow -o _ ${ROWS} --weight x`]:
      "data.arrow: column x: expected numbers for --weight, found fixed_size_list<float64>[3]; write one number from 0 for each row",
    [`reduce a-NaN.arrow -o _ ${ROWS}`]:
      "a-NaN.arrow: row 40: expected a finite number in feature a, found NaN (--on-bad-row skip leaves such rows out)",
    [`reduce a-null.arrow -o _ ${ROWS}`]:
      "a-null.arrow: row 40: expected a finite number in feature a, found null (--on-bad-row skip leaves such rows out)",
    [`reduce a-1e+200.arrow -o _ ${ROWS} --emit fisher`]:
      "a-1e+200.arrow: row 40, feature a: the square of 1e+200 exceeds float64; scale the feature",
    "reduce data.arrow -o _ --features a,c --coefficients B.npy":
      "data.arrow: --features c: no such column; the file has a: float64, b: float64, x: fixed_size_list<float64>[3], logits: fixed_size_list<float64>[3], label: int32, w: float64, group: utf8",
    "reduce data.arrow -o _ --features a,group --coefficients B.npy":
      "data.arrow: column group: expected numbers (it matches a,group), found utf8; --features takes one column of numbers per feature",
    "reduce wide.arrow -o _ --column logits --features h --emit fisher":
      "wide.arrow: sums: the results of 1000 classes and 300 features need more than 4 GiB of sums; choose smaller ones, such as kfac instead of fisher",
  },
  66: {
    [`effects none.arrow ${ROWS}`]: "none.arrow: no such file or directory",
    [`effects no*.arrow ${ROWS}`]: "no file matches no*.arrow",
    [`effects data.arrow ${MODEL} --coefficients none.npy`]:
      "none.npy: no such file or directory",
  },
};

describe.each(Object.entries(REFUSED))("%s", (exit, lines) => {
  test.each(Object.entries(lines))("%s", (line, message) => {
    const found = softjacIn({ cwd: at("") }, ...line.split(" "));
    expect(found).toEqual({
      ...{ status: Number(exit), stdout: "", stderr: `softjac: ${message}\n` },
    });
    expect(existsSync(at("_"))).toBe(false);
  });
});

describe("bad rows that are left out are in no sum", () => {
  const good = data.x.map((_, r) => r).filter((r) => r !== 40);
  const rest = Object.fromEntries(
    Object.entries(data).map(([name, all]) => [name, good.map((r) => all[r])]),
  ) as unknown as typeof data;
  const without = writeDrawn(at("without.arrow"), rest);
  const options = {
    ...{ features: "a,b", intercept: true, coefficients: b, label: "label" },
    ...{ onBadRow: "skip" as const, contrast: ["a", "b"] },
  };
  test.each([undefined, ["group"]])("by %s", async (by) => {
    const expected = await built.effects({ ...options, by, inputs: [without] });
    for (const bad of [
      feature(Number.NaN),
      feature(null),
      spoiled("label", 40, null),
    ]) {
      const report = await built.effects({ ...options, by, inputs: [bad] });
      expect(report).toMatchObject({ rows: 60, badRows: 1 });
      expect(report.firstBadRow).toEqual({ input: bad, row: 40 });
      expect(report.effects).toEqual(expected.effects);
      expect(report.newtonDecrement).toBe(expected.newtonDecrement);
    }
  });
});

test("labels by name, and a table on standard output", () => {
  const found = (...args: string[]) =>
    softjac("effects", ...args, ...model, "--label", "label", "--terms", "a");
  const named = found(text, "--class-names", "c0,c1,c2", "--json").stdout;
  const plain = found(input, "--json").stdout;
  expect(JSON.parse(named).effects).toEqual(
    (JSON.parse(plain) as EffectsReport).effects.map((row) => ({
      ...row,
      class: `c${row.class}`,
    })),
  );
  const [header, ...lines] = found(input, "--covariance", "none").stdout.split(
    "\n",
  );
  expect(header).toMatch(/^effect +class +term +estimate$/);
  const words = lines.slice(0, 3).map((line) => line.split(/ +/).slice(0, 3));
  expect(words).toEqual(["0", "1", "2"].map((c) => ["dydx", c, "a"]));
});

test("with an output file, the summary is on standard error, and --quiet hides it", () => {
  const output = at("quiet.arrow");
  const part = at("part.arrow");
  const first = softjac("reduce", input, "-o", part, "--partial", ...model);
  expect(first.status).toBe(0);
  for (const [summary, ...args] of [
    [`${output}: 6 rows`, "effects", input, ...model],
    [`T = `, "calibrate", input, "--column", "logits", "--label", "label"],
    [output, "merge", part],
  ] as const) {
    const path = args[0] === "calibrate" ? at("T.json") : output;
    const call = (...more: string[]) =>
      softjac(...args, "-o", path, "--force", ...more);
    const shown = call();
    expect(shown).toMatchObject({ status: 0, stdout: "" });
    expect(shown.stderr).toContain(summary);
    const quiet = { status: 0, stdout: "", stderr: "" };
    expect(call("--quiet")).toMatchObject(quiet);
  }
});

test("an output that exists, and standard input", async () => {
  const taken = at("taken.arrow");
  writeFileSync(taken, "x");
  const { status, stderr } = softjac("reduce", input, "-o", taken, ...model);
  expect(stderr).toBe(
    `softjac: ${taken} already exists; use --force to overwrite it\n`,
  );
  expect(status).toBe(73);
  expect(readFileSync(taken, "utf8")).toBe("x");
  const piped = at("piped.arrow");
  const child = spawn(process.execPath, [
    CLI,
    "reduce",
    "-",
    "-o",
    piped,
    ...model,
  ]);
  child.stdin.end(readFileSync(input));
  expect(await once(child, "exit")).toEqual([0, null]);
  await built.reduce({
    ...{ inputs: [input], output: taken, force: true },
    ...{ features: "a,b", intercept: true, coefficients: b },
  });
  expect(readFileSync(piped)).toEqual(readFileSync(taken));
  expect(readOutput(piped).columns.rows).toEqual([60n]);
});

test("a call that is aborted leaves nothing", async () => {
  const output = at("aborted.arrow");
  const many = Array.from({ length: 20 }, (_, k) => {
    writeFileSync(at(`copy ${k}.arrow`), readFileSync(input));
    return at(`copy ${k}.arrow`);
  });
  const controller = new AbortController();
  let calls = 0;
  const running = built.reduce(
    { inputs: many, output, features: "a,b", intercept: true, coefficients: b },
    {
      signal: controller.signal,
      onProgress: () => {
        if (++calls === 2) controller.abort();
      },
    },
  );
  await expect(running).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(existsSync(output)).toBe(false);
  await expect(
    built.effects(
      { inputs: many, features: "a,b", intercept: true, coefficients: b },
      { signal: AbortSignal.abort() },
    ),
  ).rejects.toMatchObject({ code: "ERR_ABORTED" });
});

test.each([
  [100, 0],
  [750, 1],
])(
  "%i classes: %i threads start, so that signals do not wait for a long block of rows",
  async (classes, count) => {
    const wide = at(`${classes}.arrow`);
    writeLogits(wide, { rows: 1024, classes, logit: (r, k) => (r * k) % 7 });
    let started = 0;
    const onWorker = () => started++;
    process.on("worker", onWorker);
    await built.reduce(
      {
        ...{ inputs: [wide], output: at("wide-sums.arrow"), force: true },
        ...{ emit: ["jacobian"], threads: 1 },
      },
      { mainThread: true },
    );
    process.off("worker", onWorker);
    expect(started).toBe(count);
  },
);

test("without address space for WebAssembly (ulimit -v), sums say so", async () => {
  const refuse = (): never => {
    throw new RangeError("WebAssembly.Memory(): could not allocate memory");
  };
  const memory = vi.spyOn(WebAssembly, "Memory").mockImplementation(refuse);
  const model = { features: "a,b", intercept: true, coefficients: b };
  const output = at("none.arrow");
  const error = {
    code: "ERR_CONFIGURATION",
    message:
      "the system gives no memory for sums; WebAssembly reserves about 10 GB of address space for each thread: raise the limit (ulimit -v), or use fewer --threads",
  };
  try {
    const inputs = [input];
    await expect(built.effects({ inputs, ...model })).rejects.toMatchObject(
      error,
    );
    await expect(
      built.reduce({ inputs, ...model, output }),
    ).rejects.toMatchObject(error);
  } finally {
    memory.mockRestore();
  }
});

test("a call that is aborted does not wait for a long block of rows", async () => {
  const wide = at("long.arrow");
  writeLogits(wide, {
    rows: 1024,
    classes: 2500,
    logit: (r, k) => (r * k) % 7,
  });
  const controller = new AbortController();
  // The thread gets its task once it is online.
  process.once("worker", (worker) =>
    worker.once("message", () => controller.abort()),
  );
  const onProgress = vi.fn();
  const options = { inputs: [wide], output: at("none.arrow"), threads: 1 };
  const running = built.reduce(options, {
    signal: controller.signal,
    onProgress,
  });
  await expect(running).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(onProgress).not.toHaveBeenCalled();
});
