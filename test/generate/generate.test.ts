import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { tableFromIPC as flechetteTable } from "@uwdata/flechette";
import { RecordBatchReader, tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import type { GenerateOptions } from "../../src/index.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const { generate } = built;
const MiB = 2 ** 20;

interface Drawn {
  ids: bigint[];
  logits: number[];
  labels: number[];
}

async function drawn(
  options: Omit<GenerateOptions, "output">,
): Promise<Drawn & { bytes: Buffer }> {
  const output = at("drawn.arrow");
  await generate({ ...options, output, force: true });
  const bytes = readFileSync(output);
  const table = tableFromIPC(bytes);
  const child = table.getChild("logits")?.data ?? [];
  return {
    bytes,
    ids: [...(table.getChild("id")?.toArray() ?? [])],
    logits: child.flatMap((data) => [...(data.children[0]?.values ?? [])]),
    labels: [...(table.getChild("label")?.toArray() ?? [])],
  };
}

test.each(["float32", "float64"] as const)(
  "%s: two readers find the same columns, and the report is right",
  async (dtype) => {
    const output = at(`${dtype}.arrow`);
    const options = { rows: 1000, classes: 7, dtype, output, seed: 3 };
    const report = await generate(options);
    expect(report).toMatchObject({
      status: "done",
      kind: "normal",
      scale: 3,
      seed: 3,
      dtype,
      rows: 1000,
      rowsDone: 1000,
      recordBatches: 1,
      outputBytes: statSync(output).size,
    });
    const bytes = readFileSync(output);
    const table = tableFromIPC(bytes);
    expect(table.schema.fields.map(({ type }) => `${type}`)).toEqual([
      "Int64",
      `FixedSizeList[7]<${dtype === "float32" ? "Float32" : "Float64"}>`,
      "Int32",
    ]);
    expect(table.schema.metadata.get("softjac.seed")).toBe("3");
    const other = flechetteTable(bytes);
    expect(other.numRows).toBe(1000);
    for (const row of [0, 999]) {
      expect(Number(other.getChild("id").at(row))).toBe(row);
      expect([...other.getChild("logits").at(row)]).toEqual([
        ...(table.getChild("logits")?.get(row) ?? []),
      ]);
      expect(other.getChild("label").at(row)).toBe(
        table.getChild("label")?.get(row),
      );
    }
  },
);

test("the same bytes twice, others for another seed; float32 is the float64 rounded", async () => {
  const options = { rows: 500, classes: 6, kind: "peaked", seed: 9 } as const;
  const a = await drawn(options);
  expect((await drawn(options)).bytes.equals(a.bytes)).toBe(true);
  expect((await drawn({ ...options, seed: 10 })).logits).not.toEqual(a.logits);
  const narrow = await drawn({ ...options, dtype: "float32" });
  expect(narrow.logits).toEqual(a.logits.map(Math.fround));
});

test("several record batches of 16 to 64 MiB; rows do not depend on how many there are", async () => {
  const output = at("batches.arrow");
  const options = {
    classes: 1000,
    kind: "notebook",
    dtype: "float32",
  } as const;
  const report = await generate({ ...options, rows: 10_000, output });
  expect(report.recordBatches).toBe(2);
  const reader = RecordBatchReader.from(readFileSync(output));
  const batches = [...reader];
  expect(batches.map(({ numRows }) => numRows)).toEqual([8363, 1637]);
  expect(8363 * 4012).toBeLessThan(64 * MiB);
  const values = batches.flatMap((batch) => [
    ...(batch.data.children[1]?.children[0]?.values.subarray(0, 3000) ?? []),
  ]);
  const few = await drawn({ ...options, rows: 3 });
  expect(values.slice(0, 3000)).toEqual(few.logits);
  expect(batches[1]?.get(0)?.id).toBe(8363n);
});

test("no rows, one class, 100,000 classes", async () => {
  expect((await drawn({ rows: 0, classes: 3 })).ids).toEqual([]);
  const one = await drawn({ rows: 5, classes: 1, kind: "peaked" });
  expect(one.labels).toEqual([0, 0, 0, 0, 0]);
  expect(one.ids).toEqual([0n, 1n, 2n, 3n, 4n]);
  const wide = await drawn({ rows: 3, classes: 100_000, kind: "peaked" });
  expect(wide.logits.length).toBe(300_000);
});

test("run takes it", async () => {
  const input = at("in.arrow");
  await generate({ output: input, rows: 100, classes: 4 });
  const report = await built.run({
    input,
    output: at("out.arrow"),
    keep: ["id", "label"],
  });
  expect(report).toMatchObject({ rows: 100, classes: 4, column: "logits" });
});

const mean = (x: number[]) => x.reduce((sum, v) => sum + v, 0) / x.length;
/** Σ (found - expected)²/expected; of k classes it is about k - 1 ± √(2 (k - 1)). */
const chiSquare = (found: number[], expected: number[]) =>
  found.reduce(
    (sum, n, k) =>
      sum + (n - (expected[k] as number)) ** 2 / (expected[k] as number),
    0,
  );

test("notebook: 21 values, each as often", async () => {
  const { logits } = await drawn({
    rows: 10_500,
    classes: 10,
    kind: "notebook",
  });
  const counts = Array(21).fill(0);
  for (const x of logits) counts[2 * x + 10]++;
  expect(counts.reduce((a, b) => a + b)).toBe(105_000);
  // 20 degrees of freedom: 45.3 is passed once in 1000.
  expect(chiSquare(counts, Array(21).fill(5000))).toBeLessThan(45.3);
});

test("normal: mean, variance, fourth moment", async () => {
  const { logits } = await drawn({ rows: 20_000, classes: 10, scale: 2 });
  const z = logits.map((x) => x / 2);
  // Of 200,000 draws: four standard errors each.
  expect(Math.abs(mean(z))).toBeLessThan(4 * Math.sqrt(1 / 200_000));
  expect(Math.abs(mean(z.map((x) => x * x)) - 1)).toBeLessThan(
    4 * Math.sqrt(2 / 200_000),
  );
  expect(Math.abs(mean(z.map((x) => x ** 4)) - 3)).toBeLessThan(
    4 * Math.sqrt(96 / 200_000),
  );
  const neighbours = z.slice(1).map((x, k) => x * (z[k] as number));
  expect(Math.abs(mean(neighbours))).toBeLessThan(4 * Math.sqrt(1 / 200_000));
});

test("peaked: the winner is any class, its margin uniform on (0, 40)", async () => {
  const rows = 20_000;
  const { logits } = await drawn({ rows, classes: 5, kind: "peaked" });
  const margins: number[] = [];
  const winners = Array(5).fill(0);
  for (let r = 0; r < rows; r++) {
    const row = logits.slice(5 * r, 5 * r + 5);
    const [first, second] = [...row].sort((a, b) => b - a);
    margins.push((first as number) - (second as number));
    winners[row.indexOf(first as number)]++;
  }
  expect(chiSquare(winners, Array(5).fill(rows / 5))).toBeLessThan(18.5);
  const tenths = Array(10).fill(0);
  for (const margin of margins) tenths[Math.floor(margin / 4)]++;
  expect(chiSquare(tenths, Array(10).fill(rows / 10))).toBeLessThan(27.9);
});

test("labels are drawn from softmax of their rows", async () => {
  const rows = 20_000;
  const { logits, labels } = await drawn({ rows, classes: 4, scale: 1 });
  const p = built.softmax(Float64Array.from(logits), { rows, classes: 4 });
  const found = Array(4).fill(0);
  const expected = Array(4).fill(0);
  let surprise = 0;
  labels.forEach((label, r) => {
    found[label]++;
    surprise += 1 / (p[4 * r + label] as number);
    for (let k = 0; k < 4; k++) expected[k] += p[4 * r + k];
  });
  expect(chiSquare(found, expected)).toBeLessThan(16.3);
  // The mean of 1/p of the class drawn is the number of classes.
  expect(surprise / rows).toBeCloseTo(4, 0);
});

test("options are checked hard, and the caller's are not changed", async () => {
  const output = at("refused.arrow");
  const refuse = async (options: object, message: string) =>
    expect(
      generate({ output, rows: 1, classes: 2, ...options }),
    ).rejects.toThrow(message);
  await refuse({ output: "" }, 'output: expected a path, found ""');
  await refuse({ rows: undefined }, "missing required option rows");
  await refuse({ rows: -1 }, "rows: expected a whole number from 0, found -1");
  await refuse(
    { classes: 0 },
    "classes: expected a whole number from 1 to 16777216, found 0",
  );
  await refuse(
    { kind: "flat" },
    'kind: expected notebook or normal or peaked, found "flat"',
  );
  await refuse(
    { scale: 1, kind: "peaked" },
    "scale: only kind normal has a scale, found kind peaked",
  );
  await refuse(
    { scale: -1 },
    "scale: expected a number from 0 to 1000000, found -1",
  );
  await refuse(
    { seed: 0.5 },
    "seed: expected a whole number from 0, found 0.5",
  );
  await refuse(
    { dtype: "float16" },
    'dtype: expected float32 or float64, found "float16"',
  );
  await refuse(
    { threads: 2 },
    "unknown option threads; the options are output, rows, classes, kind, scale, seed, dtype, force, sync",
  );
  await refuse(
    { rows: 2 ** 50 },
    "rows, classes: expected at most 4398046511104 bytes in one file, found 1125899906842624 rows of 28",
  );
  expect(existsSync(output)).toBe(false);
  const options = Object.freeze({
    output: at("frozen.arrow"),
    rows: 1,
    classes: 2,
  });
  await generate(options);
});

test("an existing file is refused; too little space and an abort leave nothing behind", async () => {
  const output = at("kept.arrow");
  const options = { output, rows: 10, classes: 2 };
  await generate(options);
  await expect(generate(options)).rejects.toThrow(
    `${output} already exists; use --force to overwrite it`,
  );
  await generate({ ...options, force: true, rows: 20 });

  const other = at("other.arrow");
  await expect(
    generate({ output: other, rows: 150_000_000_000, classes: 1 }),
  ).rejects.toThrow(/not enough disk space in .+: \d+ bytes are needed/);
  const controller = new AbortController();
  const aborted = generate(
    { output: other, rows: 1_000_000, classes: 10 },
    {
      signal: controller.signal,
      onProgress: (rowsDone) => {
        if (rowsDone > 20_000) controller.abort();
      },
    },
  );
  await expect(aborted).rejects.toMatchObject({
    code: "ERR_ABORTED",
    report: { status: "failed", rows: 1_000_000 },
  });
  const left = readdirSync(dirname(other)).filter((name) =>
    name.includes("other.arrow"),
  );
  expect(left).toEqual([]);
});
