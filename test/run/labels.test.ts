import { readdirSync, readFileSync } from "node:fs";
import {
  dictionary,
  fixedSizeList,
  float64,
  int8,
  int32,
  int64,
  largeUtf8,
  list,
  struct,
  tableFromIPC,
  utf8,
} from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/index.js";
import { softjacIn } from "../cli/support.js";
import {
  type Columns,
  type Type,
  writeArrow,
} from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { read } from "../support/plain-rows.js";

// Labels that are class names, that mark rows as unlabelled, and that are wrong.

const at = workDirectory();
const input = at("in.arrow");
const output = at("out.arrow");

const write = (columns: Columns) =>
  writeArrow(input, columns, { batchRows: 3 });

const NAMES = ["cat", "a dog, old", "oiseau é"];
const CLASSES = [1, 0, null, 2, 2, 1, 0];
const TEXTS = CLASSES.map((k) => (k === null ? null : (NAMES[k] as string)));
const ROWS = CLASSES.map((_, r) => [r / 2, 1, -r]);
const logits: Columns[string] = [ROWS, fixedSizeList(float64(), 3)];

const column = (name: string) => read(output, name);

/** Returns -log p of the label of each row; null without a label. */
function crossEntropy(classes: readonly (number | null)[]): unknown[] {
  return ROWS.map((row, r) => {
    const k = classes[r] ?? null;
    const sum = row.reduce((total, o) => total + Math.exp(o), 0);
    return k === null
      ? null
      : expect.closeTo(Math.log(sum) - (row[k] as number), 10);
  });
}

const RUN: RunOptions = {
  input,
  output,
  column: "logits",
  label: "label",
  emit: ["cross_entropy"],
  onBadRow: "null",
  force: true,
};

/** Runs with these options, and verifies every byte without repeating them. */
async function results(options: Partial<RunOptions> = {}): Promise<string[]> {
  const warnings: string[] = [];
  await built.run(
    { ...RUN, ...options },
    {
      onEvent: (event) =>
        event.event === "warning" && warnings.push(event.message),
    },
  );
  const report = await built.verify({ output, input, all: true });
  expect(report).toMatchObject({
    ok: true,
    problems: [],
    bytes: { compared: true, message: null },
  });
  return warnings;
}

function metadata(): Map<string, string> {
  return new Map(
    tableFromIPC(readFileSync(output)).schema.metadata ?? new Map(),
  );
}

