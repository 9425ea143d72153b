import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type {
  OutputReport,
  ReportOptions,
  RunOptions,
} from "../../src/index.js";
import { CLI, DIGITS } from "../cli/support.js";
import { built } from "../support/built.js";
import {
  KEPT,
  KEPT_CLASSES,
  KEPT_ROWS,
  writeKept,
} from "../support/kept-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";
import { csrFile, writeResults } from "../support/results-file.js";
import { writeLabelled } from "./labelled-input.js";

const at = workDirectory();
const page = at("page.html");

async function reportOf(
  run: Omit<RunOptions, "output">,
  options: Partial<ReportOptions> = {},
): Promise<OutputReport> {
  const results = at("results.arrow");
  await built.run({ ...run, output: results, force: true, threads: 1 });
  return built.report({ results, output: page, force: true, ...options });
}

/** Normal logits. */
function drawn(rows: number, classes: number, name = "drawn.arrow"): string {
  const draw = normal(random(rows * classes + 1));
  const values = Array.from({ length: rows * classes }, () => 3 * draw());
  writeLogits(at(name), {
    rows,
    classes,
    batchRows: [Math.max(1, Math.ceil(rows / 3))],
    logit: (r, k) => values[r * classes + k] as number,
  });
  return at(name);
}

describe("sizes at the edge", () => {
  test.each(["bsr", "packed", "csr", "coo", "factored", "dense"] as const)(
    "no rows, one row, one class, two: %s",
    async (layout) => {
      for (const [rows, classes] of [
        [0, 3],
        [1, 3],
        [4, 1],
        [4, 2],
      ] as const) {
        const input = drawn(rows, classes);
        const report = await reportOf({ input, layout });
        const { summary, confidence, classes: found, rows: shown } = report;
        expect(summary).toMatchObject({ rows, classes, badRows: 0 });
        // Of one class J is 0: coo has no entry of it, and so no row.
        const isEmpty = rows === 0 || (layout === "coo" && classes === 1);
        expect(summary.rowsWithResults).toBe(isEmpty ? 0 : rows);
        if (isEmpty) continue;
        if (classes === 1)
          expect(confidence.uncertainty).toMatchObject({
            zero: rows,
            lostFloat32: 0,
          });
        expect(found.shown.length).toBe(classes);
        const tells = layout !== "coo" || classes > 2;
        expect(summary.rowsWithoutP).toBe(tells ? 0 : rows);
        expect(shown.mostUncertain.length).toBe(tells ? rows : 0);
        for (const row of shown.mostUncertain)
          expect(row.likely?.length).toBe(classes);
      }
    },
  );

  test("3,000 classes: those that change most, of all rows in two passes", async () => {
    const input = drawn(40, 3000, "wide.arrow");
    const told: number[] = [];
    const results = at("wide-results.arrow");
    await built.run({ input, output: results, emit: ["softmax"] });
    const report = await built.report(
      { results, output: page, force: true, classes: 25 },
      { onProgress: (done, rows) => told.push(done / rows) },
    );
    const { classes, rows } = report;
    expect(told.at(-1)).toBe(1);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(classes.shown.length).toBe(25);
    const sensitivity = classes.sensitivity as number[];
    expect(sensitivity.length).toBe(3000);
    const least = Math.min(
      ...classes.shown.map((k) => sensitivity[k] as number),
    );
    expect(sensitivity.filter((value) => value >= least).length).toBe(25);
    const mean = classes.meanJacobian as number[][];
    classes.shown.forEach((k, a) => {
      expect(mean[a]?.[a]).toBeCloseTo(sensitivity[k] as number, 15);
    });
    expect(rows.mostUncertain.length).toBe(20);
    for (const row of rows.mostUncertain) expect(row.likely?.length).toBe(5);
    expect(readFileSync(page).length).toBeLessThan(3e6);
  });

  test("1,000 classes of csr: parts of blocks, and nothing is made of what was left out", async () => {
    const input = drawn(12, 1000, "csr.arrow");
    const csr = { input, layout: "csr", threshold: 1e-6 } as const;
    const report = await reportOf({ ...csr, emit: ["jacobian"] });
    expect(report.summary.from.p).toBeNull();
    expect(report.confidence.uncertainty).toBeNull();
    expect(report.confidence.reasons.length).toBe(3);
    expect(report.rows.mostUncertain).toEqual([]);
    expect(report.rows.reasons[0]).toMatch("need the uncertainty, confidence");
    const { rows } = await reportOf({ ...csr, emit: ["softmax", "jacobian"] });
    const [first] = rows.mostUncertain;
    expect(first?.likely?.[0]).toEqual({
      class: first?.predicted,
      p: first?.confidence,
    });
  });
});

