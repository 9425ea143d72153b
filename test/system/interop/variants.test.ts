import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { inputRuns } from "../../support/input-runs.js";
import { sharedFolder } from "../../support/machine.js";

// The same 200 rows in every form that pyarrow, polars, DuckDB and NumPy write them.

const { run, output } = inputRuns();
const folder = sharedFolder("variants");

/** Returns the rows, classes and softmax of a run, or the code of its error. */
async function outcomeOf(name: string) {
  const columns = name.startsWith("wide") ? { columns: "logit_*" } : {};
  const wide = { dtype: "float64", emit: ["softmax"] } as const;
  const options = { input: `${folder}/${name}`, output, ...wide, ...columns };
  return run(options).then(
    ({ report: { rows, classes }, column }) => ({
      ...{ code: null, shape: [rows, classes] },
      softmax: (column("softmax") as number[][]).flat(),
    }),
    ({ code }) => ({ code, shape: [], softmax: [] }),
  );
}

const SAME = [
  ...["dictionary.arrow", "f32.arrow", "feather-default.feather"],
  ...["fsl.parquet", "large-list-f32.arrow", "list-f64.arrow", "lz4.arrow"],
  ...["matrix.npy", "polars-array.arrow", "polars-list.arrow"],
  ...["stream-lz4.arrows", "stream.arrows", "struct.arrow"],
  ...["tensor-type.arrow", "wide-f64.arrow", "zstd.arrow"],
];
/** Their logits are those of the others, rounded to the type: by how much the softmax differs at most. */
const ROUNDED = { "f16.arrow": 5e-3, "int32.arrow": 0.3 };
const EMPTY = ["empty.arrow", "no-batches.arrow"];
const REFUSED = {
  "nonfinite.arrow": "ERR_BAD_ROW",
  "null-rows.arrow": "ERR_BAD_ROW",
  "null-values.arrow": "ERR_BAD_ROW",
  "ragged-list.arrow": "ERR_RAGGED_ROW",
};

test.skipIf(!folder)(
  "the same rows as other tools write them give the same numbers, or are refused by name",
  async () => {
    const forms = [SAME, EMPTY, Object.keys(ROUNDED), Object.keys(REFUSED)];
    const names = readdirSync(folder as string);
    expect(names.filter((name) => !name.endsWith(".json")).sort()).toEqual(
      ["f64.arrow", "sliced.arrow", ...forms.flat()].sort(),
    );
    const reference = await outcomeOf("f64.arrow");
    expect(reference.shape).toEqual([200, 10]);
    for (const name of SAME)
      expect(await outcomeOf(name), name).toEqual(reference);
    for (const [name, most] of Object.entries(ROUNDED)) {
      const { shape, softmax } = await outcomeOf(name);
      expect(shape).toEqual(reference.shape);
      const apart = softmax.map((p, k) =>
        Math.abs(p - (reference.softmax[k] as number)),
      );
      expect(Math.max(...apart), name).toBeLessThan(most);
      expect(Math.max(...apart), name).toBeGreaterThan(0);
    }
    const none = { code: null, shape: [0, 10], softmax: [] };
    for (const name of EMPTY) expect(await outcomeOf(name), name).toEqual(none);
    for (const [name, code] of Object.entries(REFUSED))
      expect((await outcomeOf(name)).code, name).toBe(code);
    const sliced = await outcomeOf("sliced.arrow");
    expect(sliced.shape).toEqual([101, 10]);
    const from = reference.softmax.findIndex((_, k) =>
      sliced.softmax.every((p, j) => p === reference.softmax[k + j]),
    );
    expect(from % 10).toBe(0);
  },
);
