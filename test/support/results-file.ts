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

/** Columns of a results table as plain values. */
export interface ResultsFile {
  columns: Column[];
  metadata?: Record<string, string>;
  /** Rows per record batch, repeated until no rows remain; default: one batch. */
  batchRows?: number[];
}

/** Writes a table of results with apache-arrow. */
export function writeResults(path: string, file: ResultsFile): void {
  const { columns, metadata = {} } = file;
  const fields = columns.map(([name, type]) => new Field(name, type, true));
  const schema = new Schema(fields, new Map(Object.entries(metadata)));
  const rows = columns[0]?.[2].length ?? 0;
  writeBatches(path, schema, rows, file.batchRows ?? [rows], (start, end) =>
    columns.map(([, type, values]) => {
      const [data] = vectorFromArray(values.slice(start, end), type).data;
      return data ?? makeData({ type: type as Int32, length: 0 });
    }),
  );
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

export function csrFile(examples: SparseExamples): ResultsFile["columns"] {
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

interface CooRow {
  row: bigint;
  i: number | null;
  j: number | null;
  value: number | null;
}

export function cooFile(
  examples: SparseExamples,
  classes: number,
): ResultsFile["columns"] {
  const rows = examples.flatMap(({ row, entries }): CooRow[] =>
    entries
      ? entries.indices.map((index, n) => ({
          row: BigInt(row),
          i: Math.floor(index / classes),
          j: index % classes,
          value: entries.values[n] as number,
        }))
      : [{ row: BigInt(row), i: null, j: null, value: null }],
  );
  return [
    ["row", new Int64(), rows.map(({ row }) => row)],
    ["id", new Int32(), rows.map((_, n) => n)],
    ["i", new Int32(), rows.map(({ i }) => i)],
    ["j", new Int32(), rows.map(({ j }) => j)],
    ["value", new Float64(), rows.map(({ value }) => value)],
  ];
}
