import { writeFileSync } from "node:fs";
import * as arrow from "@uwdata/flechette";

/** Type of a column, or its text as in messages: `list<float64>`, `fixed_size_list<int8>[2]`, `struct<a: utf8>`, `decimal(12,2)`. */
export type Type = arrow.DataType | string;

/** Values and type of each column, by name. */
export type Columns = Record<string, [values: unknown[], type: Type]>;

/** Returns the type with a text. The text of a dictionary states its indices, then its values. */
export function typeOf(type: Type): arrow.DataType {
  if (typeof type !== "string") return type;
  const [, kind = "", inner = "", sizes = ""] =
    /^(\w+)(?:<(.*)>)?(?:[[(](.*)[\])])?$/.exec(type) ?? [];
  const children: string[] = [];
  for (const piece of inner.split(/, */)) {
    // A comma inside of brackets belongs to the type before it.
    const last = children.at(-1) ?? "";
    if (last.split(/[<(]/).length > last.split(/[>)]/).length)
      children.push(`${children.pop()}, ${piece}`);
    else children.push(piece);
  }
  const numbers = sizes.split(",").map(Number);
  const name = kind.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
  const make: (...all: unknown[]) => arrow.DataType = Reflect.get(arrow, name);
  if (name === "struct") {
    const fields = children.map((field) => field.split(/: (.*)/s));
    return make(
      Object.fromEntries(fields.map(([key, of = ""]) => [key, typeOf(of)])),
    );
  }
  const types = inner ? children.map(typeOf) : [];
  if (name === "dictionary") types.reverse();
  return make(...types, ...(sizes ? numbers : []));
}

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
    arrow.columnFromArray(values as never, typeOf(type), options),
  ]);
  const table = arrow.tableFromColumns(made as never);
  return Buffer.from(
    arrow.tableToIPC(table, { format }) as Uint8Array<ArrayBuffer>,
  );
}

export function writeArrow(path: string, columns: Columns, form?: Form): void {
  writeFileSync(path, arrowOf(columns, form));
}
