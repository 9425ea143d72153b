import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { tableFromIPC as arrow } from "apache-arrow";
import { expect, test } from "vitest";
import type { RunOptions } from "../../src/options.js";
import { built } from "../support/built.js";
import { inputs } from "../support/inputs-input.js";
import { KEPT, KEPT_ROWS, writeKept } from "../support/kept-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();

interface Example {
  indices: number[];
  values: number[];
  droppedMax: number;
  droppedSum: number;
}

/** Writes rows of a run over entries as another reader reads them: csr, one example per row of the table. */
async function csr(options: Omit<RunOptions, "output" | "layout">) {
  const output = at("csr.arrow");
  const report = await built.run({
    ...options,
    layout: "csr",
    output,
    force: true,
  });
  const table = flechette(readFileSync(output), { useBigInt: false });
  const get = (name: string, r: number) => table.getChild(name).at(r);
  const examples = Array.from(
    { length: table.numRows },
    (_, r): Example => ({
      indices: [...get("indices", r)],
      values: [...get("values", r)],
      droppedMax: get("dropped_max", r),
      droppedSum: get("dropped_sum", r),
    }),
  );
  return { report, table, examples };
}

async function coo(options: Omit<RunOptions, "output" | "layout">) {
  const output = at("coo.arrow");
  const report = await built.run({
    ...options,
    layout: "coo",
    output,
    force: true,
  });
  const table = flechette(readFileSync(output), { useBigInt: false });
  const array = (name: string): number[] => [...table.getChild(name).toArray()];
  return { report, table, array };
}

const sizes = [
  { rows: 3000, classes: 7, batchRows: [1000, 31] },
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
  const { logits } = inputs(rows, classes, 9);
  const input = at(`in-${classes}.arrow`);
  writeLogits(input, {
    rows,
    classes,
    batchRows,
    logit: (r, k) => logits[r * classes + k] as number,
  });
  for (const choice of choices)
    for (const of of ["jacobian", "log_jacobian"] as const)
      test(`${rows}x${classes}, ${of}, ${JSON.stringify(choice)}: csr and coo have the entries that memory has`, async () => {
        const expected = built.softmaxJacobianEntries(logits, {
          rows,
          classes,
          of,
          ...choice,
        });
        const listed = await csr({ input, emit: [of], ...choice });
        const total = expected.values.length;
        expect(listed.report).toMatchObject({ entries: total, rowsDone: rows });
        listed.examples.forEach((example, r) => {
          const [from, to] = [expected.offsets[r], expected.offsets[r + 1]];
          expect(example).toEqual({
            indices: [...expected.indices.subarray(from, to)],
            values: [...expected.values.subarray(from, to)],
            droppedMax: expected.droppedMax[r],
            droppedSum: expected.droppedSum[r],
          });
        });
        const { array, report } = await coo({
          input,
          emit: ["dropped_sum", of, "confidence", "dropped_max"],
          ...choice,
        });
        expect(report.entries).toBe(total);
        const owner = Array.from(expected.offsets.subarray(1)).flatMap(
          (end, r) =>
            Array(end - (expected.offsets[r] as number)).fill(r) as number[],
        );
        const { confidence } = built.softmaxResults(logits, {
          rows,
          classes,
          emit: ["confidence"],
          temperature: choice.temperature ?? 1,
        });
        expect(array("row")).toEqual(owner);
        const pairs = Array.from(expected.indices);
        expect(array("i")).toEqual(pairs.map((n) => Math.floor(n / classes)));
        expect(array("j")).toEqual(pairs.map((n) => n % classes));
        expect(array("value")).toEqual([...expected.values]);
        const perEntry = (values: ArrayLike<number>) =>
          owner.map((r) => values[r]);
        expect(array("dropped_max")).toEqual(perEntry(expected.droppedMax));
        expect(array("dropped_sum")).toEqual(perEntry(expected.droppedSum));
        expect(array("confidence")).toEqual(
          perEntry(confidence as Float64Array),
        );
      });
}

