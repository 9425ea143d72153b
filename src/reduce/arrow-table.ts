import {
  Binary,
  Bool,
  type Data,
  type DataType,
  DateDay,
  DateMillisecond,
  Field,
  FixedSizeList,
  Float64,
  Int,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import type { Field as InputField } from "../arrow/field.js";
import { writeWhole } from "../output/commit.js";
import type { KeyColumn, KeyValue } from "./group-table.js";

/** Column of a small table. */
export interface TableColumn {
  name: string;
  data: Data;
  metadata?: Map<string, string>;
}

/** Returns a column of numbers or strings; null is a null. */
function column(
  name: string,
  type: DataType,
  values: readonly (KeyValue | boolean | bigint)[],
): TableColumn {
  const [data] = vectorFromArray(values, type).data;
  // A vector without values has no data.
  return { name, data: (data ?? makeData({ type } as never)) as Data };
}

/** Returns a column of float64. */
export function floatColumn(
  name: string,
  values: readonly (number | null)[],
): TableColumn {
  return column(name, new Float64(), values);
}

/** Returns a column of int64. */
export function countColumn(
  name: string,
  values: readonly number[],
): TableColumn {
  return column(name, new Int64(), values.map(BigInt));
}

export function textColumn(
  name: string,
  values: readonly (string | null)[],
): TableColumn {
  return column(name, new Utf8(), values);
}

export function int32Column(
  name: string,
  values: readonly (number | null)[],
): TableColumn {
  return column(name, new Int32(), values);
}

/** Returns a column of keys in the type of the input; dictionaries as their values. */
export function keyColumn(
  { name, field }: KeyColumn,
  values: readonly KeyValue[],
): TableColumn {
  const type = typeOf(field);
  const isBool = type instanceof Bool;
  const isLong =
    (type instanceof Int && type.bitWidth === 64) ||
    type instanceof DateMillisecond;
  return column(
    name,
    type,
    values.map((value) => {
      if (value === null || typeof value === "string") return value;
      if (isBool) return value === 1;
      if (type instanceof DateDay) return value * 86_400_000;
      return isLong && !(type instanceof DateMillisecond)
        ? BigInt(value)
        : value;
    }),
  );
}

function typeOf({ type }: InputField): DataType {
  if (type.kind === "Int")
    return new Int(type.signed as never, type.bitWidth as never);
  if (type.kind === "Bool") return new Bool();
  if (type.kind === "Date")
    return type.unit === 0 ? new DateDay() : new DateMillisecond();
  return new Utf8();
}

/**
 * Returns a column of tensors of one shape, marked as arrow.fixed_shape_tensor if they have two axes; null for a null.
 */
export function tensorColumn(
  name: string,
  shape: readonly number[],
  values: readonly (Float64Array | null)[],
): TableColumn {
  const size = shape.reduce((product, length) => product * length, 1);
  const items = new Float64Array(values.length * size);
  const nulls = new Uint8Array(Math.ceil(values.length / 64) * 8);
  let nullCount = 0;
  for (const [row, value] of values.entries())
    if (value) {
      items.set(value, row * size);
      nulls[row >> 3] = (nulls[row >> 3] as number) | (1 << (row & 7));
    } else nullCount++;
  const child = makeData({ type: new Float64(), data: items });
  const data = makeData({
    type: new FixedSizeList(size, new Field("item", new Float64(), false)),
    length: values.length,
    nullCount,
    ...(nullCount > 0 ? { nullBitmap: nulls } : {}),
    child,
  });
  if (shape.length < 2) return { name, data };
  const metadata = new Map([
    ["ARROW:extension:name", "arrow.fixed_shape_tensor"],
    [
      "ARROW:extension:metadata",
      JSON.stringify({ shape, dim_names: ["i", "j"] }),
    ],
  ]);
  return { name, data, metadata };
}

/**
 * Writes a table as an Arrow file, which appears only once it is complete. Returns its size in bytes.
 * @throws OutputExistsError, IoError, PermissionError
 */
export async function writeTable(
  path: string,
  columns: readonly TableColumn[],
  metadata: Readonly<Record<string, string>>,
  options: { force: boolean; sync: boolean },
): Promise<number> {
  const fields = columns.map(
    ({ name, data, metadata }) =>
      new Field(name, data.type, data.nullCount > 0, metadata),
  );
  const schema = new Schema(fields, new Map(Object.entries(metadata)));
  const length = columns[0]?.data.length ?? 0;
  const children = columns.map(({ data }) => data);
  const data = makeData({ type: new Struct(fields), length, children });
  const table = new Table(schema, [new RecordBatch(schema, data)]);
  const bytes = tableToIPC(table, "file");
  await writeWhole(path, bytes, options);
  return bytes.byteLength;
}

/** Returns a column of bytes. */
export function binaryColumn(
  name: string,
  values: readonly Uint8Array[],
): TableColumn {
  return {
    name,
    data: vectorFromArray([...values], new Binary()).data[0] as Data,
  };
}

/** Reads the metadata and the values of all columns of a small Arrow file: dates as their numbers, booleans as 0 and 1. */
export function readTable(bytes: Uint8Array): {
  metadata: ReadonlyMap<string, string>;
  columns: unknown[][];
} {
  const table = tableFromIPC(bytes);
  return {
    metadata: table.schema.metadata,
    columns: table.schema.fields.map(({ type }, k) =>
      Array.from(table.getChildAt(k) ?? [], (value) => {
        if (value === null || typeof value === "string") return value;
        if (value instanceof Uint8Array) return value;
        const number = Number(value);
        return type instanceof DateDay ? number / 86_400_000 : number;
      }),
    ),
  };
}
