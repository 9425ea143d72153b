import { readdirSync, writeFileSync } from "node:fs";
import { float64, struct } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/index.js";
import { softjacIn } from "../cli/support.js";
import { npy } from "../support/array-files.js";
import {
  type Columns,
  type Type,
  writeArrow,
} from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { rows } from "../support/input-runs.js";
import { refused } from "../support/refused.js";
import { outputOf, runsIn, VERIFIED, verifyAll } from "../support/runs.js";

// Labels that are class names, that mark rows as unlabelled, and that are wrong.

const { at, run: runIn, input, output } = runsIn();

const write = (columns: Columns) =>
  writeArrow(input, columns, { batchRows: 3 });

const NAMES = ["cat", "a dog, old", "oiseau é"];
const CLASSES = [1, 0, null, 2, 2, 1, 0];
const TEXTS = CLASSES.map((k) => (k === null ? null : (NAMES[k] as string)));
const ROWS = CLASSES.map((_, r) => [r / 2, 1, -r]);
const logits: Columns[string] = [ROWS, "fixed_size_list<float64>[3]"];
/** Logits in a column per class. */
const columnsOf = (names: string[]): Columns =>
  Object.fromEntries(
    names.map((name, k) => [name, [ROWS.map((row) => row[k]), "float64"]]),
  );
const codes = "dictionary<int8, utf8>";

/** Expects -log p of the label of each row as cross entropy; null without a label. */
function expectLosses(classes: readonly (number | null)[]): void {
  const expected = classes.map((k, r) => {
    const row = ROWS[r] as number[];
    const sum = row.reduce((total, o) => total + Math.exp(o), 0);
    return k === null
      ? null
      : expect.closeTo(Math.log(sum) - (row[k] as number), 10);
  });
  expect(outputOf(output).column("cross_entropy")).toEqual(expected);
}

const RUN: Partial<RunOptions> = {
  ...{ column: "logits", label: "label", emit: ["cross_entropy"] },
  onBadRow: "null",
};
const run: typeof runIn = (options, hooks) =>
  runIn({ ...RUN, ...options }, hooks);

/** Runs with these options, verifies every byte without repeating them, and returns the warnings. */
async function warningsOf(options: Partial<RunOptions> = {}) {
  const warnings: string[] = [];
  const { metadata } = await run(options, {
    onEvent: (event) =>
      event.event === "warning" && warnings.push(event.message),
  });
  expect(await verifyAll(output, input)).toMatchObject(VERIFIED);
  return { warnings, names: metadata["softjac.class_names"] };
}

