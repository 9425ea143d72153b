import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { tableFromIPC as arrow } from "apache-arrow";
import { afterEach, expect, test } from "vitest";
import { built } from "../support/built.js";
import { runCoo, runCsr } from "../support/entries-runs.js";
import { expectSameValues } from "../support/first-difference.js";
import { KEPT, writeKept } from "../support/kept-input.js";
import { setKernel } from "../support/kernels.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";

const at = workDirectory();
afterEach(() => setKernel("simd"));

const RESULTS = ["jacobian", "log_jacobian"] as const;
const sizes = [
  // More than 4 MiB in coo, so that threads compute them.
  { rows: 1900, classes: 7, batchRows: [500, 31] },
  { rows: 2, classes: 450, batchRows: [1] },
  { rows: 4, classes: 1, batchRows: [4] },
];
const choices = [
  {},
  { threshold: 1e-6 },
  { topK: 20 },
  { threshold: 1e-4, topK: 5, temperature: 3 },
];

for (const { rows, classes, batchRows } of sizes) {
  const logits = logitsOf(rows, classes, 9);
  const input = at(`in-${classes}.arrow`);
  writeLogits(input, {
    rows,
    classes,
    batchRows,
    logit: (r, k) => logits[r * classes + k] as number,
  });
  // The large block has many entries, so each choice is tested with only one of the two.
  for (const [k, choice] of choices.entries())
    for (const of of rows > 2 ? RESULTS : RESULTS.slice(k % 2).slice(0, 1))
      test(`${rows}x${classes}, ${of}, ${JSON.stringify(choice)}: csr and coo have the in-memory entries`, async () => {
        const expected = built.softmaxJacobianEntries(logits, {
          rows,
          classes,
          of,
          ...choice,
        });
        const listed = await runCsr(at("csr.arrow"), {
          input,
          emit: [of],
          ...choice,
        });
        const total = expected.values.length;
        expect(listed.report).toMatchObject({ entries: total, rowsDone: rows });
        listed.examples.forEach((example, r) => {
          const [from, to] = [expected.offsets[r], expected.offsets[r + 1]];
          const { indices, values, droppedMax, droppedSum } = expected;
          expectSameValues(
            [
              example.indices,
              example.values,
              example.droppedMax,
              example.droppedSum,
            ],
            [
              indices.subarray(from, to),
              values.subarray(from, to),
              droppedMax[r],
              droppedSum[r],
            ],
            `row ${r}`,
          );
        });
        const { array, report } = await runCoo(at("coo.arrow"), {
          input,
          emit: ["dropped_sum", of, "confidence", "dropped_max"],
          ...choice,
        });
        expect(report.entries).toBe(total);
        const owner = new Float64Array(total);
        for (let r = 0; r < rows; r++)
          owner.fill(r, expected.offsets[r], expected.offsets[r + 1]);
        const { confidence } = built.softmaxResults(logits, {
          rows,
          classes,
          emit: ["confidence"],
          temperature: choice.temperature ?? 1,
        });
        const pairs = Float64Array.from(expected.indices);
        const perEntry = (values: ArrayLike<number>) =>
          owner.map((r) => values[r] as number);
        for (const [name, values] of Object.entries({
          row: owner,
          i: pairs.map((n) => Math.floor(n / classes)),
          j: pairs.map((n) => n % classes),
          value: expected.values,
          dropped_max: perEntry(expected.droppedMax),
          dropped_sum: perEntry(expected.droppedSum),
          confidence: perEntry(confidence as Float64Array),
        }))
          expectSameValues(array(name), values, name);
      });
}

function logitsOf(rows: number, classes: number, seed: number): Float64Array {
  const draw = normal(random(seed));
  return Float64Array.from({ length: rows * classes }, () => 4 * draw());
}

test.each(["csr", "coo"] as const)(
  "%s: any number of threads, task size and kernel gives the same bytes",
  async (layout) => {
    const rows = 20_000;
    const logits = logitsOf(rows, 11, 3);
    const input = at("many.arrow");
    writeLogits(input, {
      rows,
      classes: 11,
      batchRows: [7001],
      logit: (r, k) => logits[r * 11 + k] as number,
    });
    let first: Buffer | null = null;
    let batches = 0;
    for (const { kernel = "simd", ...way } of [
      { threads: 2 },
      { threads: 3, chunkRows: 77 },
      { threads: 1, chunkRows: 20_000, kernel: "plain" as const },
    ]) {
      setKernel(kernel);
      const output = at("same.arrow");
      const report = await built.run({
        input,
        output,
        layout,
        threshold: 1e-9,
        force: true,
        ...way,
      });
      expect(report.threads).toBe(way.threads);
      batches = report.recordBatches;
      const bytes = readFileSync(output);
      first ??= bytes;
      expect(bytes.equals(first)).toBe(true);
    }
    expect(batches).toBeGreaterThan(1);
  },
);

test("csr: two readers read results and copied columns beside the entries", async () => {
  const input = at("kept.arrow");
  writeKept(input, 20);
  const output = at("kept-out.arrow");
  const keep = Object.keys(KEPT);
  await built.run({
    input,
    output,
    keep,
    column: "logits",
    layout: "csr",
    emit: ["confidence", "jacobian", "softmax", "argmax"],
    threshold: 0.01,
  });
  const names = [
    "row",
    ...keep,
    "confidence",
    "indices",
    "values",
    "dropped_max",
    "dropped_sum",
    "softmax",
    "argmax",
  ];
  const [one, other] = [
    flechette(readFileSync(output)),
    arrow(readFileSync(output)),
  ];
  expect(one.names).toEqual(names);
  expect(other.schema.fields.map(({ name }) => name)).toEqual(names);
  const source = flechette(readFileSync(input));
  for (const name of keep)
    expect([...one.getChild(name)]).toEqual([...source.getChild(name)]);
  expect(other.getChild("indices")?.get(3)?.toArray()).toEqual(
    one.getChild("indices").at(3),
  );
});

test("float32 values are rounded before they are compared with the threshold", async () => {
  const input = at("single.arrow");
  writeLogits(input, {
    rows: 40,
    classes: 5,
    dtype: "float32",
    logit: (r, k) => Math.sin(r * 5 + k) * 6,
  });
  const threshold = 1e-3;
  const { examples } = await runCsr(at("csr.arrow"), { input, threshold });
  const whole = at("whole.arrow");
  await built.run({ input, output: whole, force: true });
  const blocks = flechette(readFileSync(whole)).getChild("jacobian");
  examples.forEach(({ indices, values }, r) => {
    const block = [...(blocks.at(r) as Float32Array)];
    const kept = [...block.keys()].filter(
      (n) => Math.abs(block[n] as number) >= threshold,
    );
    expect([...indices]).toEqual(kept);
    expect([...values]).toEqual(kept.map((n) => block[n]));
  });
});
