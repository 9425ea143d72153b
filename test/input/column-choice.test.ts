import { readFileSync, writeFileSync } from "node:fs";
import {
  type DataType,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  Struct,
  tableFromIPC,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import type * as Public from "../../src/index.js";
import { softjac } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { type ResultsFile, writeResults } from "../support/results-file.js";

const at = workDirectory();
const input = at("in");
const output = at("out.arrow");

type Column = ResultsFile["columns"][number];
const listOf = (item: DataType) => new List(new Field("item", item, true));
const floats = (
  name: string,
  values = [
    [1, 2.5],
    [3, 4],
  ],
): Column => [name, listOf(new Float64()), values];
const integers = (
  name: string,
  values = [
    [1, 2],
    [3, 4],
  ],
): Column => [name, listOf(new Int32()), values];
const single = (name: string, values = [0.5, 1.5]): Column => [
  name,
  new Float64(),
  values,
];
const nested = (name: string): Column => [
  name,
  listOf(listOf(new Float64())),
  [[[1, 2]], [[3, 4]]],
];

async function chosen(columns: Column[], options = {}): Promise<unknown> {
  writeResults(input, { columns });
  return (await built.run({ ...options, input, output, force: true })).column;
}

const unclear = `${input}: it is not clear which column holds the logits; choose it with --column, or several with --columns: `;
const integersBeside = "list<int32> (it holds integers)";
const notNamed = "(it is not named like logits)";

describe("columns", () => {
  test.each<[string, Column[], string]>([
    [
      "integers beside separate columns of floats",
      [integers("tokens"), single("a"), single("b")],
      `tokens: ${integersBeside}, a: float64, one of 2 columns (use --columns for one column per class)`,
    ],
    [
      "an embedding beside separate columns of logits",
      [
        floats("embedding"),
        single("loss"),
        single("logit_0"),
        single("logit_1"),
      ],
      `embedding: list<float64> ${notNamed}, logit_0: float64, one of 3 columns (use --columns for one column per class)`,
    ],
    [
      "floats without a telling name beside separate columns of logits",
      [floats("scores"), single("logit_0"), single("logit_1")],
      "scores: list<float64> (another is named like logits), logit_0: float64, one of 2 columns (use --columns for one column per class)",
    ],
    ...[
      "input_ids",
      "attentionMask",
      "label",
      "soft-labels",
      "x.embeddings",
    ].map((name): [string, Column[], string] => [
      `${name} alone`,
      [floats(name)],
      `${name}: list<float64> ${notNamed}`,
    ]),
  ])("refused: %s", async (_, columns, text) => {
    await expect(chosen(columns)).rejects.toMatchObject({
      code: "ERR_LOGITS_COLUMN",
      message: unclear + text,
    });
    const [[name]] = columns as [Column];
    expect(await chosen(columns, { column: name })).toBe(name);
  });

  test.each<[string, Column[]]>([
    ["scores", [floats("scores"), integers("input_ids")]],
    ["label_logits", [floats("label_logits"), nested("hidden")]],
    ["embedded", [floats("embedded"), single("loss")]],
    [
      "counts",
      [integers("counts"), single("weight"), ["n", new Int64(), [1n, 2n]]],
    ],
  ])("taken: %s", async (name, columns) => {
    expect(await chosen(columns)).toBe(name);
  });

  test("integers with -100 in a row are taken only where they are named", async () => {
    const columns = [
      integers("y", [
        [1, 2],
        [3, -100],
      ]),
    ];
    await expect(chosen(columns)).rejects.toMatchObject({
      code: "ERR_LOGITS_COLUMN",
      message: `${input}: column y of int32 has -100 in row 1, which marks labels to ignore; if these are logits, choose them with --column`,
    });
    expect(await chosen(columns, { column: "y" })).toBe("y");
    expect(
      await chosen([
        floats("y", [
          [1, 2],
          [3, -100],
        ]),
      ]),
    ).toBe("y");
  });
});

test("arrays: labels of a trainer beside predictions of three dimensions", async () => {
  const int64 = (...values: number[]) =>
    npy(BigInt64Array.from(values, BigInt), [2, 3]);
  const archive = (labels: Buffer, predictions: Buffer) =>
    zip({ "label_ids.npy": labels, "predictions.npy": predictions });
  const three = npy(new Float32Array(24), [2, 3, 4]);
  const found = async (bytes: Buffer, options = {}) => {
    writeFileSync(input, bytes);
    return (await built.run({ ...options, input, output, force: true })).column;
  };
  expect(await found(archive(int64(0, 1, 2, 3, 4, -100), three))).toBe(
    "predictions",
  );
  const four = npy(new Float32Array(24), [1, 2, 3, 4]);
  await expect(
    found(archive(int64(0, 1, 2, 3, 4, -100), four)),
  ).rejects.toMatchObject({
    code: "ERR_LOGITS_COLUMN",
    message: `${input}: it is not clear which array holds the logits; choose it with --column: label_ids: int64 [2, 3] ${notNamed}, predictions: float32 [1, 2, 3, 4] (it has 4 dimensions: use --class-axis)`,
  });
  const unread = npy(new Uint8Array(96), { descr: "<c16", shape: [2, 3] });
  const other = zip({ "tokens.npy": int64(0, 1, 2, 3, 4, 5), "z.npy": unread });
  await expect(found(other)).rejects.toMatchObject({
    message: `${input}: it is not clear which array holds the logits; choose it with --column: tokens: int64 [2, 3] (it holds integers), z: <c16 (complex numbers) [2, 3] (its type is not supported)`,
  });
  expect(await found(other, { column: "tokens" })).toBe("tokens");
});

describe("order of the classes", () => {
  const order = [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9];
  const wide: Column[] = [
    ["label", new Int32(), [2, 10]],
    ...order.map((k) => single(`prediction_${k}`, [k / 2, -k])),
  ];
  const softmaxOf = (row: number) =>
    Array.from(
      tableFromIPC(readFileSync(output)).getChild("softmax")?.get(row) ?? [],
    );

  test("names that end in numbers are ordered by number, with a note", async () => {
    writeResults(input, { columns: wide });
    const events: unknown[] = [];
    await built.run(
      { input, output, columns: "prediction_*", force: true },
      { onEvent: (event) => events.push(event) },
    );
    const logits = Float64Array.from({ length: 12 }, (_, k) => k / 2);
    const expected = built.softmax(logits, { rows: 1, classes: 12 });
    expect(softmaxOf(0)).toEqual(Array.from(expected));
    expect(events).toEqual([
      {
        event: "logits",
        column: "prediction_*",
        classes: 12,
        type: "float64",
        firstClass: "prediction_0",
        lastClass: "prediction_11",
      },
      {
        event: "warning",
        message:
          "columns that match prediction_* are ordered by number, not by their position in the file: class 2 is prediction_2",
      },
    ]);
    const { schema } = tableFromIPC(readFileSync(output));
    expect(
      JSON.parse(schema.metadata.get("softjac.class_names") ?? ""),
    ).toEqual(Array.from({ length: 12 }, (_, k) => `prediction_${k}`));
    expect(await built.verify({ input, output, all: true })).toMatchObject({
      ok: true,
    });
  });

  test("other names keep the order of the file", async () => {
    for (const names of [
      ["p_b", "p_a"],
      ["p_2", "p_x"],
      ["p_10", "p_2", "q_1"],
      ["p_1", "p_01"],
    ]) {
      const columns = names.map((name, k) => single(name, [k, 0]));
      await chosen(columns, { columns: "?_*" });
      const { schema } = tableFromIPC(readFileSync(output));
      expect(
        JSON.parse(schema.metadata.get("softjac.class_names") ?? ""),
      ).toEqual(names);
    }
  });

  test("fields of a struct keep their order, with a note", async () => {
    const fields = ["s1", "s10", "s2"].map(
      (name) => new Field(name, new Float64()),
    );
    writeResults(input, {
      columns: [["z", new Struct(fields), [{ s1: 0, s10: 1, s2: 2 }]]],
    });
    const warnings: string[] = [];
    await built.run(
      { input, output, force: true },
      {
        onEvent: (event) =>
          event.event === "warning" && warnings.push(event.message),
      },
    );
    expect(warnings).toEqual([
      "the classes are the fields of column z in their order, not by number: class 1 is s10",
    ]);
  });

  test("inputs of a dataset have the same classes in the same order", async () => {
    const [a, b] = [at("a.arrow"), at("b.arrow")];
    writeResults(a, { columns: [single("z_no"), single("z_yes")] });
    writeResults(b, { columns: [single("z_yes"), single("z_no")] });
    await expect(
      built.runDataset({ inputs: [a, b], output: at("parts"), columns: "z_*" }),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_UNSUPPORTED",
      message: `${b}: logits: expected class 0 to be z_no as in a.arrow, found z_yes; list the columns in one order with --columns`,
    });
  });
});