describe("labels that are class names", () => {
  const classNames = NAMES;
  const structs = ROWS.map((row) =>
    Object.fromEntries(NAMES.map((name, k) => [name, row[k]])),
  );
  const type = struct(Object.fromEntries(NAMES.map((n) => [n, float64()])));
  const label: Columns[string] = [TEXTS, "utf8"];
  const numbered = columnsOf(["x0", "x1", "x2"]);
  const byColumn = { column: undefined, columns: "x*" };
  const named = "cat,a dog\\, old,oiseau é";

  test.each<[string, Columns, Partial<RunOptions>]>([
    ["strings", { logits, label }, { classNames }],
    ["large", { logits, label: [TEXTS, "large_utf8"] }, { classNames }],
    ["a dictionary", { logits, label: [TEXTS, codes] }, { classNames }],
    ["fields of a struct", { logits: [structs, type], label }, {}],
    // The columns are in another order than the codes of the dictionary.
    [
      "columns",
      { ...columnsOf(NAMES), label: [TEXTS, codes] },
      { column: undefined, columns: named },
    ],
    ["not columns", { ...numbered, label }, { ...byColumn, classNames }],
  ])("%s", async (_, columns, options) => {
    write(columns);
    const names = JSON.stringify(NAMES);
    expect(await warningsOf(options)).toEqual({ warnings: [], names });
    expectLosses(CLASSES);
  });

  test("a class column", async () => {
    write({ logits, k: [TEXTS.map((text) => text ?? "cat"), "utf8"] });
    const { column } = await runIn({
      ...{ column: "logits", classNames: NAMES, classColumn: "k" },
      emit: ["column", "jacobian"],
    });
    expect(column("column")).toEqual(
      column("jacobian").map((block, r) =>
        block.filter((_: number, n: number) => n % 3 === (CLASSES[r] ?? 0)),
      ),
    );
  });

  test("a backslash escapes a comma in a name on the command line", () => {
    write({ logits, label });
    const line =
      "run in.arrow -o out.arrow -f --column logits --label label --emit cross_entropy --on-bad-row null --quiet --class-names";
    const done = softjacIn({ cwd: at(".") }, ...line.split(" "), named);
    expect(done).toMatchObject({ status: 0, stderr: "" });
    expectLosses(CLASSES);
  });

  test("without names, dictionary codes are the classes, with a warning", async () => {
    write({ logits, label: [TEXTS, codes] });
    expect((await warningsOf()).warnings).toEqual([
      "column label: the codes of its dictionary are the classes (0 is a dog, old, 1 is cat); use --class-names to match its strings instead",
    ]);
    expectLosses([0, 1, null, 2, 2, 0, 1]);
  });

  describe("commands for several files warn about the codes of each file", () => {
    const codesOf = (first: string, second: string) =>
      `column label: the codes of its dictionary are the classes (0 is ${first}, 1 is ${second}); use --class-names to match its strings instead`;
    const CODES = [codesOf("p", "q"), codesOf("q", "r")];
    const LOGITS = "reading logits from logits (float64, 3 classes)";
    const LIKE_P =
      "logits: the values of each of the first 3 rows are at least 0 and sum to 1; these look like probabilities, and softmax expects logits";
    const likeP = rows("1 0 0; 0.5 0.5 0; 0 0.5 0.5");
    for (const [k, texts] of ["pqr", "pqq", "qrr"].entries())
      writeArrow(at(`${k + 1}.arrow`), {
        logits: [likeP, "fixed_size_list<float64>[3]"],
        x: [[1, 2, 3], "float64"],
        label: [[...texts], codes],
      });
    writeFileSync(at("B.npy"), npy(Float64Array.of(1, 2), [1, 2]));
    const WITH_LABEL = "--column logits --label label";
    const NOTES = [LOGITS, CODES[0], LIKE_P, CODES[1]];
    const MODEL = "--features x --coefficients B.npy --covariance none";
    test.each([
      [`run -o set/ ${WITH_LABEL} --emit cross_entropy`, NOTES],
      [`reduce -o sums.arrow ${WITH_LABEL} --emit loglik`, NOTES],
      [`calibrate ${WITH_LABEL}`, NOTES],
      [`effects ${MODEL} --label label`, CODES],
    ])("%s", (line, expected) => {
      const args = [...line.split(" "), "1.arrow", "2.arrow", "3.arrow"];
      const { stderr } = softjacIn({ cwd: at(".") }, ...args);
      const lines = stderr.split("\n").slice(0, expected.length);
      expect(lines).toEqual(expected.map((text) => `softjac: ${text}`));
      expect(stderr.split("the codes of its").length - 1).toBe(2);
    });
  });

  test("labels of a model, and its features by number", () => {
    writeArrow(at("model.arrow"), {
      x_10: [[1, 2], "float64"],
      x_2: [[1, 2], "float64"],
      label: [["p", "q"], codes],
    });
    writeFileSync(at("B2.npy"), npy(Float64Array.of(1, 2, 3, 4), [2, 2]));
    const line =
      "model.arrow --features x_* --coefficients B2.npy --label label";
    const notes = [
      "columns that match x_* are ordered by number, not by their position in the file: feature 0 is x_2",
      "column label: the codes of its dictionary are the classes (0 is p, 1 is q); use --class-names to match its strings instead",
    ].map((text) => `softjac: ${text}\n`);
    const losses = "run -o model-out.arrow --emit cross_entropy";
    for (const command of [losses, "effects --covariance none"]) {
      const args = `${command} ${line}`.split(" ");
      const { stderr } = softjacIn({ cwd: at(".") }, ...args);
      expect(stderr).toContain(notes.join(""));
    }
  });

  const ADD =
    "is not the name of a class (cat, a dog, old, oiseau é); add it to --class-names, or use null for rows without a label";
  const birds = Array(7).fill("bird");
  test.each<[message: string, unknown[], Type, classNames: readonly string[]]>([
    [`row 4: "bird" ${ADD}`, TEXTS.with(4, "bird"), "utf8", NAMES],
    [`row 0: "bird" ${ADD}`, birds, codes, NAMES],
    [
      "classNames: expected 3 names, one per class, found 2; write \\, for a comma in a name",
      ...([CLASSES, "int32", ["a", "b"]] as const),
    ],
    [
      "classNames: a is given twice",
      ...([CLASSES, "int32", ["a", "b", "a"]] as const),
    ],
  ])("%s", async (text, values, type, classNames) => {
    write({ logits, label: [values, type] });
    const isRow = text.startsWith("row");
    await refused(
      run({ classNames }),
      isRow ? "ERR_INPUT_UNSUPPORTED" : "ERR_USAGE",
      isRow ? `${input}: column label, ${text}` : text,
    );
  });

  test("a string that is the name of no column", async () => {
    write({ ...numbered, label });
    await refused(
      run(byColumn),
      "ERR_INPUT_UNSUPPORTED",
      `${input}: column label, row 0: "a dog, old" is not the name of a class (x0, x1, x2); give the names with --class-names, or use null for rows without a label`,
    );
  });
});