describe("rows that are not whole", () => {
  const rows = 9;
  const input = at("bad.arrow");
  writeLogits(input, {
    rows,
    classes: 4,
    logit: (r, k) =>
      r === 2 || r === 5
        ? Number.NaN
        : r === 7 && k > 0
          ? -Infinity
          : k === 3 && r % 2
            ? -Infinity
            : k * r,
  });

  test("null rows are counted, and are in nothing", async () => {
    for (const layout of ["bsr", "csr", "factored"] as const) {
      const report = await reportOf({ input, layout, onBadRow: "null" });
      expect(report.summary).toMatchObject({
        rows,
        badRows: 2,
        rowsWithResults: 7,
        rowsSkipped: 0,
      });
      const shown = report.rows.mostUncertain.map(({ row }) => row);
      expect(shown.sort((a, b) => a - b)).toEqual([0, 1, 3, 4, 6, 7, 8]);
    }
  });

  test("coo does not tell skipped rows from those without entries", async () => {
    const { summary } = await reportOf({
      input,
      layout: "coo",
      onBadRow: "skip",
    });
    // Of row 7 all but one class are masked: it has no entries.
    expect(summary).toMatchObject({ rowsWithResults: 6, rowsSkipped: 3 });
    expect(readFileSync(page, "utf8")).toMatch("without entries");
  });

  test("rows that were skipped are said to be left out", async () => {
    const report = await reportOf({ input, onBadRow: "skip" });
    expect(report.summary).toMatchObject({
      badRows: 0,
      rowsSkipped: 2,
      rowsWithResults: 7,
    });
    expect(report.confidence.uncertainty?.zero).toBe(1);
    expect(readFileSync(page, "utf8")).toMatch(/>2<\/data> omitted/);
  });

  test("a label that is no class is refused, also where labels are counted from 1", async () => {
    const logits = Array.from({ length: 4 }, () => [0, 1, 2]);
    for (const wrong of [3, -2]) {
      const path = at("wrong-labels.arrow");
      writeLabelled(path, logits, [1, null, wrong, 2]);
      await expect(
        reportOf({ input: path, keep: ["label"] }, { label: "label" }),
      ).rejects.toMatchObject({
        code: "ERR_INPUT_FORMAT",
        message: expect.stringMatching(
          `: row 2: expected a label from 0 to 2, or null, -1 or -100 for none, found ${wrong}; classes are counted from 0$`,
        ),
      });
    }
  });

  test("rows without a label are counted; so are those of p = 0", async () => {
    const labelled = writeLabelled(
      at("labels.arrow"),
      [
        [0, -Infinity, 1],
        [0, 1, 2],
        [0, 1, 2],
        [0, 1, 2],
        [3, 1, 2],
      ],
      [1, -100, null, -1, 0],
    );
    const { calibration } = await reportOf(
      { input: labelled, keep: ["label"] },
      { label: "label" },
    );
    expect(calibration).toMatchObject({
      rows: 2,
      unlabelled: 3,
      zeroP: 1,
      accuracy: 0.5,
    });
    const p = Math.exp(3) / (Math.exp(3) + Math.exp(1) + Math.exp(2));
    expect(calibration?.nll).toBeCloseTo(-Math.log(p), 12);
    // The label of the first row has p = 0.
    const [a, b] = [0, 1].map((o) => Math.exp(o) / (1 + Math.E)) as number[];
    const [c, d] = [1, 2].map((o) => Math.exp(o - 3) * p) as number[];
    const squares = [1, a, b, 1 - p, c, d].map((x) => (x as number) ** 2);
    expect(calibration?.brier).toBeCloseTo(
      squares.reduce((sum, x) => sum + x, 0) / 2,
      12,
    );
  });
});