describe("labels that are class names", () => {
  test.each<[string, unknown[], Type]>([
    ["strings", TEXTS, utf8()],
    ["large strings", TEXTS, largeUtf8()],
    ["a dictionary in order of first use", TEXTS, dictionary(utf8(), int8())],
  ])("%s", async (_, values, type) => {
    write({ logits, label: [values, type] });
    expect(await results({ classNames: NAMES })).toEqual([]);
    expect(column("cross_entropy")).toEqual(crossEntropy(CLASSES));
    expect(metadata().get("softjac.class_names")).toBe(JSON.stringify(NAMES));
  });

  test("a class column", async () => {
    const all = TEXTS.map((text) => text ?? "cat");
    write({ logits, k: [all, utf8()] });
    const { label: _, ...others } = RUN;
    await built.run({
      ...others,
      classNames: NAMES,
      classColumn: "k",
      emit: ["column", "jacobian"],
    });
    const blocks = column("jacobian") as number[][];
    expect(column("column")).toEqual(
      blocks.map((block, r) => {
        const k = CLASSES[r] ?? 0;
        return block.filter((_, n) => n % 3 === k);
      }),
    );
  });

  test("a backslash escapes a comma in a name on the command line", () => {
    write({ logits, label: [TEXTS, utf8()] });
    const { status, stderr } = softjacIn(
      { cwd: at(".") },
      ..."run in.arrow -o out.arrow -f --column logits --label label --emit cross_entropy --on-bad-row null --class-names".split(
        " ",
      ),
      "cat,a dog\\, old,oiseau é",
      "--quiet",
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(column("cross_entropy")).toEqual(crossEntropy(CLASSES));
  });

  test("names of columns and fields are used, not dictionary codes", async () => {
    const fields = Object.fromEntries(NAMES.map((name) => [name, float64()]));
    const rows = ROWS.map((row) =>
      Object.fromEntries(NAMES.map((name, k) => [name, row[k]])),
    );
    for (const type of [utf8(), dictionary(utf8(), int8())]) {
      write({ logits: [rows, struct(fields)], label: [TEXTS, type] });
      expect(await results()).toEqual([]);
      expect(column("cross_entropy")).toEqual(crossEntropy(CLASSES));
      write({
        ...Object.fromEntries(
          NAMES.map((name, k) => [
            name,
            [ROWS.map((row) => row[k]), float64()],
          ]),
        ),
        label: [TEXTS, type],
      });
      const columns = "cat,a dog\\, old,oiseau é";
      expect(await results({ column: undefined, columns })).toEqual([]);
      expect(column("cross_entropy")).toEqual(crossEntropy(CLASSES));
    }
  });

  test("--class-names overrides names of columns, and verify uses them", async () => {
    write({
      ...Object.fromEntries(
        ["x0", "x1", "x2"].map((name, k) => [
          name,
          [ROWS.map((row) => row[k]), float64()],
        ]),
      ),
      label: [TEXTS, utf8()],
    });
    const columns = "x*";
    await results({ column: undefined, columns, classNames: NAMES });
    expect(column("cross_entropy")).toEqual(crossEntropy(CLASSES));
    expect(metadata().get("softjac.class_names")).toBe(JSON.stringify(NAMES));
    await expect(
      built.run({ ...RUN, column: undefined, columns }),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_UNSUPPORTED",
      message: `${input}: column label, row 0: "a dog, old" is not the name of a class (x0, x1, x2); give the names with --class-names, or use null for rows without a label`,
    });
  });

  test("without names, dictionary codes are the classes, with a warning", async () => {
    write({ logits, label: [TEXTS, dictionary(utf8(), int8())] });
    expect(await results()).toEqual([
      "column label: the codes of its dictionary are the classes (0 is a dog, old, 1 is cat); use --class-names to match its strings instead",
    ]);
    const codes = [0, 1, null, 2, 2, 0, 1];
    expect(column("cross_entropy")).toEqual(crossEntropy(codes));
  });

  test("the values of a dictionary of numbers are the classes", async () => {
    write({ logits, label: [CLASSES, dictionary(int64(), int8())] });
    expect(await results()).toEqual([]);
    expect(column("cross_entropy")).toEqual(crossEntropy(CLASSES));
  });

  test.each<[string, unknown[], Type, Partial<RunOptions>, object]>([
    [
      "no names",
      TEXTS,
      utf8(),
      {},
      {
        code: "ERR_LOGITS_COLUMN",
        message: `${input}: column label has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c`,
      },
    ],
    [
      "a string that is no class",
      TEXTS.with(4, "bird"),
      utf8(),
      { classNames: NAMES },
      {
        code: "ERR_INPUT_UNSUPPORTED",
        message: `${input}: column label, row 4: "bird" is not the name of a class (cat, a dog, old, oiseau é); add it to --class-names, or use null for rows without a label`,
      },
    ],
    [
      "a dictionary without a single name",
      Array(7).fill("bird"),
      dictionary(utf8(), int8()),
      { classNames: NAMES },
      {
        code: "ERR_INPUT_UNSUPPORTED",
        message: `${input}: column label, row 0: "bird" is not the name of a class (cat, a dog, old, oiseau é); add it to --class-names, or use null for rows without a label`,
      },
    ],
    [
      "too few names",
      CLASSES,
      int32(),
      { classNames: NAMES.slice(0, 2) },
      {
        code: "ERR_USAGE",
        message:
          "classNames: expected 3 names, one per class, found 2; write \\, for a comma in a name",
      },
    ],
    [
      "a name twice",
      CLASSES,
      int32(),
      { classNames: ["a", "b", "a"] },
      {
        code: "ERR_USAGE",
        message:
          "classNames: a is given twice; every class needs a name of its own",
      },
    ],
  ])("%s", async (_, values, type, options, error) => {
    write({ logits, label: [values, type] });
    await expect(built.run({ ...RUN, ...options })).rejects.toMatchObject(
      error,
    );
  });
});

test("report reads names and codes like run", async () => {
  const results = at("kept.arrow");
  const reportOf = (options: { classNames?: string[] } = {}) =>
    built.report({
      results,
      output: at("page.html"),
      label: "label",
      force: true,
      ...options,
    });
  const keep = { input, output: results, keep: ["label"], force: true };
  const p = ROWS.map((row) => row.map((o) => Math.exp(o)));
  const predicted = p.map((row) => row.indexOf(Math.max(...row)));
  const right = predicted.filter((k, r) => k === CLASSES[r]).length;
  for (const type of [utf8(), dictionary(utf8(), int8())]) {
    write({ logits, label: [TEXTS, type] });
    await built.run({ ...keep, column: "logits", classNames: NAMES });
    expect((await reportOf()).calibration).toMatchObject({
      rows: 6,
      unlabelled: 1,
      accuracy: right / 6,
    });
    await built.run({ ...keep, column: "logits" });
    expect((await reportOf({ classNames: NAMES })).calibration).toMatchObject({
      accuracy: right / 6,
    });
  }
  write({ logits, label: [TEXTS, utf8()] });
  await built.run({ ...keep, column: "logits" });
  await expect(reportOf()).rejects.toThrow(
    `${results}: column label has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c`,
  );
});

