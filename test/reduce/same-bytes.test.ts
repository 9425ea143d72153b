import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ReduceOptions, RunHooks } from "../../src/index.js";
import { npy, zip } from "../support/array-files.js";
import { arrowOf, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import {
  columnsOf,
  drawn,
  writeDrawn,
  writeMatrix,
} from "../support/sums-files.js";
import { importable, runPython } from "../system/interop/python.js";

// The bytes of outputs depend on rows and options alone.

const at = workDirectory();
const ROWS = 5000;
const B = [
  [0.4, -0.3],
  [0.8, -0.5],
  [-0.2, 0.3],
];
// Values that float32 holds, so that files of both types are of the same rows.
const data = drawn(
  ROWS,
  B.map((row) => [0, ...row]),
);
data.x = data.x.map((row) => row.map(Math.fround));
data.logits = data.logits.map((row) => row.map(Math.fround));
const whole = writeDrawn(at("whole.arrow"), data);
const coefficients = writeMatrix(at("B.npy"), B);
const emit = ["softmax", "jacobian", "loglik", "score", "fisher"] as const;

const FROM_FEATURES = {
  ...{ features: "a,b", intercept: true, coefficients, label: "label" },
  ...{ emit: [...emit, "kfac", "accuracy"] as const, weight: "w" },
};
const CASES: Record<string, Partial<ReduceOptions>> = {
  "all rows": FROM_FEATURES,
  "by group": { ...FROM_FEATURES, by: ["group"] },
  logits: { column: "logits", features: "x", label: "label", emit },
};

let made = 0;

async function hashOf(
  inputs: readonly string[],
  options: Partial<ReduceOptions>,
  hooks: RunHooks = {},
): Promise<string> {
  const output = at(`out ${made++}.arrow`);
  await built.reduce({ inputs, output, ...options }, hooks);
  return createHash("sha256").update(readFileSync(output)).digest("hex");
}

/** Writes rows as files that end at the given rows. */
function parts(name: string, ends: readonly number[]): string[] {
  let from = 0;
  return ends.map((end, k) => {
    const part = Object.fromEntries(
      Object.entries(data).map(([key, all]) => [key, all.slice(from, end)]),
    ) as unknown as typeof data;
    from = end;
    return writeDrawn(at(`${name} ${k}.arrow`), part, 500 + k);
  });
}

describe.each(Object.entries(CASES))("%s", (_, options) => {
  test("threads, chunks, record batches, partitions and their order", async () => {
    const expected = await hashOf([whole], options);
    for (const [threads, chunkRows] of [
      [1, 1],
      [3, 1024],
    ] as const)
      for (const mainThread of [false, true]) {
        const run = { ...options, threads, chunkRows };
        expect(await hashOf([whole], run, { mainThread })).toBe(expected);
      }
    const input = writeDrawn(at(`batches ${made++}.arrow`), data, 97);
    expect(await hashOf([input], { ...options, threads: 2 })).toBe(expected);
    const inputs = parts(`part ${made++}`, [2048, 2048, 3072, ROWS]);
    expect(await hashOf(inputs, options)).toBe(expected);
    // The terms of a group's rows may be in any order of files.
    expect(await hashOf(inputs.toReversed(), options)).toBe(expected);
  });
});

test("other formats and types of the same values", async () => {
  const options = { label: "label", features: "x", emit } as const;
  const input = at("double.arrow");
  const { x, logits, label, ...rest } = columnsOf(data);
  writeFileSync(input, arrowOf({ x, logits, label } as never));
  const expected = await hashOf([input], { ...options, column: "logits" });
  const floats = (
    rows: number[][],
    T: typeof Float32Array | typeof Float64Array,
  ) => npy(T.from(rows.flat()), [ROWS, 3]);
  expect(Object.keys(rest).length).toBe(4);
  for (const T of [Float32Array, Float64Array]) {
    const npz = at(`${T.name}.npz`);
    writeFileSync(
      npz,
      zip({
        "logits.npy": floats(data.logits, T),
        "x.npy": floats(data.x, Float64Array),
        "label.npy": npy(Int32Array.from(data.label)),
      }),
    );
    expect(await hashOf([npz], { ...options, column: "logits" })).toBe(
      expected,
    );
  }
});

describe("rows of several axes are those of one axis", () => {
  const flat = at("flat.npz");
  const label = Int32Array.from(data.label);
  const logits = Float64Array.from(data.logits.flat());
  const write = (path: string, axes: number[]) =>
    writeFileSync(
      path,
      zip({
        "logits.npy": npy(logits, [...axes, 3]),
        "label.npy": npy(label, axes),
        "k.npy": npy(label, axes),
        "w.npy": npy(Float64Array.from(data.weight), axes),
        "x.npy": npy(Float64Array.from(data.x.flat()), [...axes, 3]),
      }),
    );
  write(flat, [ROWS]);
  const options = { column: "logits", label: "label" };
  const calibrated = async (input: string, classAxis?: number) => {
    const { temperature, std_error, nll, ece, brier } = await built.calibrate({
      ...{ ...options, inputs: [input], classAxis },
    });
    return { temperature, std_error, nll, ece, brier };
  };
  const rowsOf = { ...options, emit: ["softmax", "loglik", "gini"] } as const;

  test.each([[[ROWS / 5, 5]], [[1, ROWS]], [[2, ROWS / 10, 5]]])(
    "arrays of %j rows",
    async (axes) => {
      const input = at(`${axes.join("-")}.npz`);
      write(input, axes);
      const sums = {
        ...{ ...rowsOf, weight: "w", by: ["k"], features: "x" },
        emit: ["softmax", "loglik", "kfac"] as const,
      };
      const last = { ...sums, classAxis: -1 };
      expect(await hashOf([input], last)).toBe(await hashOf([flat], sums));
      expect(await calibrated(input, -1)).toEqual(await calibrated(flat));
    },
  );

  test("lists of lists, by group", async () => {
    const { x: _, ...rest } = columnsOf(data);
    const input = at("nested.arrow");
    writeArrow(input, {
      ...rest,
      logits: [data.logits.map((row) => [row]), "list<list<float64>>"],
    });
    const options = { ...rowsOf, by: ["group"], weight: "w" };
    expect(await hashOf([input], options)).toBe(await hashOf([whole], options));
    expect(await calibrated(input)).toEqual(await calibrated(whole));
  });
});

test.skipIf(!importable("pyarrow"))(
  "Parquet, and float32 in Arrow",
  async () => {
    const script = `
import sys, pyarrow as pa, pyarrow.parquet as pq
t = pa.ipc.open_file(sys.argv[1]).read_all()
pq.write_table(t, sys.argv[2], row_group_size=1300)
f = pa.list_(pa.field("item", pa.float32()), 3)
for name in ["x", "logits"]:
    t = t.set_column(t.column_names.index(name), name, t[name].cast(f))
for name in ["a", "b", "w"]:
    t = t.set_column(t.column_names.index(name), name, t[name].cast(pa.float32()))
with pa.ipc.new_file(sys.argv[3], t.schema) as out: out.write_table(t, max_chunksize=777)
`;
    const paths = [at("whole.parquet"), at("float32.arrow")];
    const { status, stderr } = runPython("-c", script, whole, ...paths);
    expect([status, stderr]).toEqual([0, ""]);
    for (const options of Object.values(CASES)) {
      const expected = await hashOf([whole], options);
      for (const path of paths)
        expect(await hashOf([path], options)).toBe(expected);
    }
  },
);

test("tasks of the main thread that take several of its steps do not mix their groups", async () => {
  const input = at("long tasks.arrow");
  const rows = 16_384;
  writeArrow(input, {
    k: [Array.from({ length: rows }, (_, r) => r % 7), "int32"],
    logits: [
      Array.from({ length: rows }, (_, r) =>
        Array.from({ length: 60 }, (_, k) => 3 * Math.sin(r * 60 + k)),
      ),
      "fixed_size_list<float64>[60]",
    ],
  });
  const options = { by: ["k"], chunkRows: 4096, threads: 1 };
  const expected = await hashOf([input], options, { mainThread: false });
  for (let n = 0; n < 3; n++)
    expect(await hashOf([input], options, { mainThread: true })).toBe(expected);
});