test("report reads names and codes like run", async () => {
  const results = at("kept.arrow");
  const page = {
    ...{ results, output: at("page.html"), label: "label", force: true },
  };
  const keep = { output: results, column: "logits", keep: ["label"] };
  const predicted = ROWS.map((row) => row.indexOf(Math.max(...row)));
  const right = predicted.filter((k, r) => k === CLASSES[r]).length;
  const calibration = { rows: 6, unlabelled: 1, accuracy: right / 6 };
  for (const type of ["utf8", codes]) {
    write({ logits, label: [TEXTS, type] });
    await runIn({ ...keep, classNames: NAMES });
    expect(await built.report(page)).toMatchObject({ calibration });
    await runIn(keep);
    const named = await built.report({ ...page, classNames: NAMES });
    expect(named).toMatchObject({ calibration });
  }
  write({ logits, label: [TEXTS, "utf8"] });
  await runIn(keep);
  await expect(built.report(page)).rejects.toThrow(
    `${results}: column label has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c`,
  );
});

test.runIf(process.platform === "linux")(
  "no temporary file stays open if the logits are invalid",
  async () => {
    const empty: Columns[string] = [ROWS.map(() => []), "list<float64>"];
    write({ logits: empty, label: [TEXTS, "utf8"] });
    const open = () => readdirSync("/proc/self/fd").length;
    const failing = () =>
      expect(run({ classNames: NAMES })).rejects.toThrow(
        `${input}: row 0: expected at least 1 value, found 0; write null for rows without values (see --on-bad-row)`,
      );
    await failing();
    const before = open();
    for (let k = 0; k < 5; k++) await failing();
    expect(open()).toBe(before);
  },
);

test.each<[found: string, labels: (number | null)[], Type]>([
  ["null", [null, 1, 0, 2, 1, 0, 1], "int32"],
  ["-1", [-1, 1, 0, 2, 1, 0, 1], "int8"],
  ["-100", [-100, 1, 0, 2, 1, 0, 1], "int64"],
  ["NaN", [Number.NaN, 1, 0, 2, 1, 0, 1], "float64"],
])("a row with label %s is a bad row", async (found, labels, type) => {
  write({ logits, label: [labels, type] });
  const message = `${input}: row 0: expected a class from 0 to 2 in label, found ${found} (--on-bad-row null keeps the row as null, skip drops it)`;
  const failing = run({ onBadRow: "error" });
  await refused(failing, "ERR_BAD_ROW", message, { row: 0 });
  await warningsOf();
  expectLosses(labels.with(0, null));
  const all = outputOf(output).column("cross_entropy");
  await warningsOf({ onBadRow: "skip" });
  expect(outputOf(output).column("cross_entropy")).toEqual(all.slice(1));
});

const each = (of: (k: number) => unknown) =>
  CLASSES.map((k) => (k === null ? null : of(k)));

const HOT = rows("1 0 0; 0 1 0; 0 0 1");

test.each<[type: string, values: unknown[]]>([
  ["dictionary<int8, int64>", CLASSES],
  ["decimal(38,0)", CLASSES],
  ["list<int16>", each((k) => [k])],
  ["fixed_size_list<float32>[3]", each((k) => HOT[k])],
  ["bool", CLASSES.map((k) => k === 1)],
])("labels of %s", async (type, values) => {
  write({ logits, label: [values, type] });
  expect((await warningsOf()).warnings).toEqual([]);
  expectLosses(type === "bool" ? CLASSES.map((k) => Number(k === 1)) : CLASSES);
});

const COUNTED =
  "classes are counted from 0; give other codes in class order, such as --class-names 1,2,3";
const REPLACE = "replace 255 by -100 or null where it marks labels to ignore";

