import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
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
  const item = new Field(
    "item",
    dtype === "float32" ? new Float32() : new Float64(),
    false,
  );
  const list = new FixedSizeList(classes, item);
  const schema = new Schema([new Field("logits", list, false)]);
  const writer = new RecordBatchFileWriter();
  writer.reset(undefined, schema);
  for (let start = 0, k = 0; start < rows; k++) {
    const count = Math.min(
      batchRows[k % batchRows.length] as number,
      rows - start,
    );
    const values = Array.from({ length: count * classes }, (_, at) =>
      input.logit(start + Math.floor(at / classes), at % classes),
    );
    const data =
      dtype === "float32"
        ? makeData({ type: new Float32(), data: Float32Array.from(values) })
        : makeData({ type: new Float64(), data: Float64Array.from(values) });
    const child = makeData({
      type: list,
      length: count,
      nullCount: 0,
      child: data,
    });
    writer.write(
      new RecordBatch(
        schema,
        makeData({
          type: new Struct(schema.fields),
          length: count,
          children: [child],
        }),
      ),
    );
    start += count;
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