describe("what an output lacks", () => {
  test.each([
    [
      "uncertainty",
      { uncertainty: true, confidence: true, entropy: false, jacobian: false },
    ],
    [
      "tail",
      { uncertainty: true, confidence: true, entropy: false, jacobian: false },
    ],
    [
      "confidence",
      { uncertainty: false, confidence: true, entropy: false, jacobian: false },
    ],
    [
      "entropy",
      { uncertainty: false, confidence: false, entropy: true, jacobian: false },
    ],
    [
      "trace",
      {
        uncertainty: false,
        confidence: false,
        entropy: false,
        jacobian: false,
      },
    ],
    [
      "softmax",
      { uncertainty: true, confidence: true, entropy: true, jacobian: true },
    ],
    [
      "jacobian",
      { uncertainty: true, confidence: true, entropy: true, jacobian: true },
    ],
  ] as const)("%s alone", async (name, has) => {
    const { confidence, classes, rows } = await reportOf({
      input: DIGITS,
      emit: [name],
    });
    expect({
      uncertainty: confidence.uncertainty !== null,
      confidence: confidence.confidence !== null,
      entropy: confidence.entropy !== null,
      jacobian: classes.meanJacobian !== null,
    }).toEqual(has);
    expect(confidence.reasons.length).toBe(
      [has.uncertainty, has.confidence, has.entropy].filter((there) => !there)
        .length,
    );
    expect(classes.reasons.length).toBe(has.jacobian ? 0 : 1);
    const isRanked = has.uncertainty || has.confidence || has.entropy;
    expect(rows.mostUncertain.length).toBe(isRanked ? 20 : 0);
    const text = readFileSync(page, "utf8");
    for (const lack of [
      ...confidence.reasons,
      ...classes.reasons,
      ...rows.reasons,
    ])
      expect(text).toContain(lack);
  });
});

test("kept columns of every kind, as text", async () => {
  const input = at("kept.arrow");
  writeKept(input, 17);
  const { rows } = await reportOf({ input, keep: Object.keys(KEPT) });
  expect(rows.copiedColumns).toEqual(Object.keys(KEPT).slice(0, 12));
  expect(rows.hiddenColumns).toBe(Object.keys(KEPT).length - 12);
  expect(rows.mostUncertain.length).toBe(Math.min(20, KEPT_ROWS));
  expect(rows.mostUncertain[0]?.likely?.length).toBe(Math.min(5, KEPT_CLASSES));
  for (const { row, copied } of rows.mostUncertain)
    rows.copiedColumns.forEach((name, n) => {
      const value = KEPT[name]?.values[row];
      const wanted =
        value === null
          ? null
          : value instanceof Uint8Array
            ? `0x${Buffer.from(value).toString("hex")}`
            : value instanceof Date
              ? value.toISOString().slice(0, 10)
              : String(value);
      expect(copied[n], `${name}, row ${row}`).toBe(wanted);
    });
});

describe("numbers that cannot be end the report, whatever they would make of a picture", () => {
  const metadata = {
    "softjac.layout": "csr",
    "softjac.emit": "jacobian",
    "softjac.rows": "1",
    "softjac.classes": "3",
    "softjac.dtype": "float64",
    "softjac.temperature": "1",
    "softjac.threshold": "0",
  };

  test.each([
    [[0, 5, 3], "from 6 to 8, found 3"],
    [[0, 1, 9], "from 2 to 8, found 9"],
    [[0, 0, 1], "from 1 to 8, found 0"],
    [[-1, 0, 1], "from 0 to 8, found -1"],
  ])("places %o", async (indices, message) => {
    const results = at("places.arrow");
    const entries = { indices, values: [0.1, 0.1, 0.1] };
    writeResults(results, {
      columns: csrFile([{ row: 0, entries }]),
      metadata,
    });
    await expect(
      built.report({ results, output: at("no.html") }),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_FORMAT",
      message: `${results}: row 0: expected ascending indices ${message}`,
    });
  });

  test("p over 1", async () => {
    const results = at("p.arrow");
    await built.run({ input: DIGITS, output: results, emit: ["softmax"] });
    const bytes = readFileSync(results);
    const p = built.softmaxResults(firstLogits(), {
      rows: 1,
      classes: 10,
      emit: ["softmax"],
    }).softmax as Float32Array;
    const place = bytes.indexOf(Buffer.from(p.buffer, 16, 4));
    bytes.writeFloatLE(1.5, place);
    writeFileSync(results, bytes);
    await expect(
      built.report({ results, output: at("no.html") }),
    ).rejects.toThrow(
      `${results}: row 0: expected p from 0 to 1, found 1.5 for class 4`,
    );
  });
});

function firstLogits(): Float32Array {
  const table = tableFromIPC(readFileSync(DIGITS));
  return Float32Array.from(table.getChild("logits")?.get(0));
}

