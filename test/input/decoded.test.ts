import { readFileSync, writeFileSync } from "node:fs";
import {
  bool,
  decimal,
  dictionary,
  fixedSizeList,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  list,
  struct,
  utf8,
} from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import {
  type Columns,
  type Type,
  writeArrow,
} from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { read } from "../support/plain-rows.js";

// Columns of numbers that are decoded to a temporary file before workers read them.

const at = workDirectory();
const input = at("in.arrow");
const output = at("out.arrow");

type Row = (number | null)[] | null;

const write = (columns: Columns) =>
  writeArrow(input, columns, { batchRows: 3 });

function softmax(row: Row): number[] | null {
  if (!row || row.includes(null)) return null;
  const e = row.map((o) => Math.exp(o as number));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((value) => expect.closeTo(value / sum, 6) as number);
}

const column = (name: string) => read(output, name);

async function runAndVerify(options: object): Promise<void> {
  await built.run({ input, output, force: true, ...options });
  expect(await built.verify({ output, input, all: true })).toMatchObject({
    ok: true,
    problems: [],
  });
}

const ROWS: Row[] = [
  [1.25, -2, 0.5],
  [3, 0, -1.75],
  null,
  [0.25, 0.5, 0.75],
  [-3.5, 2, 2],
  [1, null, 2],
  [8, 8.25, -8],
];
const COUNT = ROWS.length;
const ofClass = (k: number) => ROWS.map((row) => row?.[k] ?? null);

