import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { npy } from "./array-files.js";
import { type Columns, writeArrow } from "./arrow-columns.js";
import { normal, random } from "./random.js";

/** Columns of an output of reduce or effects, its fields and metadata. */
export function readOutput(path: string) {
  const table = tableFromIPC(readFileSync(path));
  const columns = Object.fromEntries(
    table.schema.fields.map(({ name }) => [
      name,
      Array.from(table.getChild(name) ?? [], (value): unknown =>
        value && typeof value === "object" && "toArray" in value
          ? Array.from((value as { toArray(): Float64Array }).toArray())
          : value,
      ),
    ]),
  );
  return { columns, fields: table.schema.fields, meta: table.schema.metadata };
}

/** Writes a matrix as an .npy file of float64; returns its path. */
export function writeMatrix(path: string, rows: readonly number[][]): string {
  const shape = [rows.length, rows[0]?.length ?? 0];
  writeFileSync(path, npy(Float64Array.from(rows.flat()), shape));
  return path;
}

/** Rows of a model with the features a and b, whose logits are (1, a, b) B, drawn with labels from its softmax. */
export function drawn(rows: number, b: readonly number[][], seed = 1) {
  const uniform = random(seed);
  const gauss = normal(uniform);
  const x = Array.from({ length: rows }, () => [
    1,
    gauss(),
    Math.round(3 * gauss()),
  ]);
  const logits = x.map((row) => product(row, b));
  const label = logits.map((row) => {
    const p = softmax(row);
    let left = uniform();
    const y = p.findIndex((value) => {
      left -= value;
      return left < 0;
    });
    return Math.max(0, y);
  });
  const weight = x.map(() => Math.floor(4 * uniform()));
  const group = x.map(() => ["north", "east", null][Math.floor(3 * uniform())]);
  return { x, logits, label, weight, group };
}

export type Drawn = ReturnType<typeof drawn>;

/** Returns Arrow columns a, b, x (with the constant), logits, label, w and group. */
export function columnsOf(data: Drawn): Columns {
  const { x, logits, label, weight, group } = data;
  return {
    a: [x.map((row) => row[1]), "float64"],
    b: [x.map((row) => row[2]), "float64"],
    x: [x, "fixed_size_list<float64>[3]"],
    logits: [logits, `fixed_size_list<float64>[${logits[0]?.length ?? 3}]`],
    label: [label, "int32"],
    w: [weight, "float64"],
    group: [group, "utf8"],
  };
}

export function writeDrawn(path: string, data: Drawn, batchRows?: number) {
  writeArrow(path, columnsOf(data), batchRows ? { batchRows } : {});
  return path;
}

export function product(
  x: readonly number[],
  b: readonly (readonly number[])[],
): number[] {
  return (b[0] ?? []).map((_, c) =>
    x.reduce((sum, value, k) => sum + value * (b[k]?.[c] as number), 0),
  );
}

export function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((o) => Math.exp(o - most));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** Returns the largest |found - expected| relative to |expected|. */
export function largestDifference(
  found: readonly number[],
  expected: readonly number[],
): number {
  if (found.length !== expected.length || found.length === 0)
    throw new Error(`${found.length} values, expected ${expected.length}`);
  return Math.max(
    ...found.map((value, at) => {
      const truth = expected[at] as number;
      return Math.abs(value - truth) / Math.abs(truth);
    }),
  );
}
