import { describe, expect, test } from "vitest";
import type {
  JacobianBatch,
  JacobianReader,
  OpenJacobianOptions,
  RunOptions,
} from "../../src/index.js";
import { LAYOUTS, type Layout } from "../../src/results/catalogue.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";
import {
  type SparseExamples,
  sparseColumns,
  writeResults,
} from "../support/results-file.js";

// Blocks that openJacobian reads: by row in reverse order, by record batch, and as the dense tensor.

const at = workDirectory();
const EPSILON = 2 ** -52;
type Floats = Float64Array | Float32Array;

interface Expected {
  rows: number;
  classes: number;
  layout: Layout;
  /** Returns a block: null for a bad row, undefined for a row that the file lacks. */
  block(row: number): Floats | null | undefined;
}

async function expectBlocks(
  path: string,
  { block, ...file }: Expected,
  options?: OpenJacobianOptions,
): Promise<void> {
  await using reader = await built.openJacobian(path, options);
  expect(reader).toMatchObject({ ...file, path });
  const { rows, classes, layout } = file;
  const present: number[] = [];
  const tensor = new Float64Array((rows * classes) ** 2);
  for (let row = rows; row >= 0; row--) {
    const expected = row === rows ? undefined : block(row);
    if (expected === undefined)
      await expect(reader.block(row)).rejects.toMatchObject({
        ...{ code: "ERR_ROW_MISSING", name: "RowMissingError", row, path },
      });
    else await expectBlock(reader, layout, row, expected);
    if (row === rows) continue;
    const found = expected ? await reader.block(row) : null;
    for (let i = 0; i < classes; i++)
      for (let j = 0; j < classes; j++)
        tensor[((row * classes + i) * rows + row) * classes + j] =
          found?.[i * classes + j] ?? Number.NaN;
    if (layout !== "coo" ? expected !== undefined : !isZero(expected))
      present.unshift(row);
  }
  expect(Float64Array.from(await reader.toDense())).toEqual(tensor);
  const found: number[] = [];
  for await (const batch of reader) {
    expect(batch).toMatchObject({ count: batch.rows.length, classes });
    for (const [k, row] of batch.rows.entries()) {
      found.push(row);
      await expectBlock(batch, layout, k, block(row) ?? null);
    }
  }
  expect(found).toEqual(present);
}

const isZero = (block: Floats | null | undefined) =>
  block?.every((x) => x === 0);

/** Expects a block from each method of a reader or a batch. */
async function expectBlock(
  blocks: JacobianReader | JacobianBatch,
  layout: Layout,
  n: number,
  expected: Floats | null,
): Promise<void> {
  const { classes } = blocks;
  const found = await blocks.block(n);
  if (layout !== "factored" || !expected || !found)
    expect(found, `row ${n}`).toEqual(expected);
  else {
    expect(found.constructor).toBe(expected.constructor);
    // A subnormal p is divided by T, here at least 0.3.
    const [unit, least] =
      found instanceof Float32Array ? [2 ** -23, 2 ** -149] : [EPSILON, 2e-323];
    const error = expected.map(
      (x, k) =>
        Math.abs((found[k] as number) - x) - 3 * unit * Math.abs(x) - least,
    );
    expect(Math.max(...error)).toBeLessThanOrEqual(0);
  }
  const [i, j] = [(n + 1) % classes, n % classes];
  const some = [...new Set([j, 0, classes - 1])];
  expect(await blocks.entry(n, i, j)).toBe(found?.[i * classes + j] ?? null);
  const part =
    found && some.flatMap((i) => some.map((j) => found[i * classes + j]));
  expect(await blocks.part(n, some)).toEqual(
    part && Float64Array.from(part as number[]),
  );
}

/** Writes logits as an input, and returns what `run` must store of them. */
function inputOf(
  name: string,
  rows: number,
  classes: number,
  logit: (r: number, k: number) => number,
) {
  const input = at(name);
  writeLogits(input, { rows, classes, batchRows: [7, 2], logit });
  const logits = Float64Array.from({ length: rows * classes }, (_, n) =>
    logit(Math.floor(n / classes), n % classes),
  );
  const isBad = (row: number) => Number.isNaN(logit(row, 0));
  const block = (options: Partial<RunOptions>) => {
    const { layout, temperature, dtype, threshold = 0, emit = [] } = options;
    const result = emit.includes("log_jacobian") ? "log_jacobian" : "jacobian";
    const own = dtype === "float32" ? Float32Array.from(logits) : logits;
    const shape = { rows, classes, temperature, onBadRow: "nan" };
    const given = { ...shape, emit: [result] } as never;
    const all = built.softmaxResults(own, given)[result] as Floats;
    return (row: number) => {
      const block = all.slice(row * classes ** 2, (row + 1) * classes ** 2);
      if (isBad(row)) return null;
      // Entries layouts drop small entries, and zeros of either sign.
      return layout === "csr" || layout === "coo"
        ? block.map((x) => (Math.abs(x) >= threshold ? x + 0 : 0))
        : block;
    };
  };
  return { input, rows, classes, logits, block };
}

const gauss = normal(random(11));
const drawn = Float64Array.from({ length: 280 }, () =>
  Math.fround(30 * gauss()),
);
const good = inputOf("good", 40, 7, (r, k) =>
  r === 0 && k === 5 ? -Infinity : (drawn[7 * r + k] as number),
);
const bad = inputOf("bad", 20, 3, (r, k) =>
  [0, 7, 8, 19].includes(r) ? Number.NaN : Math.sin(r + 5 * k),
);