test.each(["csr", "coo"] as const)(
  "%s: the same bytes whatever the threads, tasks and kernel; the tasks' own size too",
  async (layout) => {
    const rows = 60_000;
    const { logits } = inputs(rows, 11, 3);
    const input = at("many.arrow");
    writeLogits(input, {
      rows,
      classes: 11,
      batchRows: [7001],
      logit: (r, k) => logits[r * 11 + k] as number,
    });
    const hashes = new Set<string>();
    let batches = 0;
    for (const way of [
      { threads: 1 },
      { threads: 2 },
      { threads: 3, chunkRows: 77 },
      { threads: 2, chunkRows: 60_000, kernel: "plain" as const },
    ]) {
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
      hashes.add(
        createHash("sha256").update(readFileSync(output)).digest("hex"),
      );
    }
    expect(hashes.size).toBe(1);
    expect(batches).toBeGreaterThan(1);
  },
);

test("csr: results and kept columns beside the entries, read by two readers", async () => {
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

test("float32: values are rounded, and it is these that are compared with the threshold", async () => {
  const input = at("single.arrow");
  writeLogits(input, {
    rows: 40,
    classes: 5,
    dtype: "float32",
    logit: (r, k) => Math.sin(r * 5 + k) * 6,
  });
  const threshold = 1e-3;
  const { examples } = await csr({ input, threshold });
  const whole = at("whole.arrow");
  await built.run({ input, output: whole, force: true });
  const blocks = flechette(readFileSync(whole)).getChild("jacobian");
  examples.forEach(({ indices, values }, r) => {
    const block = [...(blocks.at(r) as Float32Array)];
    const kept = [...block.keys()].filter(
      (n) => Math.abs(block[n] as number) >= threshold,
    );
    expect(indices).toEqual(kept);
    expect(values).toEqual(kept.map((n) => block[n]));
  });
});

test("an example that is larger than a record batch should be has one of its own", async () => {
  const classes = 1800;
  const input = at("large.arrow");
  writeLogits(input, { rows: 3, classes, logit: (r, k) => ((r + k) % 9) / 9 });
  const { report, examples } = await csr({ input, emit: ["jacobian"] });
  expect(report).toMatchObject({
    recordBatches: 3,
    entries: 3 * classes ** 2,
  });
  expect(examples[2]?.indices.at(-1)).toBe(classes ** 2 - 1);
  const { softmax } = built.softmaxResults(
    Float64Array.from({ length: classes }, (_, k) => ((2 + k) % 9) / 9),
    { rows: 1, classes, emit: ["softmax"] },
  );
  const [p, q] = [softmax?.[5], softmax?.[1700]] as [number, number];
  expect(examples[2]?.values[5 * classes + 1700]).toBe(-(p * q));
}, 60_000);

test("masked classes have no entries; no rows are no batches", async () => {
  const input = at("masked.arrow");
  writeLogits(input, {
    rows: 6,
    classes: 4,
    logit: (r, k) => (k === r % 4 ? -Infinity : k),
  });
  const { examples } = await csr({ input });
  examples.forEach(({ indices, droppedMax, droppedSum }, r) => {
    expect(indices).toHaveLength(9);
    expect(
      indices.every((n) => n % 4 !== r % 4 && Math.floor(n / 4) !== r % 4),
    ).toBe(true);
    expect([droppedMax, droppedSum]).toEqual([0, 0]);
  });
  const empty = at("empty.arrow");
  writeLogits(empty, { rows: 0, classes: 4, logit: () => 0 });
  expect((await csr({ input: empty })).report.recordBatches).toBe(0);
  expect((await coo({ input: empty })).table.numRows).toBe(0);
});

const bad = (r: number) => [3, 4, 17, 58, 59].includes(r);
function writeBad(path: string, rows = 60): void {
  writeLogits(path, {
    rows,
    classes: 3,
    batchRows: [7],
    logit: (r, k) => (bad(r) && k === 1 ? Number.NaN : Math.sin(3 * r + k)),
  });
}

test("bad rows: error names the first; null has null lists; skip leaves gaps", async () => {
  const input = at("bad.arrow");
  writeBad(input);
  for (const layout of ["csr", "coo"] as const)
    await expect(
      built.run({ input, output: at("none.arrow"), layout }),
    ).rejects.toMatchObject({ code: "ERR_BAD_ROW", row: 3 });
  expect(readdirSync(dirname(input)).filter((f) => /none/.test(f))).toEqual([]);

  const nulls = flechette(
    readFileSync(await written({ input, layout: "csr", onBadRow: "null" }, 60)),
    { useBigInt: false },
  );
  for (const name of ["softmax", "indices", "values", "dropped_max"])
    expect(
      Array.from({ length: 60 }, (_, r) => nulls.getChild(name).at(r) === null),
    ).toEqual(Array.from({ length: 60 }, (_, r) => bad(r)));

  const good = Array.from({ length: 60 }, (_, r) => r).filter((r) => !bad(r));
  const gaps = flechette(
    readFileSync(await written({ input, layout: "csr", onBadRow: "skip" }, 60)),
    { useBigInt: false },
  );
  expect([...gaps.getChild("row").toArray()]).toEqual(good);
  for (const name of ["softmax", "indices", "values", "dropped_sum"])
    expect([...gaps.getChild(name)]).toEqual(
      [...nulls.getChild(name)].filter((_, r) => !bad(r)),
    );
  const pairs = flechette(
    readFileSync(await written({ input, layout: "coo", onBadRow: "skip" }, 60)),
    { useBigInt: false },
  );
  expect([...new Set(pairs.getChild("row").toArray())]).toEqual(good);
  expect(pairs.numRows).toBe(good.length * 9);
});

async function written(
  options: Omit<RunOptions, "output">,
  rows: number,
): Promise<string> {
  const output = at("bad-out.arrow");
  const report = await built.run({ ...options, output, force: true });
  expect(report).toMatchObject({ rowsDone: rows, badRows: 5, firstBadRow: 3 });
  return output;
}

test("csr, skip: kept columns of every kind leave the same rows out", async () => {
  const input = at("kept-skip.arrow");
  writeKept(input, 7);
  const output = at("kept-skip-out.arrow");
  // rows whose label is no class are bad rows
  await built.run({
    input,
    output,
    keep: Object.keys(KEPT),
    column: "logits",
    layout: "csr",
    emit: ["jacobian", "cross_entropy"],
    label: "label",
    onBadRow: "skip",
  });
  const table = flechette(readFileSync(output));
  const kept = Array.from({ length: KEPT_ROWS }, (_, r) => r).filter(
    (r) => (r % 7) - 3 >= 0,
  );
  expect([...table.getChild("row")].map(Number)).toEqual(kept);
  const source = flechette(readFileSync(input));
  for (const name of Object.keys(KEPT))
    expect([...table.getChild(name)]).toEqual(
      kept.map((r) => source.getChild(name).at(r)),
    );
});

test("more classes than int32 indices can hold: csr refuses, coo does not", async () => {
  const classes = 50_000;
  const input = at("wide.arrow");
  writeLogits(input, { rows: 2, classes, logit: (r, k) => -(k + r) / 3 });
  await expect(
    built.run({ input, output: at("w.arrow"), layout: "csr", topK: 9 }),
  ).rejects.toThrow(
    "expected at most 46340 classes in layout csr, whose indices are int32, found 50000 (layout coo has no such limit)",
  );
  const { report, array } = await coo({ input, threshold: 1e-6 });
  expect(report.entries).toBe(array("value").length);
  // p_i p_j = p_0² e^(-(i+j)/3) >= 1e-6 with p_0 = 1 - e^(-1/3)
  const p = (k: number) => (1 - Math.exp(-1 / 3)) * Math.exp(-k / 3);
  let expected = 0;
  for (let i = 0; i < 100; i++)
    for (let j = 0; j < 100; j++)
      if ((i === j ? p(i) * (1 - p(i)) : p(i) * p(j)) >= 1e-6) expected++;
  expect(report.entries).toBe(2 * expected);
});

test("an aborted run leaves nothing", async () => {
  const input = at("many-2.arrow");
  writeLogits(input, {
    rows: 90_000,
    classes: 9,
    logit: (r, k) => r % (k + 2),
  });
  const controller = new AbortController();
  await expect(
    built.run(
      { input, output: at("gone.arrow"), layout: "coo", threads: 2 },
      {
        signal: controller.signal,
        onProgress: () => controller.abort(new Error("enough")),
      },
    ),
  ).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(readdirSync(dirname(input)).filter((f) => /gone/.test(f))).toEqual([]);
});
