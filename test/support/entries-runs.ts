import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import type { RunOptions } from "../../src/options/run-options.js";
import { built } from "./built.js";

interface Example {
  indices: Int32Array;
  values: Float32Array | Float64Array;
  droppedMax: number;
  droppedSum: number;
}

/** Runs with layout csr, and returns one example per row as read by flechette. */
export async function runCsr(
  output: string,
  options: Omit<RunOptions, "output" | "layout">,
) {
  const report = await built.run({
    ...options,
    layout: "csr",
    output,
    force: true,
  });
  const table = flechette(readFileSync(output), { useBigInt: false });
  const get = (name: string, r: number) => table.getChild(name).at(r);
  const examples = Array.from(
    { length: table.numRows },
    (_, r): Example => ({
      indices: get("indices", r),
      values: get("values", r),
      droppedMax: get("dropped_max", r),
      droppedSum: get("dropped_sum", r),
    }),
  );
  return { report, examples };
}

/** Runs with layout coo, and returns the table with one entry per row as read by flechette. */
export async function runCoo(
  output: string,
  options: Omit<RunOptions, "output" | "layout">,
) {
  const report = await built.run({
    ...options,
    layout: "coo",
    output,
    force: true,
  });
  const table = flechette(readFileSync(output), { useBigInt: false });
  const array = (name: string): ArrayLike<number> =>
    table.getChild(name).toArray();
  return { report, table, array };
}
