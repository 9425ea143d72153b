import { writeFileSync } from "node:fs";
import {
  bool,
  decimal,
  fixedSizeList,
  float16,
  float32,
  float64,
  int32,
  largeList,
  list,
  struct,
  utf8,
} from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { arrowOf, type Columns, type Type } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { read } from "../support/plain-rows.js";
import { verifiedRun } from "../support/verified-run.js";

// Margins z of two classes (--binary): p = (1 / (1 + e^z), 1 / (1 + e^-z)).

const at = workDirectory();
const input = at("in");
const output = at("out.arrow");
/** Both give exit code 65. */
const REFUSAL = expect.stringMatching(
  /^ERR_(LOGITS_COLUMN|INPUT_UNSUPPORTED)$/,
);
const MARGINS = [0.5, -2, 0, 3.25, -0.75, 100, -8];

const arrow = (columns: Columns) => arrowOf(columns, { batchRows: 3 });

const expected = (digits: number, margins = MARGINS) =>
  margins.map((z) => [
    expect.closeTo(1 / (1 + Math.exp(z)), digits),
    expect.closeTo(1 / (1 + Math.exp(-z)), digits),
  ]);

async function softmaxOf(options: object): Promise<unknown[]> {
  const table = await verifiedRun({ input, output, binary: true, ...options });
  expect(table.schema.metadata?.get("softjac.binary")).toBe("true");
  return read(output, "softmax");
}

describe("columns", () => {
  const single = MARGINS.map((z) => [z]);
  test.each<[name: string, values: unknown[], type: Type, dtype: string]>([
    ["float64", MARGINS, float64(), "float64"],
    ["float32", MARGINS, float32(), "float32"],
    ["float16", MARGINS, float16(), "float32"],
    ["decimals", MARGINS, decimal(6, 2), "float64"],
    ["fixed lists of one", single, fixedSizeList(float32(), 1), "float32"],
    ["lists of one", single, list(float64()), "float64"],
    ["large lists of one", single, largeList(float32()), "float32"],
    ["lists of one decimal", single, list(decimal(6, 2)), "float64"],
  ])("%s", async (_, values, type, dtype) => {
    const id = MARGINS.map((_, k) => k);
    writeFileSync(input, arrow({ id: [id, int32()], z: [values, type] }));
    expect(await softmaxOf({ keep: ["id"] })).toEqual(
      expected(dtype === "float32" ? 6 : 12),
    );
    expect(await softmaxOf({ column: "z" })).toHaveLength(MARGINS.length);
    const options = { input, output, binary: true, force: true };
    const report = await built.run(options);
    expect(report).toMatchObject({ classes: 2, dtype, column: "z" });
  });

  test("whole numbers", async () => {
    writeFileSync(input, arrow({ z: [[-1, 0, 2], int32()] }));
    expect(await softmaxOf({})).toEqual(expected(12, [-1, 0, 2]));
  });

  test("nulls and other bad rows", async () => {
    const values = [1, null, Number.NaN, Number.NEGATIVE_INFINITY];
    writeFileSync(input, arrow({ z: [values, float64()] }));
    await expect(
      built.run({ input, output: at("none"), binary: true }),
    ).rejects.toThrow(
      `${input}: row 1: expected finite logits or -inf for masked classes, found null`,
    );
    const rows = await softmaxOf({ onBadRow: "null" });
    expect(rows.slice(1)).toEqual([null, null, [1, 0]]);
    writeFileSync(input, arrow({ z: [[[1], [null], null], list(float64())] }));
    const masked = await softmaxOf({ onBadRow: "null", nullLogit: "mask" });
    expect(masked.slice(1)).toEqual([[1, 0], null]);
  });

  test("a file without rows", async () => {
    writeFileSync(input, arrow({ z: [[], float64()] }));
    expect(await softmaxOf({})).toEqual([]);
  });

  const REFUSED: [
    name: string,
    columns: Columns,
    options: object,
    text: string,
  ][] = [
    [
      "a column without --binary",
      { z: [MARGINS, float64()] },
      {},
      "expected a column of floats in lists, found z: float64; if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)",
    ],
    [
      "a named column without --binary",
      { z: [MARGINS, float64()] },
      { column: "z" },
      "column z: expected lists, or a struct, of numbers, found float64; if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)",
    ],
    [
      "lists of two numbers",
      { z: [[[1, 2]], fixedSizeList(float64(), 2)] },
      { column: "z", binary: true },
      "column z: --binary: expected margins, one number per row, found fixed_size_list<float64>[2]; omit --binary if these are logits",
    ],
    [
      "lists, one of which has two numbers",
      { z: [[[1], [1], [1], [1, 2]], list(float64())] },
      { binary: true },
      "column z, row 3: --binary: expected margins, one number per row, found 2; omit --binary if these are logits",
    ],
    [
      "an empty list",
      { z: [[[1], []], list(float64())] },
      { binary: true },
      "column z, row 1: --binary: expected margins, one number per row, found 0; write null for rows without one",
    ],
    [
      "two columns",
      { y: [MARGINS, float64()], z: [MARGINS, float64()] },
      { binary: true },
      "several columns of floats: y: float64, z: float64; choose one with --column",
    ],
    [
      "text, booleans and structs",
      {
        text: [["a"], utf8()],
        flag: [[true], bool()],
        pair: [[{ z: 1 }], struct({ z: float64() })],
      },
      { binary: true },
      "--binary: expected a column of one number per row, found text: utf8, flag: bool, pair: struct<z: float64>; omit --binary if these are logits",
    ],
    [
      "--columns",
      { z: [MARGINS, float64()] },
      { columns: "z", binary: true },
      "--columns z: --binary reads one column of margins; choose it with --column",
    ],
    [
      "--class-axis",
      { z: [[[1, 2]], fixedSizeList(float64(), 2)] },
      { classAxis: 0 },
      "--class-axis 0: only arrays of .npy, .npz and safetensors files have axes; omit the option",
    ],
  ];

  test.each(REFUSED)("refused: %s", async (_, columns, options, text) => {
    writeFileSync(input, arrow(columns));
    await expect(
      built.run({ input, output: at("none"), ...options }),
    ).rejects.toMatchObject({ code: REFUSAL, message: `${input}: ${text}` });
  });
});

