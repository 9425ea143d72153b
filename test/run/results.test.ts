import { afterEach, describe, expect, test } from "vitest";
import { EMIT_NAMES } from "../../src/results/catalogue.js";
import { inMemory, inputs, writeInputs } from "../support/inputs-input.js";
import { setKernel } from "../support/kernels.js";
import { outputOf, runsIn, upTo } from "../support/runs.js";

const { at, run, output } = runsIn();
afterEach(() => setKernel("simd"));
const COLUMNS = {
  column: "logits",
  classColumn: "k",
  label: "y",
  cotangent: "g",
  tangent: "v",
  covariance: "s",
};
const WAYS = [
  { threads: 1 },
  { threads: 2, chunkRows: 77 },
  { threads: 2, kernel: "plain" as const },
  { threads: 3, chunkRows: 17 },
  { threads: 2, chunkRows: 2 ** 40 },
];

/** Returns in-memory results as plain rows. */
function rowsOf(values: ArrayLike<number>, rows: number) {
  const n = values.length / rows;
  const all = Array.from(values);
  return upTo(rows).map((r) =>
    n === 1 ? all[r] : all.slice(r * n, r * n + n),
  );
}

describe.each([
  { name: "many rows, batches of 100", rows: 2500, classes: 9, batchRows: 100 },
  { name: "blocks in tiles", rows: 3, classes: 450, batchRows: 2 },
])("$name", ({ rows, classes, batchRows }) => {
  const all = inputs(rows, classes);
  const input = at(`in-${classes}.arrow`);
  writeInputs(input, all, batchRows);

  test("values are the in-memory ones; threads, tasks and kernel do not change bytes", async () => {
    let first: Buffer | null = null;
    for (const { kernel = "simd", ...way } of rows > 3
      ? WAYS
      : WAYS.slice(0, 3)) {
      setKernel(kernel);
      const options = { ...way, ...COLUMNS, input, emit: EMIT_NAMES };
      const { report, bytes } = await run({ ...options, temperature: 0.8 });
      expect(report).toMatchObject({ kernel, threads: expect.any(Number) });
      expect(report.threads).toBeGreaterThan(0);
      first ??= bytes;
      expect(bytes.equals(first)).toBe(true);
    }
    const { column } = outputOf(output);
    const expected = inMemory(all, EMIT_NAMES, 0.8);
    for (const name of EMIT_NAMES)
      expect(column(name), name).toEqual(
        rowsOf(expected[name] as Float64Array, rows),
      );
  }, 120_000);
});

describe("inputs of results", () => {
  const all = inputs(200, 5);
  all.cotangent[7 * 5 + 2] = Number.NaN;
  const input = at("inputs.arrow");
  writeInputs(input, all, 64);
  const given = { input, column: "logits" };

  test.each<[object, string]>([
    [
      { emit: ["column"], class: 5 },
      "class: expected a class from 0 to 4, found 5",
    ],
    [
      { emit: ["vjp"], cotangent: "g" },
      "row 7: expected finite numbers in g, found NaN at 2",
    ],
  ])("%j is refused", async (options, message) => {
    await expect(run({ ...given, ...options })).rejects.toThrow(message);
  });
});