describe.each(LAYOUTS)("outputs of run, %s", (layout) => {
  const output = at(`${layout} output`);
  const hasEntries = layout === "csr" || layout === "coo";
  const run = (options: RunOptions) =>
    built.run({ ...options, layout, force: true });

  const threshold = hasEntries ? 1e-5 : 0;
  const dropped = hasEntries ? { threshold } : {};
  const softmax = layout === "coo" ? [] : ["softmax"];
  const cases: [name: string, Partial<RunOptions>][] = [
    ["float64", { emit: ["jacobian"], ...dropped }],
    ["T = 0.3", { emit: ["jacobian"], temperature: 0.3, ...dropped }],
    ["float32", { emit: ["jacobian"], dtype: "float32" }],
  ];
  if (layout !== "packed") {
    const emit = ["entropy", "log_jacobian", ...softmax] as never[];
    cases.push(["log_jacobian, T = 2.5", { emit, temperature: 2.5 }]);
  }
  if (layout !== "coo") cases.push(["bad rows", { onBadRow: "null" }]);
  test.each(cases)("%s", async (_, options) => {
    const { input, rows, classes, block } = options.onBadRow ? bad : good;
    await run({ input, output, ...options });
    const expected = block({ layout, ...options });
    await expectBlocks(output, { rows, classes, layout, block: expected });
    await using reader = await built.openJacobian(output);
    const { dtype = "float64", temperature = 1, threshold = 0 } = options;
    const result = options.emit?.includes("log_jacobian")
      ? "log_jacobian"
      : "jacobian";
    const found = { dtype, temperature, threshold, result, count: rows };
    expect(reader).toMatchObject(found);
  });

  test.each([
    [0, 4],
    [3, 1],
  ])("%i rows of %i classes", async (rows, classes) => {
    const input = at("edge");
    writeLogits(input, { rows, classes, logit: () => 1 });
    await run({ input, output, emit: ["jacobian"] });
    const block = () => Float64Array.of(0);
    await expectBlocks(output, { rows, classes, layout, block });
    await using reader = await built.openJacobian(output);
    expect(reader.count).toBe(rows);
  });
});

test("a file has both blocks, and the option result chooses one", async () => {
  const path = at("both");
  const { input, rows, classes, block } = good;
  const emit = ["log_jacobian", "jacobian"] as const;
  await built.run({ input, output: path, emit: [...emit] });
  for (const result of emit) {
    const expected = block({ layout: "bsr", emit: [result] });
    const file = { rows, classes, layout: "bsr", result } as const;
    await expectBlocks(path, { ...file, block: expected }, { result });
  }
  await using reader = await built.openJacobian(path);
  expect(reader.result).toBe("jacobian");
});

test("factored float32 blocks of confident rows are not 0, also if tail is one of the results", async () => {
  const input = at("confident");
  const temperature = 1e-20;
  const logit = (_: number, k: number) => 110 * temperature * k;
  writeLogits(input, { rows: 1, classes: 2, logit });
  const path = at("with tail");
  const emit = ["tail", "jacobian"] as const;
  const options = { layout: "factored", dtype: "float32" } as const;
  await built.run({
    ...{ input, output: path, emit: [...emit] },
    ...{ ...options, temperature },
  });
  await using reader = await built.openJacobian(path);
  // The tail is below the smallest float32 number, unlike the entry p (1 - p)/T.
  const entry = Math.exp(-110) / temperature;
  const relative = ((await reader.entry(0, 1, 1)) as number) / entry;
  expect(Math.abs(relative - 1)).toBeLessThan(1e-7);
});

describe.each(["csr", "coo"] as const)(
  "entries in record batches, %s",
  (layout) => {
    const [rows, classes] = [30, 6];
    const size = classes * classes;
    const gauss = normal(random(8));
    const logits = Float64Array.from({ length: 180 }, () => 4 * gauss());
    const choice = { rows, classes, threshold: 0.02 };
    const all = built.softmaxJacobianEntries(logits, choice);
    const { offsets, indices, values } = all;
    // Rows 4 and 5 are missing, row 9 is null, and row 12 has no entries.
    const examples: SparseExamples = Array.from({ length: rows }, (_, row) => {
      const range = [offsets[row], offsets[row + 1]] as const;
      const own = <T extends number>(all: Iterable<T>) =>
        row === 12 ? [] : [...all].slice(...range);
      const entries = { indices: own(indices), values: own(values) };
      return { row, entries: row === 9 ? null : entries };
    }).filter(({ row }) => row !== 4 && row !== 5);
    const block = (row: number) => {
      const example = examples.find((one) => one.row === row);
      if (!example && layout === "csr") return undefined;
      if (example?.entries === null) return null;
      const block = new Float64Array(size);
      for (const [n, index] of (example?.entries.indices ?? []).entries())
        block[index] = example?.entries?.values[n] as number;
      return block;
    };
    test.each([[[1000]], [[1]], [[2, 3]], [[7, 1, 30]]])(
      "record batches of %o rows",
      async (batchRows) => {
        const path = at(`${layout} of entries`);
        const columns = sparseColumns(layout, examples, classes);
        const stated = { layout, rows, classes, threshold: 0.02 };
        writeResults(path, columns, stated, batchRows);
        await expectBlocks(path, { rows, classes, layout, block });
        await using reader = await built.openJacobian(path);
        const count = layout === "coo" ? rows : examples.length;
        expect(reader).toMatchObject({ threshold: 0.02, count });
        await expect(reader.block(-1)).rejects.toThrow(built.RowMissingError);
      },
    );
  },
);