describe("a dataset", () => {
  const folder = at("logits");
  mkdirSync(folder);
  for (const name of ["train", "test"])
    copyFileSync(DIGITS, `${folder}/${name}.arrow`);
  const dataset = at("dataset");

  test("is what its parts are together", async () => {
    await built.runDataset({
      inputs: [folder],
      output: dataset,
      shardRows: 500,
      keep: ["label"],
    });
    const whole = await reportOf(
      { input: DIGITS, keep: ["label"] },
      { label: "label" },
    );
    const report = await built.report({
      results: dataset,
      output: page,
      force: true,
      label: "label",
    });
    expect(report.summary).toMatchObject({
      kind: "dataset",
      shards: 8,
      sources: ["test.arrow", "train.arrow"],
      rows: 2 * 1797,
      rowsWithResults: 2 * 1797,
    });
    expect(report.confidence.uncertainty?.counts.map((n) => n / 2)).toEqual(
      whole.confidence.uncertainty?.counts,
    );
    expect(report.calibration?.ece).toBeCloseTo(
      whole.calibration?.ece as number,
      12,
    );
    expect(report.classes.meanJacobian?.flat()[3]).toBeCloseTo(
      whole.classes.meanJacobian?.flat()[3] as number,
      12,
    );
    const mostUncertain = whole.rows.mostUncertain
      .slice(0, 10)
      .flatMap(({ row, uncertainty }) => [
        { row, uncertainty },
        { row, uncertainty },
      ]);
    expect(
      report.rows.mostUncertain.map(({ row, uncertainty }) => ({
        row,
        uncertainty,
      })),
    ).toEqual(mostUncertain);
    const inputs = report.rows.mostUncertain.map(({ input }) => input);
    expect(new Set(inputs).size).toBe(2);
  });

  test("without an input that was left out", async () => {
    writeFileSync(`${folder}/broken.arrow`, "no Arrow file");
    const mostly = at("mostly");
    await built.runDataset({
      inputs: [folder],
      output: mostly,
      keepGoing: true,
      allowMissing: true,
      keep: ["label"],
    });
    const report = await built.report({
      results: mostly,
      output: page,
      force: true,
    });
    expect(report.summary.skippedInputs.map(({ name }) => name)).toEqual([
      "broken.arrow",
    ]);
    expect(report.summary.rowsWithResults).toBe(2 * 1797);
    expect(readFileSync(page, "utf8")).toMatch("Inputs without results");
  });

  test("a part that is cut, and a folder that is none", async () => {
    const cut = at("cut");
    execFileSync("cp", ["-r", dataset, cut]);
    const [part] = readdirSync(cut).filter((name) => name.startsWith("part-"));
    truncateSync(`${cut}/${part}`, 1000);
    await expect(
      built.report({ results: cut, output: at("no.html") }),
    ).rejects.toThrow(
      /part-00000-of-00008.arrow: file: expected \d+ bytes as in the manifest, found 1000/,
    );
    const manifest = JSON.parse(readFileSync(`${cut}/_manifest.json`, "utf8"));
    manifest.parts[0].part = "../results.arrow";
    writeFileSync(`${cut}/_manifest.json`, JSON.stringify(manifest));
    await expect(
      built.report({ results: cut, output: at("no.html") }),
    ).rejects.toThrow(
      `${cut}: _manifest.json: expected file names as in part-00000-of-00001.arrow, found "../results.arrow"`,
    );
    writeFileSync(`${cut}/_manifest.json`, "[]");
    await expect(
      built.report({ results: cut, output: at("no.html") }),
    ).rejects.toMatchObject({ code: "ERR_INPUT_FORMAT" });
    rmSync(`${cut}/_SUCCESS`);
    await expect(
      built.report({ results: cut, output: at("no.html") }),
    ).rejects.toThrow(`${cut} is not a complete dataset: it has no _SUCCESS`);
  });
});

test("memory does not grow with the rows", async () => {
  const peakOf = async (rows: number) => {
    const [input, output] = [at("many.arrow"), at("many-results.arrow")];
    await built.generate({ output: input, rows, classes: 4, force: true });
    await built.run({ input, output, emit: ["softmax"], force: true });
    const printed = execFileSync(
      process.execPath,
      [CLI, "report", output, "-o", page, "--force", "--json", "--quiet"],
      { encoding: "utf8", maxBuffer: 1 << 26 },
    );
    return (JSON.parse(printed) as OutputReport).peakMemoryBytes;
  };
  // Some garbage waits for its collector; what keeps a little of every row keeps more than that.
  const few = await peakOf(60_000);
  expect(await peakOf(900_000)).toBeLessThan(few + 90e6);
});

test("the same output gives the same page", async () => {
  await reportOf({ input: DIGITS });
  const first = readFileSync(page, "utf8");
  await reportOf({ input: DIGITS });
  expect(readFileSync(page, "utf8")).toBe(first);
});

test("it can be stopped, and leaves nothing", async () => {
  const stop = new AbortController();
  stop.abort();
  writeFileSync(at("there.html"), "old");
  await built.run({ input: DIGITS, output: at("whole.arrow") });
  await expect(
    built.report(
      { results: at("whole.arrow"), output: at("there.html"), force: true },
      { signal: stop.signal },
    ),
  ).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(readFileSync(at("there.html"), "utf8")).toBe("old");
});
