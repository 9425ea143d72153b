import { describe, expect, test } from "vitest";
import { inputRuns, type Options, patched } from "../support/input-runs.js";

// Columns of numbers that are decoded to a temporary file before workers read them; forms.test.ts has those of logits.

const { write, verified, refused } = inputRuns();

test("decimals are the doubles nearest to their digits", async () => {
  const digits = "12345678901234567.890123456789012345678";
  const scaled = BigInt(digits.replace(".", ""));
  write({
    a: [[scaled, -scaled, 1n], "decimal(38,21,128)"],
    b: [[0n, 5n, 0n], "decimal(38,21,128)"],
  });
  const options: Options = { columns: "a,b", emit: ["logsumexp"] };
  const { column } = await verified(options);
  expect(column("logsumexp")[0]).toBe(Number(digits));
});

describe("vectors of Spark", () => {
  const type =
    "struct<type: int8, size: int32, indices: list<int32>, values: list<float64>>";
  const dense = (values: number[]) => ({ type: 1, values });
  const sparse = (size: number, indices: number[], values: number[]) => ({
    ...{ type: 0, size, indices, values },
  });
  const column = "rawPrediction";

  test.each([
    [sparse(3, [3], [1]), "expected indices from 0 to 2, found 3"],
    [
      sparse(3, [0, 1], [1]),
      "expected a size and as many indices as values, found size 3, 2 indices and 1 values",
    ],
  ])("refused: %j", async (vector, message) => {
    write({ [column]: [[dense([1, 2, 3]), vector], type] });
    const where = "record batch 0, column rawPrediction, vector 1";
    await refused({ column }, `${where}: ${message}`);
  });
});

test.each([0, 1, 2])(
  "field node %i has fewer values than there are rows",
  async (node) => {
    const values = [1, 2, 3].map((a) => ({ a, b: 2 * a }));
    const bytes = write({ z: [values, "struct<a: float64, b: int32>"] });
    // Three nodes of length 3 without nulls: the struct and its fields.
    const nodes = BigInt64Array.of(3n, 0n, 3n, 0n, 3n, 0n);
    write(patched(bytes, nodes, nodes.with(2 * node, 2n)));
    const message =
      node === 0
        ? "column z: expected 3 values, one per row, found 2"
        : `column z.${"-ab"[node]}: expected at least 3 values, found 2`;
    await refused(
      { column: "z" },
      `record batch 0: ${message}`,
      "ERR_INPUT_FORMAT",
    );
  },
);
