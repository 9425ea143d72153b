import { readdirSync, readFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { sharedFolder } from "../support/machine.js";

// The same 200 rows in every form that pyarrow, polars, DuckDB and NumPy write them.

const at = workDirectory();
const folder = sharedFolder("variants");

/** Rows, classes and softmax of a run, or how the run was refused. */
type Outcome = { shape: string; softmax: number[] } | { code: string };

async function outcomeOf(name: string): Promise<Outcome> {
  const columns = name.startsWith("wide") ? { columns: "logit_*" } : {};
  try {
    const { rows, classes } = await built.run({
      input: `${folder}/${name}`,
      output: at("variant.arrow"),
      dtype: "float64",
      emit: ["softmax"],
      force: true,
      ...columns,
    });
    const column = tableFromIPC(readFileSync(at("variant.arrow"))).getChild(
      "softmax",
    );
    const softmax = [...column].flatMap((row: Float64Array) => [...row]);
    return { shape: `${rows} x ${classes}`, softmax };
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
}

const SAME = [
  "dictionary.arrow",
  "f32.arrow",
  "feather-default.feather",
  "fsl.parquet",
  "large-list-f32.arrow",
  "list-f64.arrow",
  "lz4.arrow",
  "matrix.npy",
  "polars-array.arrow",
  "polars-list.arrow",
  "stream-lz4.arrows",
  "stream.arrows",
  "struct.arrow",
  "tensor-type.arrow",
  "wide-f64.arrow",
  "zstd.arrow",
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
    const names = readdirSync(folder as string).filter(
      (file) => !file.endsWith(".json"),
    );
    expect(names.toSorted()).toEqual(
      [
        "f64.arrow",
        "sliced.arrow",
        ...[SAME, EMPTY, Object.keys(ROUNDED), Object.keys(REFUSED)].flat(),
      ].toSorted(),
    );
    const reference = await outcomeOf("f64.arrow");
    if (!("softmax" in reference))
      throw new Error(`refused: ${reference.code}`);
    expect(reference.shape).toBe("200 x 10");
    for (const name of SAME)
      expect([name, await outcomeOf(name)]).toEqual([name, reference]);
    for (const [name, most] of Object.entries(ROUNDED)) {
      const outcome = await outcomeOf(name);
      if (!("softmax" in outcome)) throw new Error(`${name}: ${outcome.code}`);
      expect(outcome.shape).toBe("200 x 10");
      const apart = outcome.softmax.map((p, k) =>
        Math.abs(p - (reference.softmax[k] as number)),
      );
      expect(Math.max(...apart), name).toBeLessThan(most);
      expect(Math.max(...apart), name).toBeGreaterThan(0);
    }
    for (const name of EMPTY)
      expect([name, await outcomeOf(name)]).toEqual([
        name,
        { shape: "0 x 10", softmax: [] },
      ]);
    for (const [name, code] of Object.entries(REFUSED))
      expect([name, await outcomeOf(name)]).toEqual([name, { code }]);
    const sliced = await outcomeOf("sliced.arrow");
    if (!("softmax" in sliced)) throw new Error(`refused: ${sliced.code}`);
    expect(sliced.shape).toBe("101 x 10");
    const from = reference.softmax.findIndex((_, k) =>
      sliced.softmax.every((p, j) => p === reference.softmax[k + j]),
    );
    expect(from % 10).toBe(0);
  },
);