describe("what a run tells of its logits", () => {
  const warningsOf = async (columns: Column[]) => {
    writeResults(input, { columns });
    const events: Parameters<NonNullable<Public.RunHooks["onEvent"]>>[0][] = [];
    await built.run(
      { input, output, force: true },
      { onEvent: (event) => events.push(event) },
    );
    return events.flatMap((event) =>
      event.event === "warning" ? [event.message] : [],
    );
  };

  test("rows that sum to 1 look like probabilities", async () => {
    const warning =
      "z: the values of each of the first 2 rows are at least 0 and sum to 1; these look like probabilities, and softmax expects logits";
    expect(
      await warningsOf([
        floats("z", [
          [0.25, 0.75],
          [0.9995, 0],
        ]),
      ]),
    ).toEqual([warning]);
    expect(
      await warningsOf([
        floats("z", [
          [0.25, 0.75],
          [0.998, 0],
        ]),
      ]),
    ).toEqual([]);
    expect(
      await warningsOf([
        floats("z", [
          [0.25, 0.75],
          [2, -1],
        ]),
      ]),
    ).toEqual([]);
  });

  test("one class is a column of margins, perhaps", async () => {
    expect(await warningsOf([floats("z", [[1], [1]])])).toEqual([
      "z: with one class, every probability is 1 and every Jacobian 0; if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)",
    ]);
  });

  test("an array of -100 without a name cannot be named: a warning", async () => {
    writeFileSync(input, npy(Int32Array.of(1, 2, 3, -100), [2, 2]));
    const warnings: string[] = [];
    await built.run(
      { input, output, force: true },
      {
        onEvent: (event) =>
          event.event === "warning" && warnings.push(event.message),
      },
    );
    expect(warnings).toEqual([
      "array: values of -100 among int32 look like labels to ignore, and softmax expects logits",
    ]);
  });

  test("the command's first line, and a field of its log", () => {
    writeResults(input, { columns: [floats("z", [[0.25, 0.75]])] });
    const run = ["run", input, "-o", output, "--force"];
    const lines = softjac(...run).stderr.split("\n");
    expect(lines[0]).toBe(
      "softjac: reading logits from z (float64, 2 classes)",
    );
    expect(lines[1]).toMatch(
      "softjac: z: the values of each of the first 1 rows",
    );
    const log = softjac(...run, "--log-format", "json").stderr;
    expect(JSON.parse(log.split("\n")[0] as string)).toMatchObject({
      level: "info",
      msg: "logits",
      column: "z",
      classes: 2,
      type: "float64",
    });
    expect(softjac(...run, "--quiet").stderr).toBe("");
    writeResults(input, { columns: [single("p_0"), single("p_1")] });
    expect(softjac(...run, "--columns", "p_*").stderr.split("\n")[0]).toBe(
      "softjac: reading logits from p_* (float64, 2 classes: p_0 to p_1)",
    );
  });
});
