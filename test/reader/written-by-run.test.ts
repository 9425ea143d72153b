import { describe, expect, test } from "vitest";
import { LAYOUTS, type Layout } from "../../src/results/catalogue.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";

const at = workDirectory();
const EPSILON = 2 ** -52;
type Floats = Float64Array | Float32Array;

/** What the reader must give: the in-memory block, or null. */
interface Expected {
  rows: number;
  classes: number;
  block(row: number): Floats | null;
}

async function readsBack(
  path: string,
  layout: Layout,
  { rows, classes, block }: Expected,
): Promise<void> {
  await using reader = await built.openJacobian(path);
  expect(reader).toMatchObject({ rows, classes, layout });
  const same = (found: Floats | null, expected: Floats | null) => {
    if (layout !== "factored" || !expected || !found)
      return expect(found).toEqual(expected);
    expect(found.constructor).toBe(expected.constructor);
    const [unit, least] =
      found instanceof Float32Array ? [2 ** -23, 2 ** -149] : [EPSILON, 5e-324];
    expected.forEach((value, n) => {
      const error = Math.abs((found[n] as number) - value);
      expect(error).toBeLessThanOrEqual(3 * unit * Math.abs(value) + least);
    });
  };
  const v = Float64Array.from({ length: classes }, (_, k) => k - classes / 3);
  const check = async (
    n: number,
    expected: Floats | null,
    blocks: Pick<
      typeof reader,
      "block" | "entry" | "column" | "part" | "multiply"
    >,
  ) => {
    const found = await blocks.block(n);
    same(found, expected);
    const j = n % classes;
    const i = (n + 1) % classes;
    expect(await blocks.entry(n, i, j)).toEqual(
      found?.[i * classes + j] ?? null,
    );
    const some = [...new Set([j, 0, classes - 1])];
    expect(await blocks.part(n, some)).toEqual(
      found &&
        Float64Array.from(
          some.flatMap((i) =>
            some.map((j) => found[i * classes + j] as number),
          ),
        ),
    );
    expect(await blocks.column(n, j)).toEqual(
      found?.filter((_, at) => at % classes === j) ?? null,
    );
    const product = await blocks.multiply(n, v);
    if (!found) return expect(product).toBeNull();
    product?.forEach((value, i) => {
      let plain = 0;
      let sizes = 0;
      for (let k = 0; k < classes; k++) {
        const term = (found[i * classes + k] as number) * (v[k] as number);
        plain += term;
        sizes += Math.abs(term);
      }
      const bound = classes * EPSILON * sizes;
      expect(Math.abs(value - plain)).toBeLessThanOrEqual(bound);
    });
  };
  // Backwards, so that nothing depends on having read what comes before.
  for (let row = rows - 1; row >= 0; row--)
    await check(row, block(row), reader);
  let next = 0;
  const skipEmpty = () => {
    const isEmpty = () => block(next)?.every((x) => x === 0);
    while (layout === "coo" && next < rows && isEmpty()) next++;
  };
  for await (const batch of reader)
    for (let k = 0; k < batch.count; k++) {
      skipEmpty();
      expect(batch.rows[k]).toBe(next);
      await check(k, block(next++), batch);
    }
  skipEmpty();
  expect(next).toBe(reader.count);
}

const bytesOf = (array: Float64Array) => new Uint8Array(array.buffer);

describe.each(LAYOUTS)("%s", (layout) => {
  const isSparse = layout === "csr" || layout === "coo";
  /** Returns the block as it is stored: without entries below the threshold, and without negative zeros. */
  const storedOf = (block: Floats, threshold = 0) =>
    isSparse ? block.map((x) => (Math.abs(x) >= threshold ? x + 0 : 0)) : block;
  const gauss = normal(random(11));
  const rows = 40;
  const classes = 7;
  const logits = Float64Array.from({ length: rows * classes }, () =>
    Math.fround(30 * gauss()),
  );
  logits[5] = Number.NEGATIVE_INFINITY;
  const input = at(`${layout} in`);
  writeLogits(input, {
    rows,
    classes,
    batchRows: [7],
    logit: (r, k) => logits[r * classes + k] as number,
  });
  const output = at(`${layout} out`);
  const size = classes * classes;

  test.each([1, 0.3])("float64, T = %d", async (temperature) => {
    const threshold = isSparse ? 1e-5 : 0;
    const emit = ["jacobian"] as const;
    const options = { layout, temperature, emit, force: true };
    const dropped = isSparse ? { threshold } : {};
    await built.run({ input, output, ...options, ...dropped });
    const shape = { rows, classes, temperature };
    const J = built.softmaxJacobian(logits, shape);
    const block = (row: number) =>
      storedOf(J.slice(row * size, (row + 1) * size), threshold);
    await readsBack(output, layout, { rows, classes, block });
    await using reader = await built.openJacobian(output);
    expect(reader).toMatchObject({
      dtype: "float64",
      result: "jacobian",
      temperature,
      threshold,
      count: rows,
      path: output,
    });
  });

  test("float32", async () => {
    const emit = ["jacobian"] as const;
    const options = { layout, emit, dtype: "float32", force: true } as const;
    await built.run({ input, output, ...options });
    const narrow = Float32Array.from(logits);
    const J = built.softmaxJacobian(narrow, { rows, classes });
    const block = (row: number) =>
      storedOf(J.slice(row * size, (row + 1) * size));
    await readsBack(output, layout, { rows, classes, block });
  });

  test("log_jacobian, beside others; packed has none", async () => {
    const ran = built.run({
      input,
      output,
      layout,
      temperature: 2.5,
      emit: [
        "entropy",
        "log_jacobian",
        ...(layout === "coo" ? [] : (["softmax"] as const)),
      ],
      force: true,
    });
    if (layout === "packed")
      return expect(ran).rejects.toMatchObject({ code: "ERR_USAGE" });
    await ran;
    const { log_jacobian } = built.softmaxResults(logits, {
      rows,
      classes,
      temperature: 2.5,
      emit: ["log_jacobian"],
    });
    const all = log_jacobian as Float64Array;
    const block = (row: number) =>
      storedOf(all.slice(row * size, (row + 1) * size));
    await readsBack(output, layout, { rows, classes, block });
  });

  test("as the dense tensor", async () => {
    await built.run({ input, output, layout, emit: ["jacobian"], force: true });
    await using reader = await built.openJacobian(output);
    const tensor = await reader.toDense();
    expect(tensor).toHaveLength((rows * classes) ** 2);
    for (const row of [0, 17, rows - 1]) {
      const block = await reader.block(row);
      for (let i = 0; i < classes; i++) {
        const slab = (row * classes + i) * rows * classes;
        const line = tensor.slice(slab, slab + rows * classes);
        const own = line.slice(row * classes, (row + 1) * classes);
        expect(own).toEqual(block?.slice(i * classes, (i + 1) * classes));
        line.fill(0, row * classes, (row + 1) * classes);
        expect(line.every((value) => value === 0)).toBe(true);
      }
    }
  });
});

