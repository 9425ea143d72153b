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
import { inputs, writeInputs } from "../support/inputs-input.js";
import { runsIn, upTo } from "../support/runs.js";

// Outputs of every layout and option, read by two other readers: both find the values that layout bsr has.

const { at, run, input } = runsIn();
const ROWS = 30;
const CLASSES = 5;
const all = inputs(ROWS, CLASSES);
writeInputs(input, all, 13);
let runs = 0;
const blocks = ["jacobian", "log_jacobian"] as const;

/** Returns every value of every column as two readers find it. */
async function readTwice(
  options: Partial<RunOptions>,
): Promise<Record<string, unknown[]>> {
  const { bytes, table, names, column } = await run({
    ...{ output: at(`out-${runs++}.arrow`), column: "logits" },
    ...inputsFor(options.emit ?? []),
    ...options,
  });
  const plain = (value: unknown): unknown =>
    typeof value === "bigint"
      ? Number(value)
      : value === null || typeof value === "number"
        ? value
        : [...(value as Iterable<unknown>)].map(plain);
  const theirs = arrow(bytes);
  expect(theirs.schema.fields.map(({ name }) => name)).toEqual(names);
  expect(theirs.numRows).toBe(table.numRows);
  return Object.fromEntries(
    names.map((name) => {
      const values = column(name);
      const found = [...(theirs.getChild(name) ?? [])].map(plain);
      expect(found, name).toEqual(values);
      return [name, values];
    }),
  );
}

/** Returns the input options that these results need, and no others. */
function inputsFor(emit: readonly RunEmit[]): Partial<RunOptions> {
  const results = emit.filter((name): name is EmitName => name in EMITS);
  const columns = { label: "y", cotangent: "g", tangent: "v", covariance: "s" };
  const needed = auxiliaryColumns(results, { ...columns, class: 3 });
  return {
    ...Object.fromEntries(needed.map(({ option, name }) => [option, name])),
    ...(emit.includes("column") && { class: 3 }),
  };
}

const vectors = EMIT_NAMES.filter(
  (name) => !blocks.some((block) => block === name),
);
const scalars = vectors.filter((name) => EMITS[name].shape === "scalar");

describe.each(["float64", "float32"] as const)("%s", (dtype) => {
  const emit = [...vectors, ...blocks];
  const asBsr = readTwice({ emit, dtype, layout: "bsr" });

  test("bsr, every result", async () => {
    const table = await asBsr;
    expect(Object.keys(table)).toEqual(["row", ...emit]);
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
    const own = layout === "factored" ? ["softmax", "argmax", "tail"] : [];
    const beside = (layout === "coo" ? scalars : vectors).filter(
      (name) => !own.includes(name),
    );
    const isEntries = layout === "csr" || layout === "coo";
    const dropped = ["dropped_max", "dropped_sum"] as const;
    const table = await readTwice({
      emit: [...beside, block, ...(isEntries ? dropped : [])],
      ...{ dtype, layout, chunkRows: 11 },
    });
    const bsr = await asBsr;
    const rows = table.row as number[];
    for (const name of beside)
      expect(table[name], name).toEqual(rows.map((row) => bsr[name]?.[row]));
    if (layout !== "factored")
      expect(blocksOf(layout, table, block)).toEqual(bsr[block]);
  });
});

type Lists = number[][];

/** Returns the blocks as bsr has them. */
function blocksOf(
  layout: Layout,
  table: Record<string, unknown[]>,
  block: string,
): Lists {
  const out = upTo(ROWS).map(() => new Array<number>(CLASSES ** 2).fill(0));
  const put = (r: number, at: number, value = Number.NaN) => {
    (out[r] as number[])[at] = value;
  };
  const lists = (name: string) => (table[name] ?? []) as Lists;
  const pairs = upTo(CLASSES ** 2).map((n) => {
    const [i, j] = [Math.floor(n / CLASSES), n % CLASSES];
    return [n, Math.min(i, j), Math.max(i, j), i, j] as const;
  });
  if (layout === "csr")
    lists("indices").forEach((indices, r) => {
      for (const [k, at] of indices.entries())
        put(r, at, lists("values")[r]?.[k]);
    });
  else if (layout === "coo") {
    const [i = [], j = [], value = []] = ["i", "j", "value"].map(
      (name) => table[name] as number[],
    );
    (table.row as number[]).forEach((r, k) => {
      put(r, Number(i[k]) * CLASSES + Number(j[k]), value[k]);
    });
  } else
    lists(block).forEach((list, r) => {
      for (const [n, low, high, i, j] of pairs)
        put(
          r,
          n,
          list[
            layout === "packed"
              ? low * CLASSES - (low * (low + 1)) / 2 + high
              : layout === "dense"
                ? (i * ROWS + r) * CLASSES + j
                : n
          ],
        );
    });
  return out;
}
