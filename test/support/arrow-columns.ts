import { writeFileSync } from "node:fs";
import {
  columnFromArray,
  tableFromColumns,
  tableToIPC,
} from "@uwdata/flechette";

export type Type = NonNullable<Parameters<typeof columnFromArray>[1]>;

/** Values and type of each column, by name. */
export type Columns = Record<string, [values: unknown[], type: Type]>;

interface Form {
  /** Rows of each record batch; default: one batch. */
  batchRows?: number;
  format?: "file" | "stream";
}

/** Returns an Arrow file or stream, written by flechette. */
export function arrowOf(
  columns: Columns,
  { batchRows, format = "file" }: Form = {},
): Buffer<ArrayBuffer> {
  const options = batchRows ? { maxBatchRows: batchRows } : {};
  const made = Object.entries(columns).map(([name, [values, type]]) => [
    name,
    columnFromArray(values as never, type, options),
  ]);
  const table = tableFromColumns(made as never);
  return Buffer.from(tableToIPC(table, { format }) as Uint8Array<ArrayBuffer>);
}

export function writeArrow(path: string, columns: Columns, form?: Form): void {
  writeFileSync(path, arrowOf(columns, form));
}
