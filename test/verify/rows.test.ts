import { writeFileSync } from "node:fs";
import { Float64, Int64 } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { sampleRows } from "../../src/verify/compare-rows.js";
import { verifyValues } from "../../src/verify/verify-values.js";
import { npy } from "../support/array-files.js";
import { built } from "../support/built.js";
import { fixedSizeList } from "../support/fixed-size-list.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { writeResults } from "../support/results-file.js";

const at = workDirectory();
const BAD = [0, 7, 8, 23, 39];
const input = at("in.arrow");
const logit = (r: number, k: number) => Math.sin(5 * r + k) * 4;
writeLogits(input, {
  rows: 40,
  classes: 3,
  batchRows: [9, 1],
  logit: (r, k) => (BAD.includes(r) && k === r % 3 ? Number.NaN : logit(r, k)),
});
const sound = at("sound.arrow");
writeLogits(sound, { rows: 40, classes: 3, logit });

describe.each(["bsr", "packed", "dense", "factored", "csr", "coo"] as const)(
  "bad rows, %s",
  (layout) => {
    const ways = layout === "coo" ? ["skip"] : ["skip", "null"];
    test.each(ways)("%s", async (onBadRow) => {
      const output = at("out.arrow");
      await built.run({
        input,
        output,
        layout,
        emit: layout === "coo" ? ["jacobian"] : ["jacobian", "entropy"],
        onBadRow: onBadRow as "skip" | "null",
        force: true,
      });
      for (const rows of ["all", 2, 20] as const) {
        const report = await verifyValues({ input, output, rows });
        expect(report).toMatchObject({ problems: [], ok: true });
        if (rows === "all") expect(report).toMatchObject({ badRows: 5 });
        if (rows === 2) expect(report).toMatchObject({ badRows: 2 });
      }
      // Rows that are good in the input must be there.
      const other = await verifyValues({ input: sound, output, rows: "all" });
      expect(other.ok).toBe(false);
      for (const row of BAD)
        expect(other.problems.join("\n")).toMatch(
          new RegExp(
            `^row ${row}: (?:expected values|the row is missing|the entry .* is missing)`,
            "m",
          ),
        );
      // And rows that are bad must not.
      await built.run({
        input: sound,
        output,
        layout,
        emit: ["jacobian"],
        force: true,
      });
      const values = await verifyValues({ input, output, rows: "all" });
      expect(values.problems).toHaveLength(5);
      expect(values.problems[1]).toMatch(
        "row 7: the input row is bad, so no row is expected; found values in column ",
      );
    });
  },
);

test("a row without a label is a bad row", async () => {
  const output = at("labels-out.arrow");
  const labels = at("labels.arrow");
  writeResults(labels, {
    columns: [
      ["y", new Int64(), [0n, -100n, 1n, -1n]],
      ["o", fixedSizeList(new Float64(), 3), Array(4).fill([1, 2, 3])],
    ],
  });
  const names = { input: labels, output, label: "y" };
  await built.run({ ...names, emit: ["gradient"], onBadRow: "null" });
  const report = await verifyValues({ ...names, rows: "all" });
  expect(report).toMatchObject({ ok: true, badRows: 2, problems: [] });
  // The metadata of the output names the label.
  const again = await verifyValues({ input: labels, output, rows: "all" });
  expect(again).toMatchObject({ ok: true, badRows: 2, problems: [] });
});

test("another input than that of the output", async () => {
  const output = at("few.arrow");
  const few = at("few-in.arrow");
  writeLogits(few, { rows: 5, classes: 3, logit });
  await built.run({ input: few, output });
  expect(await verifyValues({ input, output, rows: "all" })).toMatchObject({
    problems: [`metadata: expected softjac.rows 40 as in ${input}, found 5`],
    ok: false,
  });
});

test("the same logits in a file of another kind, without a name", async () => {
  const output = at("named-out.arrow");
  const named = at("named.arrow");
  const values = Float64Array.from({ length: 15 }, (_, k) => Math.sin(k));
  writeLogits(named, {
    rows: 5,
    classes: 3,
    logit: (r, k) => values[3 * r + k] as number,
  });
  await built.run({ input: named, output });
  const unnamed = at("unnamed.npy");
  writeFileSync(unnamed, npy(values, [5, 3]));
  expect(
    await verifyValues({ input: unnamed, output, rows: "all" }),
  ).toMatchObject({ ok: true, rowsChecked: 5 });
  await expect(
    verifyValues({ input: unnamed, output, column: "logits", rows: "all" }),
  ).rejects.toMatchObject({ code: "ERR_LOGITS_COLUMN" });
});