describe("a label that is not a class is an error for every --on-bad-row", () => {
  test.each<[number, Type, string?]>([
    [3, "int32"],
    [-2, "int8"],
    [0.5, "float64"],
    [Infinity, "float64"],
    [255, "int32", REPLACE],
  ])("%s", async (wrong, type, advice = COUNTED) => {
    write({ logits, label: [[0, -100, 1, 2, wrong, 1, 0], type] });
    const message = `${input}: row 4: expected a class from 0 to 2 in label, or null, -1 or -100 for no label, found ${wrong} (${advice})`;
    const failing = run({ emit: ["gradient"] });
    await refused(failing, "ERR_BAD_ROW", message, { row: 4 });
    write({ logits, label: [[0, 0, 1, 2, wrong, 1, 0], type] });
    await expect(run({ onBadRow: "error" })).rejects.toThrow(message);
  });

  const emit = ["jacobian", "cross_entropy"] as const;
  test.each<Partial<RunOptions>>([
    { emit },
    { emit, layout: "csr" },
    { emit: ["gradient"], onBadRow: "skip" },
    { emit, onBadRow: "skip" },
    { emit, onBadRow: "skip", layout: "csr" },
    { emit, onBadRow: "skip", layout: "coo" },
  ])("%j", async (options) => {
    write({ logits, label: [[0, -100, 1, 2, 3, 1, 0], "int32"] });
    await expect(run(options)).rejects.toThrow("row 4: expected a class from");
  });

  test("also in a row with bad logits, and in memory", async () => {
    const bad = ROWS.with(2, [Number.NaN, 0, 0]);
    const logits: Columns[string] = [bad, "fixed_size_list<float64>[3]"];
    const writeBad = (...label: number[]) =>
      write({ logits, label: [label, "int32"] });
    writeBad(0, 1, 7, 1, 1, 1, 1);
    const text = "row 2: expected a class";
    for (const onBadRow of ["null", "error"] as const)
      await expect(run({ onBadRow })).rejects.toThrow(text);
    writeBad(0, 1, -1, 1, 1, 1, 1);
    // The logits of a row without a label are named first.
    await expect(run({ onBadRow: "error" })).rejects.toThrow(
      "row 2: expected finite logits or -inf for masked classes, found NaN in class 0",
    );
    const losses = (logits: number[], label: number[]) =>
      built.softmaxResults(Float64Array.from(logits), {
        ...{ rows: label.length, classes: 2, label, onBadRow: "nan" },
        emit: ["cross_entropy"],
      }).cross_entropy;
    expect(() => losses([1, 2, 3, 4], [-100, 2])).toThrow(
      "logits: row 1: expected a class from 0 to 1 in label, or null, -1 or -100 for no label, found 2 (classes are counted from 0)",
    );
    expect(losses([1, 2], [-100])).toEqual(Float64Array.of(Number.NaN));
  });
});

describe("labels that are codes, with --class-names in class order", () => {
  const CODES = [10, 30, 20];
  const coded = CLASSES.map((k) => (k === null ? null : (CODES[k] as number)));
  const classNames = CODES.map(String);

  test.each(["int32", "int8", "float64", "dictionary<int8, int32>", "utf8"])(
    "%s",
    async (type) => {
      const values = type === "utf8" ? coded.map((y) => y && `${y}`) : coded;
      write({ logits, label: [values, type] });
      await run({ classNames });
      expectLosses(CLASSES);
      expect(await verifyAll(output, input)).toMatchObject(VERIFIED);
    },
  );

  test("codes that are the names of the columns, and in a report", async () => {
    const label: Columns[string] = [coded, "int32"];
    write({ ...columnsOf(classNames), label });
    const byColumn = { column: undefined, columns: classNames.join() };
    const emit = ["softmax", "cross_entropy"] as const;
    const { metadata } = await run({
      ...{ ...byColumn, classNames, emit: [...emit], keep: ["label"] },
    });
    expect(metadata["softjac.class_codes"]).toBe("true");
    expectLosses(CLASSES);
    expect(await verifyAll(output, input)).toMatchObject(VERIFIED);
    const page = { output: at("codes.html"), label: "label", force: true };
    const { calibration } = await built.report({ ...page, results: output });
    expect(calibration).toMatchObject({ rows: 6 });
    // Without the option, the names of the columns are no codes.
    write({ ...columnsOf(["1", "2", "3"]), label: [CLASSES, "int32"] });
    const plain = { ...byColumn, columns: "1,2,3", keep: ["label"] };
    const { metadata: named } = await run({ ...plain, emit: [...emit] });
    expect(named["softjac.class_names"]).toBe('["1","2","3"]');
    expect(named).not.toHaveProperty("softjac.class_codes");
    expectLosses(CLASSES);
    expect(await verifyAll(output, input)).toMatchObject(VERIFIED);
    const report = await built.report({ ...page, results: output });
    expect(report.calibration).toMatchObject({ rows: 6 });
  });

  test("a code that is not a name, and names that are the class numbers", async () => {
    write({ logits, label: [[10, 30, null, 40, 20, 10, 10], "int32"] });
    await expect(run({ classNames })).rejects.toThrow(
      'column label, row 3: "40" is not the name of a class (10, 30, 20); add it to --class-names, or use null for rows without a label',
    );
    write({ logits, label: [CLASSES, "int32"] });
    await run({ classNames: ["0", "1", "2"] });
    expectLosses(CLASSES);
  });
});