describe("logits", () => {
  const asList = (type: Type): Columns => ({ logits: [ROWS, list(type)] });
  const CASES: [name: string, columns: Columns, options: object][] = [
    ["lists of decimals", asList(decimal(12, 2)), {}],
    ["lists of decimals of 256 bits", asList(decimal(40, 2, 256)), {}],
    [
      "fixed-size lists of decimals",
      { logits: [ROWS, fixedSizeList(decimal(9, 2), 3)] },
      {},
    ],
    [
      "a struct of several types",
      {
        logits: [
          ROWS.map((row) => row && { a: row[0], b: row[1], c: row[2] }),
          struct({ a: float64(), b: decimal(8, 2), c: float32() }),
        ],
      },
      { column: "logits" },
    ],
    [
      "columns of several types",
      {
        c_0: [ofClass(0), float64()],
        c_1: [ofClass(1), float32()],
        c_2: [ofClass(2), decimal(5, 2)],
      },
      { columns: "c_*" },
    ],
    [
      "columns that float32 holds",
      { c_0: [ofClass(0), float32()], c_1: [ROWS.map(() => 1), int16()] },
      { columns: "c_0,c_1" },
    ],
  ];

  test.each(CASES)("%s", async (name, columns, options) => {
    write(columns);
    const isShort = name === "columns that float32 holds";
    const rows = isShort ? ROWS.map((row) => [row?.[0] ?? null, 1]) : ROWS;
    const chosen = { input, output, force: true, ...options };
    await expect(built.run(chosen)).rejects.toThrow(
      name.includes("columns of") || isShort
        ? "row 2: expected finite logits or -inf for masked classes, found null"
        : /row 2: expected finite logits or -inf for masked classes, found null \(/,
    );
    for (const layout of ["bsr", "csr"]) {
      const chunks = { chunkRows: 2, threads: 2, layout };
      const emit = ["softmax", "jacobian"];
      await runAndVerify({ ...options, ...chunks, emit, onBadRow: "null" });
      expect(column("softmax")).toEqual(rows.map(softmax));
    }
    const report = await built.inspect({ input, ...options });
    expect(report.logits?.classes).toBe(rows[0]?.length);
    expect((await built.dryRun(chosen)).dtype).toBe(
      isShort ? "float32" : "float64",
    );
  });

  test("a null masks its class where that is asked for", async () => {
    write(asList(decimal(12, 2)));
    await runAndVerify({ nullLogit: "mask", onBadRow: "skip" });
    const masked = ROWS.filter((row) => row !== null).map((row) =>
      softmax((row as number[]).map((o) => o ?? Number.NEGATIVE_INFINITY)),
    );
    expect(column("softmax")).toEqual(masked);
  });

  test("decimals are the doubles that their digits read as", async () => {
    const digits = "12345678901234567.890123456789012345678";
    const scaled = BigInt(digits.replace(".", ""));
    write({
      a: [[scaled, -scaled, 1n], decimal(38, 21, 128)],
      b: [[0n, 5n, 0n], decimal(38, 21, 128)],
    });
    await runAndVerify({ columns: "a,b", emit: ["logsumexp"] });
    expect(column("logsumexp")[0]).toBe(Number(digits));
  });

  test("vectors of Spark, dense and sparse", async () => {
    const vector = struct({
      type: int8(),
      size: int32(),
      indices: list(int32()),
      values: list(float64()),
    });
    const dense = (values: number[]) => ({
      type: 1,
      size: null,
      indices: null,
      values,
    });
    const sparse = (size: number, indices: number[], values: number[]) => ({
      type: 0,
      size,
      indices,
      values,
    });
    const vectors = [
      dense([1, 2, 3]),
      sparse(3, [1], [4]),
      null,
      sparse(3, [], []),
      dense([0, 0, -2]),
    ];
    write({ rawPrediction: [vectors, vector] });
    const options = { column: "rawPrediction", onBadRow: "null" };
    await runAndVerify(options);
    const rows = [[1, 2, 3], [0, 4, 0], null, [0, 0, 0], [0, 0, -2]];
    expect(column("softmax")).toEqual(rows.map(softmax));
    for (const [bad, message] of [
      [sparse(3, [3], [1]), "expected indices from 0 to 2, found 3"],
      [
        sparse(3, [0, 1], [1]),
        "expected a size and as many indices as values, found size 3, 2 indices and 1 values",
      ],
    ] as const) {
      write({ rawPrediction: [[dense([1, 2, 3]), bad], vector] });
      await expect(
        built.run({ input, output: at("none.arrow"), column: "rawPrediction" }),
      ).rejects.toThrow(
        `${input}: record batch 0, column rawPrediction, vector 1: ${message}`,
      );
    }
  });

  test("rows of another length are refused, whole numbers too large as well", async () => {
    write({ logits: [[[1], [1, 2]], list(decimal(4, 1))] });
    await expect(
      built.run({ input, output: at("none.arrow") }),
    ).rejects.toThrow(
      "column logits, row 1: expected 1 values as in the first row, found 2; pad the lists",
    );
    write({ a: [[2n ** 53n + 1n], int64()], b: [[1], float64()] });
    await expect(
      built.run({ input, output: at("none.arrow"), columns: "a,b" }),
    ).rejects.toThrow(
      "record batch 0, column a: expected whole numbers that float64 holds exactly, found 9007199254740992 at value 0; write smaller numbers, or floats",
    );
  });
});

describe("labels", () => {
  const logits: Columns[string] = [
    Array.from({ length: COUNT }, (_, r) => [r, 1, -r]),
    fixedSizeList(float64(), 3),
  ];
  const classes = [0, 2, null, 1, 1, 0, 2];
  const NAMES = ["setosa", "versicolor", "virginica"];
  const CASES: [name: string, values: unknown[], type: Type][] = [
    ["whole numbers", classes, int32()],
    ["decimals", classes, decimal(38, 0)],
    [
      "codes of a dictionary",
      classes.map((k) => (k === null ? null : NAMES[k])),
      dictionary(utf8(), int8()),
    ],
    [
      "lists of one",
      classes.map((k) => (k !== null && [k]) || null),
      list(int16()),
    ],
    [
      "one-hot rows",
      classes.map((k) =>
        k !== null ? [0, 1, 2].map((n) => Number(n === k)) : null,
      ),
      fixedSizeList(float32(), 3),
    ],
  ];

  test.each(CASES)("%s", async (_, values, type) => {
    // The dictionary has its values in the order of first use.
    const order = [
      ...new Set(values.filter((name) => typeof name === "string")),
    ];
    const expected = values.map((value, r) => {
      const k =
        typeof value === "string" ? order.indexOf(value) : (classes[r] ?? null);
      if (k === null) return null;
      const row = [r, 1, -r];
      const sum = row.reduce((total, o) => total + Math.exp(o), 0);
      return expect.closeTo(Math.log(sum) - (row[k] as number), 10);
    });
    write({ logits, label: [values, type] });
    const options = { column: "logits", label: "label" };
    await expect(
      built.run({
        input,
        output: at("none.arrow"),
        ...options,
        emit: ["cross_entropy"],
      }),
    ).rejects.toThrow(
      "row 2: expected a class from 0 to 2 in label, found null",
    );
    await runAndVerify({
      ...options,
      emit: ["cross_entropy"],
      onBadRow: "null",
    });
    expect(column("cross_entropy")).toEqual(expected);
  });

  test("booleans", async () => {
    write({
      logits: [
        [
          [1, 2],
          [3, 3],
        ],
        fixedSizeList(float64(), 2),
      ],
      label: [[true, false], bool()],
    });
    await runAndVerify({
      column: "logits",
      label: "label",
      emit: ["gradient"],
    });
    const [first, second] = column("gradient") as number[][];
    expect(first?.[1]).toBeLessThan(0);
    expect(second).toEqual([-0.5, 0.5]);
  });

  test("rows that are not one-hot, and texts, are refused", async () => {
    const run = (values: unknown[], type: Type) => {
      write({ logits, label: [values, type] });
      return built.run({
        input,
        output: at("none.arrow"),
        column: "logits",
        label: "label",
        emit: ["cross_entropy"],
      });
    };
    const soft = Array.from({ length: COUNT }, (_, r) =>
      r === 4 ? [0.5, 0.5, 0] : [0, 0, 1],
    );
    await expect(run(soft, fixedSizeList(float32(), 3))).rejects.toThrow(
      `${input}: column label, row 4: expected a class number or a one-hot row (one 1 among zeros); convert other rows with argmax`,
    );
    await expect(run(Array(COUNT).fill("a"), utf8())).rejects.toThrow(
      `${input}: column label has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c`,
    );
    await expect(run(Array(COUNT).fill(["a"]), list(utf8()))).rejects.toThrow(
      `${input}: column label: expected class numbers, class names or one-hot rows for --label, found list<utf8>; write one class number from 0 for each row`,
    );
  });
});

test.each([0, 1, 2])(
  "field node %i has fewer values than there are rows",
  async (node) => {
    const rows = [1, 2, 3].map((a) => ({ a, b: 2 * a }));
    write({ z: [rows, struct({ a: float64(), b: int32() })] });
    const bytes = readFileSync(input);
    // Three nodes of length 3 without nulls: the struct and its fields.
    const nodes = Buffer.from(BigInt64Array.of(3n, 0n, 3n, 0n, 3n, 0n).buffer);
    const at = bytes.indexOf(nodes);
    expect(at).toBeGreaterThan(0);
    bytes.writeBigInt64LE(2n, at + 16 * node);
    writeFileSync(input, bytes);
    await expect(
      built.run({ input, output, force: true, column: "z" }),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_FORMAT",
      message: `${input}: record batch 0: column z: expected 3 values, one per row, found 2`,
    });
  },
);