describe.each(["bsr", "packed", "factored", "dense", "csr"] as const)(
  "%s with bad rows",
  (layout) => {
    const rows = 20;
    const classes = 3;
    const bad = [0, 7, 8, 19];
    const logit = (r: number, k: number) =>
      bad.includes(r) ? Number.NaN : Math.sin(r + 5 * k);
    const logits = Float64Array.from({ length: rows * classes }, (_, n) =>
      logit(Math.floor(n / classes), n % classes),
    );
    const J = built.softmaxJacobian(logits, { rows, classes, onBadRow: "nan" });
    const input = at(`${layout} bad in`);
    writeLogits(input, { rows, classes, batchRows: [3, 9], logit });
    const block = (row: number) =>
      bad.includes(row) ? null : J.slice(row * 9, row * 9 + 9);

    test("null: so are their blocks, and NaN in the tensor", async () => {
      const output = at(`${layout} null out`);
      await built.run({ input, output, layout, onBadRow: "null" });
      await readsBack(output, layout, { rows, classes, block });
      await using reader = await built.openJacobian(output);
      const tensor = await reader.toDense();
      expect(tensor.filter(Number.isNaN)).toHaveLength(9 * bad.length);
      expect(tensor[7 * 3 * 60 + 7 * 3]).toBeNaN();
    });
  },
);

test("several batches, blocks in tiles", async () => {
  const [rows, classes] = [30, 640];
  const size = classes * classes;
  const input = at("large in");
  const output = at("large out");
  const gauss = normal(random(5));
  const logits = Float64Array.from({ length: rows * classes }, gauss);
  const logit = (r: number, k: number) => logits[r * classes + k] as number;
  writeLogits(input, { rows, classes, logit });
  for (const layout of ["bsr", "packed", "factored"] as const) {
    await built.run({ input, output, layout, emit: ["jacobian"], force: true });
    await using reader = await built.openJacobian(output);
    const batches: number[] = [];
    for await (const { count } of reader) batches.push(count);
    expect(batches.length > 1).toBe(layout !== "factored");
    for (const row of [29, 0, 13]) {
      const own = logits.slice(row * classes, (row + 1) * classes);
      const J = built.softmaxJacobian(own, { rows: 1, classes });
      const block = (await reader.block(row)) as Float64Array;
      expect(block).toHaveLength(size);
      // Compared as bytes: expect is slow on arrays this long.
      if (layout !== "factored")
        expect(Buffer.compare(bytesOf(block), bytesOf(J))).toBe(0);
      const column = await reader.column(row, 639);
      expect(column).toEqual(block.filter((_, n) => n % classes === 639));
      const unit = new Float64Array(classes);
      unit[639] = 1;
      expect(await reader.multiply(row, unit)).toEqual(column);
    }
  }
});

test("no rows, one class", async () => {
  for (const [rows, classes] of [
    [0, 4],
    [3, 1],
  ] as const)
    for (const layout of LAYOUTS) {
      const input = at("edge in");
      const output = at("edge out");
      writeLogits(input, { rows, classes, logit: () => 1 });
      await built.run({
        input,
        output,
        layout,
        emit: ["jacobian"],
        force: true,
      });
      await using reader = await built.openJacobian(output);
      expect(reader).toMatchObject({ rows, classes, layout, count: rows });
      if (rows > 0) expect(await reader.block(2)).toEqual(Float64Array.of(0));
      await expect(reader.block(rows)).rejects.toMatchObject({
        code: "ERR_ROW_MISSING",
        row: rows,
      });
    }
});