test.runIf(process.platform === "linux")(
  "no temporary file stays open if the logits are invalid",
  async () => {
    write({
      logits: [ROWS.map(() => []), list(float64())],
      label: [TEXTS, utf8()],
    });
    const open = () => readdirSync("/proc/self/fd").length;
    const failing = () =>
      expect(built.run({ ...RUN, classNames: NAMES })).rejects.toThrow(
        `${input}: row 0: expected at least 1 value, found 0; write null for rows without values (see --on-bad-row)`,
      );
    await failing();
    const before = open();
    for (let k = 0; k < 5; k++) await failing();
    expect(open()).toBe(before);
  },
);

describe("rows without a label", () => {
  test.each([
    ["null", "null", [null, 1, 0, 2, 1, 0, 1], int32()],
    ["-1", "-1", [-1, 1, 0, 2, 1, 0, 1], int8()],
    ["-100", "-100", [-100, 1, 0, 2, 1, 0, 1], int64()],
    ["NaN", "NaN", [Number.NaN, 1, 0, 2, 1, 0, 1], float64()],
  ] as [string, string, (number | null)[], Type][])(
    "%s is a bad row",
    async (_, found, labels, type) => {
      write({ logits, label: [labels, type] });
      await expect(
        built.run({ ...RUN, onBadRow: "error" }),
      ).rejects.toMatchObject({
        code: "ERR_BAD_ROW",
        row: 0,
        message: `${input}: row 0: expected a class from 0 to 2 in label, found ${found} (--on-bad-row null keeps the row as null, skip drops it)`,
      });
      await results();
      const expected = crossEntropy(labels.with(0, null));
      expect(column("cross_entropy")).toEqual(expected);
      await results({ onBadRow: "skip" });
      expect(column("cross_entropy")).toEqual(expected.slice(1));
    },
  );
});

describe("a label that is not a class is an error for every --on-bad-row", () => {
  test.each([
    [3, int32(), "classes are counted from 0"],
    [-2, int8(), "classes are counted from 0"],
    [0.5, float64(), "classes are counted from 0"],
    [Infinity, float64(), "classes are counted from 0"],
    [
      255,
      int32(),
      "replace 255 by -100 or null where it marks labels to ignore",
    ],
  ] as [number, Type, string][])("%s", async (wrong, type, advice) => {
    write({ logits, label: [[0, -100, 1, 2, wrong, 1, 0], type] });
    const message = `${input}: row 4: expected a class from 0 to 2 in label, or null, -1 or -100 for no label, found ${wrong} (${advice})`;
    for (const onBadRow of ["null", "skip"] as const)
      for (const emit of [["gradient"], ["jacobian", "cross_entropy"]] as const)
        for (const layout of ["bsr", "csr", "coo"] as const) {
          if (emit[0] === "gradient" && layout !== "bsr") continue;
          if (layout === "coo" && onBadRow === "null") continue;
          await expect(
            built.run({ ...RUN, emit, layout, onBadRow }),
          ).rejects.toMatchObject({ code: "ERR_BAD_ROW", row: 4, message });
        }
    write({ logits, label: [[0, 0, 1, 2, wrong, 1, 0], type] });
    await expect(built.run({ ...RUN, onBadRow: "error" })).rejects.toThrow(
      message,
    );
  });

  test("also in a row with bad logits, and in memory", async () => {
    const bad = ROWS.with(2, [Number.NaN, 0, 0]);
    write({
      logits: [bad, fixedSizeList(float64(), 3)],
      label: [[0, 1, 7, 1, 1, 1, 1], int32()],
    });
    await expect(built.run(RUN)).rejects.toThrow("row 2: expected a class");
    expect(() =>
      built.softmaxResults(Float64Array.of(1, 2, 3, 4), {
        rows: 2,
        classes: 2,
        emit: ["cross_entropy"],
        label: [-100, 2],
        onBadRow: "nan",
      }),
    ).toThrow(
      "logits: row 1: expected a class from 0 to 1 in label, or null, -1 or -100 for no label, found 2 (classes are counted from 0)",
    );
    const { cross_entropy } = built.softmaxResults(Float64Array.of(1, 2), {
      rows: 1,
      classes: 2,
      emit: ["cross_entropy"],
      label: [-100],
      onBadRow: "nan",
    });
    expect(cross_entropy).toEqual(Float64Array.of(Number.NaN));
  });
});
