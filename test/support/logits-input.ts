import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Data,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
} from "apache-arrow";
import { afterAll } from "vitest";

export interface LogitsInput {
  rows: number;
  classes: number;
  dtype?: "float32" | "float64";
  /** Rows per record batch, repeated until no rows remain. */
  batchRows?: number[];
  logit(row: number, k: number): number;
}

/** Writes an Arrow file with a single column `logits`, using apache-arrow. */
export function writeLogits(path: string, input: LogitsInput): void {
  const { rows, classes, dtype = "float64", batchRows = [rows] } = input;
  const [number, Numbers] =
    dtype === "float32"
      ? [new Float32(), Float32Array]
      : [new Float64(), Float64Array];
  const type = new FixedSizeList(classes, new Field("item", number, false));
  const schema = new Schema([new Field("logits", type, false)]);
  writeBatches(path, schema, rows, batchRows, (start, end) => {
    const length = end - start;
    const data = new Numbers(length * classes);
    for (let at = 0; at < data.length; at++)
      data[at] = input.logit(start + Math.floor(at / classes), at % classes);
    const child = makeData({
      type: number as Float64,
      data: data as Float64Array,
    });
    return [makeData({ type, length, nullCount: 0, child })];
  });
}

/** Writes an Arrow file with apache-arrow; `columnsOf` returns the columns of a record batch. */
export function writeBatches(
  path: string,
  schema: Schema,
  rows: number,
  batchRows: readonly number[],
  columnsOf: (start: number, end: number) => Data[],
): void {
  const writer = new RecordBatchFileWriter();
  writer.reset(undefined, schema);
  const type = new Struct(schema.fields);
  for (let start = 0, k = 0; start < rows; k++) {
    const count = batchRows[k % batchRows.length] as number;
    const end = Math.min(start + count, rows);
    const children = columnsOf(start, end);
    const length = end - start;
    const data = makeData({ type, length, nullCount: 0, children });
    writer.write(new RecordBatch(schema, data));
    start = end;
  }
  writer.finish();
  writeFileSync(path, writer.toUint8Array(true));
}

/** Makes a directory that is removed after the test file, and returns a function for paths in it. */
export function workDirectory(): (name: string) => string {
  const directory = mkdtempSync(join(tmpdir(), "softjac-test-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return (name) => join(directory, name);
}
