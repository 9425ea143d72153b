import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Float64 } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type {
  JacobianBatch,
  JacobianReader,
  OpenJacobianOptions,
  RunOptions,
} from "../../src/index.js";
import { LAYOUTS, type Layout } from "../../src/results/catalogue.js";
import { importable, python } from "../interop/python.js";
import { built } from "../support/built.js";
import { fixedSizeList } from "../support/fixed-size-list.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";
import {
  cooFile,
  csrFile,
  type SparseExamples,
  twoBlocks,
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
  const tensor = new Float64Array(
    rows * classes <= 300 ? (rows * classes) ** 2 : 0,
  );
  for (let row = rows; row >= 0; row--) {
    const expected = row === rows ? undefined : block(row);
    if (expected === undefined)
      await expect(reader.block(row)).rejects.toMatchObject({
        code: "ERR_ROW_MISSING",
        name: "RowMissingError",
        row,
        path,
      });
    else await expectBlock(reader, layout, row, expected);
    if (row === rows || tensor.length === 0) continue;
    const found = expected ? await reader.block(row) : null;
    for (let i = 0; i < classes; i++)
      for (let j = 0; j < classes; j++)
        tensor[((row * classes + i) * rows + row) * classes + j] =
          found?.[i * classes + j] ?? Number.NaN;
    if (layout !== "coo" ? expected !== undefined : !isZero(expected))
      present.unshift(row);
  }
  if (tensor.length === 0) return;
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
  const v = Float64Array.from({ length: classes }, (_, k) => k - classes / 3);
  const [entry, column, part, product] = [
    await blocks.entry(n, i, j),
    await blocks.column(n, j),
    await blocks.part(n, some),
    await blocks.multiply(n, v),
  ];
  if (!found) {
    expect([entry, column, part, product]).toEqual([null, null, null, null]);
    return;
  }
  expect(entry).toBe(found[i * classes + j]);
  expect(column).toEqual(found.filter((_, k) => k % classes === j));
  expect([...(part as Float64Array)]).toEqual(
    some.flatMap((i) => some.map((j) => found[i * classes + j])),
  );
  for (const [i, value] of (product as Float64Array).entries()) {
    const terms = [...v].map((x, k) => x * (found[i * classes + k] as number));
    const sum = (sizes: number[]) => sizes.reduce((sum, x) => sum + x, 0);
    expect(Math.abs(value - sum(terms))).toBeLessThanOrEqual(
      classes * EPSILON * sum(terms.map(Math.abs)),
    );
  }
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
  const block = ({
    layout,
    temperature,
    dtype,
    threshold = 0,
    emit = [],
  }: Partial<RunOptions>) => {
    const result = emit.includes("log_jacobian") ? "log_jacobian" : "jacobian";
    const own = dtype === "float32" ? Float32Array.from(logits) : logits;
    const shape = { rows, classes, temperature, emit: [result] as const };
    const all = built.softmaxResults(own, {
      ...shape,
      onBadRow: "nan",
    } as never)[result] as Floats;
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

test("layout packed has no log_jacobian", async () => {
  const options = { layout: "packed", emit: ["log_jacobian"] } as const;
  await expect(
    built.run({ input: good.input, output: at("none"), ...options } as never),
  ).rejects.toMatchObject({ code: "ERR_USAGE" });
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

const bytesOf = (array: Floats | null) =>
  new Uint8Array(array?.buffer ?? new ArrayBuffer());

describe.each([
  ["bsr", { dtype: "float32" }],
  ["packed", {}],
  ["csr", { dtype: "float32", threshold: 1e-8 }],
  ["factored", {}],
] as const)(
  "blocks of 640 classes in tiles, %s %o",
  async (layout, options) => {
    const classes = 640;
    const isBad = (row: number) => row % 37 === 5 || row === 44;
    const gauss = normal(random(5));
    const logits = Float64Array.from({ length: 45 * classes }, () =>
      Math.fround(gauss()),
    );
    const logit = (r: number, k: number) =>
      isBad(r) ? Number.NaN : (logits[r * classes + k] as number);
    const { input, block } = inputOf("large", 45, classes, logit);
    const run = { layout, emit: ["jacobian"], ...options } as const;

    test("rows at the ends of record batches, bad rows and others", async () => {
      const output = at("large output");
      const more = { onBadRow: "null", force: true } as const;
      await built.run({ input, output, ...run, ...more, threads: 2 } as never);
      await using reader = await built.openJacobian(output);
      const rows = new Set([0, 5, 13, 44]);
      for await (const { rows: own } of reader)
        rows.add(own[0] as number).add(own.at(-1) as number);
      expect(rows.size > 5).toBe(layout !== "factored");
      const expected = block(run as never);
      for (const row of rows) {
        const found = await reader.block(row);
        // A difference of arrays this long would take minutes to print.
        if (layout !== "factored" && found)
          expect(Buffer.compare(bytesOf(found), bytesOf(expected(row)))).toBe(
            0,
          );
        expect(found === null).toBe(isBad(row));
        const column = await reader.column(row, 639);
        const unit = new Float64Array(classes);
        unit[639] = 1;
        const product = await reader.multiply(row, unit);
        expect(column).toEqual(
          found?.filter((_, n) => n % classes === 639) ?? null,
        );
        expect(product).toEqual(column && Float64Array.from(column));
      }
    });
  },
);

test("products are as exact as in twice the precision", async () => {
  const path = at("products");
  const values = [
    [1e16, 1, -1e16, 0.1, 0.1, -0.2, 1 + 2 ** -30, 1, 1],
    [1, 0, 0, 0, 1, 0, 0, 0, 1],
  ];
  const lists = fixedSizeList(new Float64(), 9);
  const [row] = twoBlocks(9);
  writeResults(path, { columns: [row, ["jacobian", lists, values]] });
  const options = { layout: "bsr", classes: 3 } as const;
  await using reader = await built.openJacobian(path, options);
  expect(await reader.multiply(0, [1, 1, 1])).toEqual(
    Float64Array.of(1, 0.1 + 0.1 - 0.2, 3 + 2 ** -30),
  );
  // (1 + 2^-30)² - (1 + 2^-29): the error of the product.
  const close = [1 + 2 ** -30, -(1 + 2 ** -29), 0];
  expect((await reader.multiply(0, close))?.[2]).toBe(2 ** -60);
  // Splitting the large factor must not overflow.
  const large = [1.7e308, -1e300, 3];
  expect(await reader.multiply(1, large)).toEqual(Float64Array.from(large));
  expect((await reader.multiply(0, [1e300, 0, 0]))?.[0]).toBe(Infinity);
});

test.each([
  [36, { layout: "bsr", classes: 6 }],
  [36, { layout: "packed", classes: 8 }],
  [8, { layout: "dense", classes: 2 }],
] as const)(
  "lists of %i values without metadata, given %o",
  async (size, options) => {
    const path = at("lists");
    writeResults(path, { columns: twoBlocks(size) });
    await using reader = await built.openJacobian(path, options);
    const unknown = { temperature: null, threshold: null };
    expect(reader).toMatchObject({ ...options, ...unknown, rows: 2 });
    const { layout, classes } = options;
    expect(await reader.entry(1, 0, 1)).toBe(
      layout === "dense" ? classes + 2 : 2,
    );
  },
);

describe.each(["csr", "coo"] as const)(
  "entries of other tools, %s",
  (layout) => {
    const [rows, classes] = [30, 6];
    const size = classes * classes;
    const gauss = normal(random(8));
    const logits = Float64Array.from({ length: 180 }, () => 4 * gauss());
    const { offsets, indices, values } = built.softmaxJacobianEntries(logits, {
      ...{ rows, classes },
      threshold: 0.02,
    });
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
    const columns =
      layout === "csr" ? csrFile(examples) : cooFile(examples, classes);
    const metadata = {
      "softjac.layout": layout,
      "softjac.classes": String(classes),
      "softjac.rows": String(rows),
      "softjac.threshold": "0.02",
      "softjac.emit": "jacobian",
      "softjac.dtype": "float64",
      "softjac.temperature": "1",
    };
    const path = at(`${layout} of others`);

    test.each([[[1000]], [[1]], [[2, 3]], [[7, 1, 30]]])(
      "record batches of %o rows",
      async (batchRows) => {
        writeResults(path, { columns, metadata, batchRows });
        await expectBlocks(path, { rows, classes, layout, block });
        await using reader = await built.openJacobian(path);
        const count = layout === "coo" ? rows : examples.length;
        const stated = { threshold: 0.02, temperature: 1, count };
        expect(reader).toMatchObject(stated);
        await expect(reader.block(-1)).rejects.toThrow(built.RowMissingError);
      },
    );

    test("the number of classes and of rows may be options", async () => {
      writeResults(path, { columns });
      await expectBlocks(path, { rows, classes, layout, block }, { classes });
      const options = { classes, rows: 50 };
      await using reader = await built.openJacobian(path, options);
      const unknown = { temperature: null, threshold: null };
      expect(reader).toMatchObject({ rows: 50, layout, ...unknown });
    });
  },
);

test("the entries of a block in coo may be in several record batches", async () => {
  const path = at("long");
  const indices = Array.from({ length: 36 }, (_, n) => n);
  const values = indices.map((n) => n + 0.5);
  const three = [0, 1, 2].map((row) => ({ row, entries: { indices, values } }));
  writeResults(path, { columns: cooFile(three, 6), batchRows: [5] });
  const block = () => Float64Array.from(values);
  const file = { rows: 3, classes: 6, layout: "coo" } as const;
  await expectBlocks(path, { ...file, block }, { classes: 6 });
});

test.skipIf(!importable("numpy, pyarrow"))(
  "blocks that pyarrow writes",
  async () => {
    const script = fileURLToPath(new URL("write.py", import.meta.url));
    const written = spawnSync(python, [script, dirname(at("x"))]);
    expect([`${written.stderr}`, written.status]).toEqual(["", 0]);
    const { buffer } = new Uint8Array(readFileSync(at("blocks.bin")));
    const blocks = new Float64Array(buffer);
    const [rows, classes] = [11, 4];
    const isNull = (row: number) => row % 5 === 2;
    for (const [name, layout, { nulls, over = 0, first = 0 }] of [
      ["bsr", "bsr", {}],
      ["null", "bsr", { nulls: true }],
      ["sliced", "bsr", { nulls: true, first: 3 }],
      ["tensor", "bsr", {}],
      ["list", "bsr", {}],
      ["compressed", "bsr", {}],
      ["packed", "packed", {}],
      ["csr", "csr", { over: 0.05 }],
      ["coo", "coo", { over: 0.05 }],
    ] as [
      string,
      Layout,
      { nulls?: boolean; over?: number; first?: number },
    ][]) {
      const block = (row: number) => {
        if (row < first) return undefined;
        if (nulls && isNull(row)) return null;
        const own = blocks.slice(row * 16, row * 16 + 16);
        return own.map((x) => (Math.abs(x) > over ? x : 0));
      };
      const expected = { rows, classes, layout, block };
      await expectBlocks(at(`${name}.arrow`), expected, { layout, classes });
    }
    const large = built.openJacobian(at("large.arrow"), {
      ...{ layout: "bsr", classes },
    });
    await expect(large).rejects.toMatchObject({
      code: "ERR_INPUT_UNSUPPORTED",
      message: expect.stringContaining("found large_list<float64>"),
    });
  },
);
