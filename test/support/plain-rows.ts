import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import {
  type AuxiliaryName,
  EMITS,
  type EmitName,
} from "../../src/results/catalogue.js";
import { built } from "./built.js";
import type { Inputs } from "./inputs-input.js";

/** Value of a column: a number or a list. */
export type Row = number | number[];

/** Column of results as plain values. */
export function read(path: string, name: string): (Row | null)[] {
  return readerOf(path)(name);
}

/** Columns of a file, which is read once. */
export function readerOf(path: string): (name: string) => (Row | null)[] {
  const table = flechette(readFileSync(path), { useBigInt: false });
  return (name) =>
    [...table.getChild(name)].map((value) =>
      value === null || typeof value === "number" ? value : [...value],
    );
}

/** Returns in-memory results as plain rows. */
export function rowsOf(values: ArrayLike<number>, rows: number): Row[] {
  const n = values.length / rows;
  const all = Array.from(values);
  return Array.from({ length: rows }, (_, r) => {
    const row = all.slice(r * n, (r + 1) * n);
    return n === 1 ? (row[0] as number) : row;
  });
}

/** Computes results with the function on arrays, passing the inputs that each needs. */
export function inMemory(
  all: Inputs,
  emit: readonly EmitName[],
  temperature = 1,
) {
  const used = new Set(
    emit.map((name) => (EMITS[name] as { input?: AuxiliaryName }).input),
  );
  const { rows, classes, classColumn, ...others } = all;
  return built.softmaxResults(all.logits, {
    rows,
    classes,
    emit,
    temperature,
    ...(used.has("classColumn") && { class: classColumn }),
    ...Object.fromEntries(
      Object.entries(others).filter(([name]) =>
        used.has(name as AuxiliaryName),
      ),
    ),
  });
}