describe("arrays", () => {
  const float32s = (shape: number[]) => npy(Float32Array.from(MARGINS), shape);
  const swapped = new DataView(new ArrayBuffer(8 * MARGINS.length));
  for (const [k, z] of MARGINS.entries()) swapped.setFloat64(8 * k, z);

  test.each<[name: string, file: Buffer, digits: number]>([
    ["(rows,)", float32s([7]), 6],
    ["(rows, 1)", float32s([7, 1]), 6],
    ["(1, rows, 1)", float32s([1, 7, 1]), 6],
    ["big-endian", npy(swapped, { descr: ">f8", shape: [7] }), 12],
    [
      "an archive",
      zip({
        "id.npy": npy(Int32Array.from(MARGINS), [7]),
        "z.npy": npy(Float64Array.from(MARGINS), [7]),
      }),
      12,
    ],
  ])("%s", async (_, file, digits) => {
    writeFileSync(input, file);
    expect(await softmaxOf({})).toEqual(expected(digits));
  });

  test("batches, with labels", async () => {
    const part = (from: number, to?: number) => {
      const values = Float64Array.from(MARGINS.slice(from, to));
      return npy(values, [values.length]);
    };
    const y = Int32Array.from(MARGINS, (_, k) => k % 2);
    const members = {
      "z_0.npy": part(0, 3),
      "z_1.npy": part(3),
      "y.npy": npy(y, [7]),
    };
    writeFileSync(input, zip(members, { deflated: true }));
    const emit = ["softmax", "cross_entropy"];
    const rows = await softmaxOf({ columns: "z_*", label: "y", emit });
    expect(rows).toEqual(expected(12));
    expect(read(output, "cross_entropy")).toEqual(
      MARGINS.map((z, k) =>
        expect.closeTo(Math.log1p(Math.exp(k % 2 ? -z : z)), 12),
      ),
    );
  });

  test.each<[file: Buffer, options: object, text: string]>([
    [
      npy(new Float64Array(6), [2, 3]),
      {},
      "array: --binary: expected margins of shape (rows,) or (rows, 1), found float64 [2, 3]; omit --binary if these are logits",
    ],
    [
      npy(new Float64Array(6), [1, 2, 3, 1]),
      {},
      "array: --binary: expected margins of shape (rows,) or (rows, 1), found float64 [1, 2, 3, 1]; omit --binary if these are logits",
    ],
    [
      npy(new Float64Array(6), [6]),
      { classAxis: 0 },
      "array: --class-axis 0: expected an array of two or more dimensions, found float64 [6]",
    ],
    [
      zip({ "o.npy": npy(new Float64Array(6), [2, 3]) }),
      {},
      "expected an array of numbers of shape (rows,) or (rows, 1), found o: float64 [2, 3]; omit --binary if these are logits",
    ],
  ])("refused: %#", async (file, options, text) => {
    writeFileSync(input, file);
    await expect(
      built.run({ input, output: at("none"), binary: true, ...options }),
    ).rejects.toMatchObject({ code: REFUSAL, message: `${input}: ${text}` });
  });

  test("an axis that is not there", async () => {
    writeFileSync(input, npy(new Float64Array(6), [2, 3]));
    await expect(
      built.run({ input, output: at("none"), classAxis: 2 }),
    ).rejects.toThrow(
      `${input}: array: --class-axis 2: expected an axis from -2 to 1, found float64 [2, 3]`,
    );
  });
});

test("on the command line", () => {
  writeFileSync(input, npy(Float64Array.of(1, 2), [2]));
  const run = (...options: string[]) =>
    softjac("run", input, "-o", output, "--force", "--quiet", ...options);
  expect(run()).toMatchObject({
    status: 65,
    stderr: `softjac: ${input}: array: expected numbers of shape (rows, classes), found float64 [2]; reshape one row of logits to (1, 2); if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)\n`,
  });
  expect(run("--binary")).toMatchObject({ status: 0, stderr: "" });
  expect(softjac("verify", output, "--input", input).status).toBe(0);
  const inspected = softjac("inspect", input, "--binary", "--json");
  expect(JSON.parse(inspected.stdout).logits).toMatchObject({ classes: 2 });
});