test("no rows, one row", async () => {
  for (const rows of [0, 1]) {
    const [some, output] = [at(`${rows}.arrow`), at(`${rows}-out.arrow`)];
    writeLogits(some, { rows, classes: 3, logit });
    for (const layout of ["bsr", "csr", "coo"] as const) {
      await built.run({ input: some, output, layout, force: true });
      for (const asked of ["all", 1, 7] as const)
        expect(
          await verifyValues({ input: some, output, rows: asked }),
        ).toMatchObject({ ok: true, rows, rowsChecked: rows });
    }
  }
});

describe("errors", () => {
  const output = at("foreign.arrow");
  const metadata = {
    layout: "bsr",
    emit: "entropy",
    rows: "1",
    classes: "3",
    dtype: "float64",
    temperature: "1",
    threshold: "0",
  };
  const write = (some: Record<string, string>, type = "entropy") =>
    writeResults(output, {
      columns: [
        ["row", new Int64(), [0n]],
        [type, new Float64(), [1]],
      ],
      metadata: Object.fromEntries(
        Object.entries(some).map(([key, value]) => [`softjac.${key}`, value]),
      ),
    });
  const one = at("one.arrow");
  writeLogits(one, { rows: 1, classes: 3, logit });
  const verify = () => verifyValues({ input: one, output, rows: "all" });

  test("metadata of softjac is needed", async () => {
    for (const key of Object.keys(metadata)) {
      const { [key as "rows"]: _, ...others } = metadata;
      write(others);
      await expect(verify()).rejects.toThrow(
        `${output}: metadata: softjac.${key} is missing, so this is not an output of softjac`,
      );
    }
    write({ ...metadata, emit: "entropy,bliss" });
    await expect(verify()).rejects.toThrow(
      'expected names of results in softjac.emit, found "bliss"',
    );
    write({ ...metadata, emit: "entropy,entropy" });
    await expect(verify()).rejects.toMatchObject({ code: "ERR_INPUT_FORMAT" });
  });

  test("a column that is not there is a finding", async () => {
    write(metadata, "entropie");
    expect((await verify()).problems).toEqual([
      "column entropy: expected float64, found no such column",
    ]);
  });

  test("files that are none", async () => {
    write(metadata);
    await expect(
      verifyValues({ input: at("nothing"), output, rows: "all" }),
    ).rejects.toMatchObject({ code: "ERR_INPUT_MISSING" });
    writeFileSync(output, "ARROW1");
    await expect(verify()).rejects.toMatchObject({ code: "ERR_INPUT_FORMAT" });
  });

  test("options, and a signal", async () => {
    write(metadata);
    for (const options of [
      { sample: 0 },
      { sample: 1.5 },
      { seed: -1 },
      { column: "a", columns: "b" },
    ])
      await expect(
        built.verify({ input: one, output, ...options }),
      ).rejects.toMatchObject({ code: "ERR_USAGE" });
    await expect(
      verifyValues(
        { input: one, output, rows: "all" },
        { signal: AbortSignal.abort() },
      ),
    ).rejects.toMatchObject({ code: "ERR_ABORTED" });
  });
});

test("progress", async () => {
  const output = at("progress.arrow");
  await built.run({ input: sound, output });
  for (const rows of ["all", 5] as const) {
    const seen: [number, number][] = [];
    await verifyValues(
      { input: sound, output, rows },
      { onProgress: (...now) => seen.push(now) },
    );
    const total = rows === "all" ? 40 : 5;
    expect(seen.at(-1)).toEqual([total, total]);
  }
});

test("samples have the first and the last row, and none twice", () => {
  for (const [rows, count] of [
    [0, 3],
    [1, 1],
    [2, 1],
    [10, 2],
    [10, 9],
    [1000, 400],
  ] as const) {
    const sample = sampleRows(rows, count, 5);
    expect(sample).toHaveLength(
      Math.min(rows, Math.max(count, Math.min(rows, 1), 1 + +(rows > count))),
    );
    expect(sample[0]).toBe(rows ? 0 : undefined);
    expect(sample.at(-1)).toBe(rows ? rows - 1 : undefined);
    expect(new Set(sample).size).toBe(sample.length);
    expect(sample).toEqual(sample.slice().sort());
    expect(sampleRows(rows, count, 5)).toEqual(sample);
  }
  expect(sampleRows(1000, 400, 6)).not.toEqual(sampleRows(1000, 400, 5));
  const seen = new Set<number>();
  for (let seed = 0; seed < 100; seed++)
    for (const row of sampleRows(12, 4, seed)) seen.add(row);
  expect(seen.size).toBe(12);
});
