import { describe, expect, test } from "vitest";
import { npy, zip } from "../support/array-files.js";
import type { Type } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { inputRuns, near, type Options } from "../support/input-runs.js";

// Margins z of two classes (--binary), whose logits are (0, z). messages.test.ts has what is refused.

const { input, write, verified, refused } = inputRuns();
const MARGINS = [0.5, -2, 0, 3.25, -0.75, 100, -8];

const expected = (digits: number, margins = MARGINS) =>
  margins.map((z) => [
    near(1 / (1 + Math.exp(z)), digits),
    near(1 / (1 + Math.exp(-z)), digits),
  ]);

const binary = (options: Options = {}) =>
  verified({ binary: true, ...options });

describe("columns", () => {
  const single = MARGINS.map((z) => [z]);
  test.each<[name: string, values: unknown[], type: Type, dtype: string]>([
    ["float64", MARGINS, "float64", "float64"],
    ["float32", MARGINS, "float32", "float32"],
    ["float16", MARGINS, "float16", "float32"],
    ["decimals", MARGINS, "decimal(6,2)", "float64"],
    ["fixed lists of one", single, "fixed_size_list<float32>[1]", "float32"],
    ["lists of one", single, "list<float64>", "float64"],
    ["large lists of one", single, "large_list<float32>", "float32"],
    ["lists of one decimal", single, "list<decimal(6,2)>", "float64"],
  ])("%s", async (_, values, type, dtype) => {
    write({ id: [MARGINS.map((_, k) => k), "int32"], z: [values, type] }, 3);
    for (const options of [{ keep: ["id"] }, { column: "z" }]) {
      const { column, metadata, report } = await binary(options);
      const digits = dtype === "float32" ? 6 : 12;
      expect(column("softmax")).toEqual(expected(digits));
      expect(report).toMatchObject({ classes: 2, dtype, column: "z" });
      expect(metadata["softjac.binary"]).toBe("true");
    }
  });

  test.each([[[-1, 0, 2]], [[]]])("whole numbers: %j", async (values) => {
    write({ z: [values, "int32"] });
    const { column } = await binary();
    expect(column("softmax")).toEqual(expected(12, values));
    const inspected = await built.inspect({ input, binary: true });
    expect(inspected.logits).toMatchObject({ classes: 2 });
  });

  test("nulls and other bad rows", async () => {
    const values = [1, null, Number.NaN, Number.NEGATIVE_INFINITY];
    write({ z: [values, "float64"] });
    await refused(
      { binary: true },
      "row 1: expected finite logits or -inf for masked classes, found null (--on-bad-row null keeps the row as null, skip drops it)",
    );
    const [first] = expected(12, [1]);
    const made = await binary({ onBadRow: "null" });
    expect(made.column("softmax")).toEqual([first, null, null, [1, 0]]);
    write({ z: [[[1], [null], null], "list<float64>"] });
    const masked = await binary({ onBadRow: "null", nullLogit: "mask" });
    expect(masked.column("softmax")).toEqual([first, [1, 0], null]);
  });
});

describe("arrays", () => {
  const float32s = (...shape: number[]) =>
    npy(Float32Array.from(MARGINS), shape);
  const swapped = new DataView(new ArrayBuffer(8 * MARGINS.length));
  for (const [k, z] of MARGINS.entries()) swapped.setFloat64(8 * k, z);

  test.each<[name: string, file: Buffer, digits: number]>([
    ["(rows,)", float32s(7), 6],
    ["(rows, 1)", float32s(7, 1), 6],
    ["(1, rows, 1)", float32s(1, 7, 1), 6],
    ["big-endian", npy(swapped, { descr: ">f8", shape: [7] }), 12],
    [
      "an archive",
      zip({
        "id.npy": npy(Int32Array.from(MARGINS)),
        "z.npy": npy(Float64Array.from(MARGINS)),
      }),
      12,
    ],
  ])("%s", async (_, file, digits) => {
    write(file);
    const { column } = await binary();
    expect(column("softmax")).toEqual(expected(digits));
  });

  test("batches, with labels", async () => {
    const members = {
      "z_0.npy": npy(Float64Array.from(MARGINS.slice(0, 3))),
      "z_1.npy": npy(Float64Array.from(MARGINS.slice(3))),
      "y.npy": npy(Int32Array.from(MARGINS, (_, k) => k % 2)),
    };
    write(zip(members, { deflated: true }));
    const emit: Options["emit"] = ["softmax", "cross_entropy"];
    const { column } = await binary({ columns: "z_*", label: "y", emit });
    expect(column("softmax")).toEqual(expected(12));
    expect(column("cross_entropy")).toEqual(
      MARGINS.map((z, k) => near(Math.log1p(Math.exp(k % 2 ? -z : z)))),
    );
  });
});
