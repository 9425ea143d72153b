import { describe, expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import {
  type Columns,
  type Type,
  writeArrow,
} from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import {
  inputRuns,
  type Options,
  rows,
  softmaxOf,
} from "../support/input-runs.js";
import { refused as refusedCall } from "../support/refused.js";

const { at, input, output, write, run, verified, refused } = inputRuns();

type Column = Columns[string];
const listOf = (item: Type, values = rows("1 2.5; 3 4")): Column => [
  values,
  `list<${item}>`,
];
const floats = listOf("float64");
const integers = listOf("int32", rows("1 2; 3 4"));
const single: Column = [[0.5, 1.5], "float64"];
const nested: Column = [[rows("1 2"), rows("3 4")], "list<list<float64>>"];
const pair = (b: Type, y: unknown = 2): Column => [
  [{ x: 1, y }],
  `struct<x: float64, y: ${b}>`,
];
const wide = (type: Type): Column => [
  rows("1 2 3"),
  `fixed_size_list<${type}>[3]`,
];

const unclear = (kind: string, text: string) =>
  `it is not clear which ${kind} holds the logits; choose it with --column${kind === "column" ? ", or several with --columns" : ""}: ${text}`;
const notNamed = "(it is not named like logits)";
const useColumns = "(use --columns for one column per class)";

async function chosen(columns: Columns, options?: Options) {
  write(columns);
  return (await run(options)).report.column;
}

describe("a column is refused because it may not be the logits, and accepted by its name", () => {
  const alone = ["input_ids", "attentionMask", "label", "soft-labels"];
  test.each<[text: string, columns: Columns]>([
    [
      `tokens: list<int32> (it holds integers), a: float64, one of 2 columns ${useColumns}`,
      { tokens: integers, a: single, b: single },
    ],
    [
      `embedding: list<float64> ${notNamed}, logit_0: float64, one of 3 columns ${useColumns}`,
      { embedding: floats, loss: single, logit_0: single, logit_1: single },
    ],
    [
      `scores: list<float64> (another is named like logits), logit_0: float64, one of 2 columns ${useColumns}`,
      { scores: floats, logit_0: single, logit_1: single },
    ],
    ...[...alone, "x.embeddings"].map((name): [string, Columns] => [
      `${name}: list<float64> ${notNamed}`,
      { [name]: floats },
    ]),
  ])("%s", async (text, columns) => {
    write(columns);
    await refused({}, unclear("column", text), "ERR_LOGITS_COLUMN");
    const [column = ""] = Object.keys(columns);
    expect(await chosen(columns, { column })).toBe(column);
  });
});

test.each<[name: string | null, columns: Columns]>([
  ["scores", { scores: floats, input_ids: integers }],
  ["label_logits", { label_logits: floats, hidden: nested }],
  ["embedded", { embedded: floats, loss: single }],
  ["counts", { counts: integers, weight: single, n: [[1n, 2n], "int64"] }],
  // Floats precede whole numbers, and lists precede structs and lists of lists.
  ["a", { b: wide("int32"), a: wide("float32"), pair: pair("float64") }],
  ["pair", { b: wide("int32"), pair: pair("float64") }],
  ["x", { x: floats, scores: nested }],
  ["scores", { input_ids: integers, scores: nested }],
  ["b", { b: wide("int32") }],
  [null, { b: wide("int32"), c: wide("int32") }],
  [null, { pair: pair("float64"), other: pair("float64") }],
  // Only --column chooses structs of several types.
  [null, { mixed: pair("float32") }],
  [null, { text: pair("utf8", "2") }],
])("%s is chosen (%#)", async (name, columns) => {
  write(columns);
  const { logits } = await built.inspect({ input });
  expect(logits?.column ?? null).toBe(name);
  if (name !== null) expect((await run()).report.column).toBe(name);
});

test("a struct of several types is chosen by its name", async () => {
  expect(await chosen({ m: pair("float32") }, { column: "m" })).toBe("m");
});

test("integers with -100 in a row are accepted only by their name", async () => {
  const values = rows("1 2; 3 -100");
  const columns = { y: listOf("int32", values) };
  write(columns);
  const message =
    "column y of int32 has -100 in row 1, which marks labels to ignore; if these are logits, choose them with --column";
  await refused({}, message, "ERR_LOGITS_COLUMN");
  expect(await chosen(columns, { column: "y" })).toBe("y");
  expect(await chosen({ y: listOf("float64", values) })).toBe("y");
});

test("arrays: labels of a trainer beside predictions", async () => {
  const labels = (...values: number[]) =>
    npy(BigInt64Array.from(values, BigInt), [2, 3]);
  const archive = (predictions: number[]) =>
    zip({
      "label_ids.npy": labels(0, 1, 2, 3, 4, -100),
      "predictions.npy": npy(new Float32Array(24), predictions),
    });
  write(archive([2, 3, 4]));
  expect((await run()).report.column).toBe("predictions");
  write(archive([1, 2, 3, 4]));
  const four = `label_ids: int64 [2, 3] ${notNamed}, predictions: float32 [1, 2, 3, 4] (it has 4 dimensions: use --class-axis)`;
  await refused({}, unclear("array", four), "ERR_LOGITS_COLUMN");
  const unread = npy(new Uint8Array(96), { descr: "<c16", shape: [2, 3] });
  write(zip({ "tokens.npy": labels(0, 1, 2, 3, 4, 5), "z.npy": unread }));
  const complex =
    "tokens: int64 [2, 3] (it holds integers), z: <c16 (complex numbers) [2, 3] (its type is not supported)";
  await refused({}, unclear("array", complex));
  expect((await run({ column: "tokens" })).report.column).toBe("tokens");
});

describe("order of the classes", () => {
  const classNames = (metadata: Record<string, string>) =>
    JSON.parse(metadata["softjac.class_names"] ?? "");

  test("names that end in numbers are ordered by number, with a note", async () => {
    const order = [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9];
    const columns: Columns = { label: [[2, 10], "int32"] };
    for (const k of order)
      columns[`prediction_${k}`] = [[k / 2, -k], "float64"];
    write(columns);
    const made = await verified({ columns: "prediction_*" });
    const logits = Array.from({ length: 12 }, (_, k) => k / 2);
    expect(made.column("softmax")[0]).toEqual(softmaxOf(logits));
    const message =
      "columns that match prediction_* are ordered by number, not by their position in the file: class 2 is prediction_2";
    const named = { column: "prediction_*", type: "float64", classes: 12 };
    const ends = { firstClass: "prediction_0", lastClass: "prediction_11" };
    expect(made.events).toEqual([
      { event: "logits", ...named, ...ends },
      { event: "warning", message },
    ]);
    const names = logits.map((_, k) => `prediction_${k}`);
    expect(classNames(made.metadata)).toEqual(names);
  });

  test.each(["p_b p_a", "p_2 p_x", "p_10 p_2 q_1", "p_1 p_01"])(
    "other names keep the order of the file: %s",
    async (text) => {
      const names = text.split(" ");
      write(Object.fromEntries(names.map((name) => [name, single])));
      const { metadata } = await run({ columns: "?_*" });
      expect(classNames(metadata)).toEqual(names);
    },
  );

  test("fields of a struct keep their order, with a note", async () => {
    const type = "struct<s1: float64, s10: float64, s2: float64>";
    write({ z: [[{ s1: 0, s10: 1, s2: 2 }], type] });
    expect((await run()).warnings).toEqual([
      "the classes are the fields of column z in their order, not by number: class 1 is s10",
    ]);
  });

  test("inputs of a dataset have the same classes in the same order", async () => {
    const [a, b] = [at("a.arrow"), at("b.arrow")];
    writeArrow(a, { z_no: single, z_yes: single });
    writeArrow(b, { z_yes: single, z_no: single });
    const options = { inputs: [a, b], output: at("parts"), columns: "z_*" };
    await refusedCall(
      built.runDataset(options),
      "ERR_INPUT_UNSUPPORTED",
      `${b}: logits: expected class 0 to be z_no as in a.arrow, found z_yes; list the columns in one order with --columns`,
    );
  });
});

describe("what a run reports of its logits", () => {
  const probabilities =
    "z: the values of each of the first 2 rows are at least 0 and sum to 1; these look like probabilities, and softmax expects logits";
  const oneClass =
    "z: with one class, every probability is 1 and every Jacobian 0; if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)";
  test.each<[values: string, ...warnings: string[]]>([
    ["0.25 0.75; 0.9995 0", probabilities],
    ["0.25 0.75; 0.998 0"],
    ["0.25 0.75; 2 -1"],
    ["1; 1", oneClass],
  ])("%s", async (values, ...warnings) => {
    write({ z: listOf("float64", rows(values)) });
    expect((await run()).warnings).toEqual(warnings);
  });

  test("warns before the run ends with an error of another column", async () => {
    const z = listOf("float64", rows("0.25 0.75; 0.5 0.5"));
    write({ z, t: listOf("float64", rows("1 2; 3")) });
    const warnings: string[] = [];
    const onEvent = (event: { event: string; message?: string }) =>
      event.event === "warning" && warnings.push(event.message ?? "");
    const options = { input, output, force: true, column: "z", tangent: "t" };
    const failing = built.run({ ...options, emit: ["jvp"] }, { onEvent });
    await refusedCall(failing, "ERR_RAGGED_ROW");
    expect(warnings).toEqual([probabilities]);
  });

  test("an array without a name that has -100", async () => {
    write(npy(Int32Array.of(1, 2, 3, -100), [2, 2]));
    expect((await run()).warnings).toEqual([
      "array: values of -100 among int32 look like labels to ignore, and softmax expects logits",
    ]);
  });

  test("the first line of the command, and a field of its log", () => {
    const stderr = (...options: string[]) =>
      softjac("run", input, "-o", output, "--force", ...options).stderr;
    write({ z: listOf("float64", rows("0.25 0.75")) });
    expect(stderr().split("\n").slice(0, 2)).toEqual([
      "softjac: reading logits from z (float64, 2 classes)",
      expect.stringContaining(
        "softjac: z: the values of each of the first 1 r",
      ),
    ]);
    const [log = ""] = stderr("--log-format", "json").split("\n");
    expect(JSON.parse(log)).toMatchObject({
      ...{ level: "info", msg: "logits", column: "z" },
      ...{ classes: 2, type: "float64" },
    });
    expect(stderr("--quiet")).toBe("");
    write({ p_0: single, p_1: single });
    expect(stderr("--columns", "p_*").split("\n")[0]).toBe(
      "softjac: reading logits from p_* (float64, 2 classes: p_0 to p_1)",
    );
  });
});
