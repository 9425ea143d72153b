import {
  type DataType,
  Field,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  Schema,
  vectorFromArray,
} from "apache-arrow";
import { fixedSizeList } from "./fixed-size-list.js";
import { writeBatches } from "./logits-input.js";

export type Column = [name: string, type: DataType, values: unknown[]];

/**
 * Writes a table of results with apache-arrow.
 * @param stated changes of `outputMetadata`; null for no metadata
 * @param batchRows rows per record batch, repeated until no rows remain; default: one batch
 */
export function writeResults(
  path: string,
  columns: readonly Column[],
  stated: Parameters<typeof outputMetadata>[0] | null = {},
  batchRows = [columns[0]?.[2].length ?? 0],
): void {
  const fields = columns.map(([name, type]) => new Field(name, type, true));
  const metadata = Object.entries(stated ? outputMetadata(stated) : {});
  const schema = new Schema(fields, new Map(metadata));
  const rows = columns[0]?.[2].length ?? 0;
  writeBatches(path, schema, rows, batchRows, (start, end) =>
    columns.map(([, type, values]) => {
      const [data] = vectorFromArray(values.slice(start, end), type).data;
      return data ?? makeData({ type: type as Int32, length: 0 });
    }),
  );
}

/** Writes blocks of one class, each with its row number as the only entry. */
export function writeRows(
  path: string,
  rows: readonly number[],
  batchRows?: number[],
): void {
  const lists = fixedSizeList(new Float64(), 1);
  const columns: Column[] = [
    ["row", new Int64(), rows.map(BigInt)],
    ["jacobian", lists, rows.map((row) => [row])],
  ];
  const stated = { rows: Math.max(...rows) + 1, classes: 1 };
  writeResults(path, columns, stated, batchRows);
}

/** Returns the metadata that every output has; `changes` are further ones, or undefined for keys that are missing. */
export function outputMetadata(
  changes: Record<string, string | number | undefined>,
): Record<string, string> {
  const metadata = {
    ...{ layout: "bsr", emit: "jacobian", rows: 1, classes: 3 },
    ...{ dtype: "float64", temperature: 1, threshold: 0 },
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(metadata).flatMap(([key, value]) =>
      value === undefined ? [] : [[`softjac.${key}`, String(value)]],
    ),
  );
}

/** Returns two rows of lists in which value k of row r is r + k. */
export function twoBlocks(size: number): [row: Column, jacobian: Column] {
  const values = [0, 1].map((r) =>
    Array.from({ length: size }, (_, k) => r + k),
  );
  return [
    ["row", new Int64(), [0n, 1n]],
    ["jacobian", fixedSizeList(new Float64(), size), values],
  ];
}

/** Entries of each example, by row of the logits; null for a bad row. */
export type SparseExamples = {
  row: number;
  entries: { indices: number[]; values: number[] } | null;
}[];

const list = (item: DataType) => new List(new Field("item", item, false));

/** Returns the columns of an output of csr or coo. */
export function sparseColumns(
  layout: string,
  examples: SparseExamples,
  classes: number,
): Column[] {
  if (layout === "coo") return cooColumns(examples, classes);
  const each = (of: (example: SparseExamples[number]) => unknown) =>
    examples.map(of);
  return [
    ["row", new Int64(), each(({ row }) => BigInt(row))],
    ["values", list(new Float64()), each((e) => e.entries?.values ?? null)],
    ["id", new Int32(), each(({ row }) => -row)],
    ["indices", list(new Int32()), each((e) => e.entries?.indices ?? null)],
    ["dropped_max", new Float64(), each(() => 0)],
    ["dropped_sum", new Float64(), each(() => 0)],
  ];
}

function cooColumns(examples: SparseExamples, classes: number): Column[] {
  const all = examples.flatMap(({ row, entries }) =>
    (entries?.indices ?? [null]).map((index, n) => {
      const j = index && index % classes;
      const i = index && (index - (j ?? 0)) / classes;
      return { row: BigInt(row), i, j, value: entries?.values[n] ?? null };
    }),
  );
  return [
    ["row", new Int64(), all.map(({ row }) => row)],
    ["id", new Int32(), all.map((_, n) => n)],
    ["i", new Int32(), all.map(({ i }) => i)],
    ["j", new Int32(), all.map(({ j }) => j)],
    ["value", new Float64(), all.map(({ value }) => value)],
  ];
}
