import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { tableFromIPC as arrow } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import {
  EMIT_NAMES,
  EMITS,
  type EmitName,
  LAYOUTS,
  type Layout,
} from "../../src/results/catalogue.js";
import {
  auxiliaryColumns,
  type RunEmit,
} from "../../src/results/emit-options.js";
import { built } from "../support/built.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { workDirectory } from "../support/logits-input.js";

// Outputs of every layout and option, read by two readers that are not ours: both find the same, and what the blocks and
// vectors of other runs say. That the numbers are right, others test.

const at = workDirectory();
const input = at("in.arrow");
const ROWS = 30;
const CLASSES = 5;
const all = inputs(ROWS, CLASSES);
writeInputs(input, all, 13);
let runs = 0;
const blocks = ["jacobian", "log_jacobian"] as const;

/** Every value of every column, as two readers find it; lists as arrays, numbers as numbers. */
async function readTwice(
  options: Partial<RunOptions>,
): Promise<Record<string, unknown[]>> {
  const output = at(`out-${runs++}.arrow`);
  await built.run({
    input,
    output,
    column: "logits",
    ...inputsFor(options.emit ?? []),
    ...options,
  });
  const bytes = readFileSync(output);
  const plain = (value: unknown): unknown =>
    value === null || typeof value === "number"
      ? value
      : typeof value === "bigint"
        ? Number(value)
        : [...(value as Iterable<unknown>)].map(plain);
  const ours = flechette(bytes, { useBigInt: true });
  const theirs = arrow(bytes);
  const names = theirs.schema.fields.map(({ name }) => name);
  expect(ours.schema.fields.map(({ name }) => name)).toEqual(names);
  expect(ours.numRows).toBe(theirs.numRows);
  return Object.fromEntries(
    names.map((name) => {
      const values = [...ours.getChild(name)].map(plain);
      expect([...(theirs.getChild(name) ?? [])].map(plain), name).toEqual(
        values,
      );
      return [name, values];
    }),
  );
}

/** The input options that these results need, and no others. */
function inputsFor(emit: readonly RunEmit[]): Partial<RunOptions> {
  const results = emit.filter((name): name is EmitName => name in EMITS);
  const needed = auxiliaryColumns(results, { class: 3 });
  const columns = { label: "y", cotangent: "g", tangent: "v", covariance: "s" };
  return {
    ...Object.fromEntries(
      Object.entries(columns).filter(([name]) =>
        needed.some(({ option }) => option === name),
      ),
    ),
    ...(emit.includes("column") && { class: 3 }),
  };
}

const isWide = (name: EmitName) => EMITS[name].shape !== "scalar";
const vectors = EMIT_NAMES.filter(
  (name) => !blocks.some((block) => block === name),
);
const scalars = vectors.filter((name) => !isWide(name));
/** Columns that the layout has of its own. */
const ownOf: Partial<Record<Layout, readonly string[]>> = {
  factored: ["softmax", "argmax", "tail"],
};

describe.each(["float64", "float32"] as const)("%s", (dtype) => {
  const asBsr = readTwice({
    emit: [...vectors, ...blocks],
    dtype,
    layout: "bsr",
  });

  test("bsr, every result", async () => {
    const table = await asBsr;
    expect(Object.keys(table)).toEqual(["row", ...vectors, ...blocks]);
    for (const [name, values] of Object.entries(table))
      expect(values, name).toHaveLength(ROWS);
  });

  test.each(
    LAYOUTS.flatMap((layout) =>
      blocks
        .filter((block) => !(layout === "packed" && block === "log_jacobian"))
        .map((block) => [layout, block] as const),
    ),
  )("%s, %s", async (layout, block) => {
    const own = ownOf[layout] ?? [];
    const beside = (layout === "coo" ? scalars : vectors).filter(
      (name) => !own.includes(name),
    );
    const sparse = layout === "csr" || layout === "coo";
    const emit = [
      ...beside,
      block,
      ...(sparse ? (["dropped_max", "dropped_sum"] as const) : []),
    ];
    const table = await readTwice({ emit, dtype, layout });
    const bsr = await asBsr;
    const rows = table.row as number[];
    for (const name of beside)
      expect(table[name], name).toEqual(rows.map((row) => bsr[name]?.[row]));
    if (layout === "factored") return;
    expect(blocksOf(layout, table, block)).toEqual(bsr[block]);
  });
});

type Lists = number[][];

/** Blocks as bsr has them. */
function blocksOf(
  layout: Layout,
  table: Record<string, unknown[]>,
  block: string,
): Lists {
  const square = CLASSES * CLASSES;
  const out = Array.from({ length: ROWS }, () => new Array(square).fill(0));
  const put = (r: number, at: number, value: number) => {
    (out[r] as number[])[at] = value;
  };
  const lists = table[block] as Lists;
  switch (layout) {
    case "packed":
      for (const [r, list] of lists.entries())
        for (let i = 0, k = 0; i < CLASSES; i++)
          for (let j = i; j < CLASSES; j++, k++) {
            put(r, i * CLASSES + j, list[k] as number);
            put(r, j * CLASSES + i, list[k] as number);
          }
      return out;
    case "csr":
      for (const [r, indices] of (table.indices as Lists).entries())
        for (const [k, at] of indices.entries())
          put(r, at, (table.values as Lists)[r]?.[k] as number);
      return out;
    case "coo":
      for (const [k, r] of (table.row as number[]).entries()) {
        const [i, j] = [table.i?.[k], table.j?.[k]] as [number, number];
        put(r, i * CLASSES + j, table.value?.[k] as number);
      }
      return out;
    case "dense":
      for (const [r, slab] of lists.entries())
        for (let i = 0; i < CLASSES; i++)
          for (let j = 0; j < CLASSES; j++)
            put(
              r,
              i * CLASSES + j,
              slab[(i * ROWS + r) * CLASSES + j] as number,
            );
      return out;
    default:
      return lists;
  }
}

test("options of the output", async () => {
  const usual = await readTwice({});
  for (const options of [
    { threads: 1, chunkRows: 7 },
    { onBadRow: "null" as const },
  ])
    expect(await readTwice(options), JSON.stringify(options)).toEqual(usual);
  const kept = await readTwice({ keep: ["y", "k"] });
  const { label, classColumn } = all;
  expect(kept).toEqual({ ...usual, y: label, k: classColumn });
  const warm = await readTwice({ temperature: 2 });
  expect(warm.softmax).not.toEqual(usual.softmax);
});
