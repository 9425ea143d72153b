import {
  aligned,
  type BufferRange,
  framed,
  recordBatchMessage,
} from "../arrow/encode-messages.js";
import {
  type ArrowType,
  arrowTypeOf,
  type Field,
  fixedBits,
  type NumberType,
  plainField,
} from "../arrow/field.js";
import { numbersAt } from "../arrow/stored-numbers.js";
import { writeWhole } from "../output/commit.js";
import { validityBitmap } from "../output/jacobian-batch.js";
import { encodeTail, layoutHead } from "../output/jacobian-file.js";
import type { KeyColumn, KeyValue } from "./group-table.js";

/** Column of a small table: its field, and the nodes and buffers of its values. */
export interface TableColumn {
  field: Field;
  nodes: { length: number; nullCount: number }[];
  buffers: Uint8Array[];
}

/** Returns a column of numbers; null is a null. */
export function numberColumn(
  name: string,
  type: NumberType,
  values: readonly (number | null)[],
): TableColumn {
  return column(name, arrowTypeOf(type), values);
}

export function textColumn(
  name: string,
  values: readonly (string | null)[],
): TableColumn {
  return column(name, { kind: "Utf8" }, values);
}

/** Returns a column of keys in the type of the input; dictionaries as their values, and floats as float64. */
export function keyColumn(
  { name, field: { type } }: KeyColumn,
  values: readonly KeyValue[],
): TableColumn {
  if (fixedBits(type) === 0) return textColumn(name, values as string[]);
  const isFloat = type.kind === "FloatingPoint";
  return column(name, isFloat ? arrowTypeOf("float64") : type, values);
}

function column(
  name: string,
  type: ArrowType,
  values: readonly KeyValue[],
): TableColumn {
  const field = plainField(name, type);
  if (type.kind === "Utf8") {
    const texts = values.map((value) => Buffer.from(`${value ?? ""}`));
    const offsets = new Int32Array(values.length + 1);
    for (const [k, { length }] of texts.entries())
      offsets[k + 1] = (offsets[k] as number) + length;
    return nullable(field, values, [bytesOf(offsets), Buffer.concat(texts)]);
  }
  if (type.kind === "Bool") {
    const zeros = [...values.keys()].filter((k) => values[k] !== 1);
    return nullable(field, values, [validityBitmap(values.length, zeros)]);
  }
  const bits = fixedBits(type);
  const isSigned = type.kind !== "Int" || type.signed;
  const number =
    type.kind === "FloatingPoint"
      ? "float64"
      : (`${isSigned ? "" : "u"}int${bits}` as "int32");
  const bytes = new ArrayBuffer((bits / 8) * values.length);
  const out = numbersAt(bytes, 0, number, values.length) as ArrayLike<unknown>;
  const isLong = bits === 64 && number !== "float64";
  for (const [k, value] of values.entries())
    (out as unknown[])[k] = isLong
      ? BigInt(value ?? 0)
      : Number(value ?? 0) + 0;
  return nullable(field, values, [new Uint8Array(bytes)]);
}

/**
 * Returns a column of tensors of one shape, marked as arrow.fixed_shape_tensor if they have two axes; null for a null.
 */
export function tensorColumn(
  name: string,
  shape: readonly number[],
  values: readonly (Float64Array | null)[],
): TableColumn {
  const listSize = shape.reduce((product, length) => product * length, 1);
  const items = new Float64Array(values.length * listSize);
  for (const [row, value] of values.entries())
    if (value) items.set(value, row * listSize);
  const item = plainField("item", arrowTypeOf("float64"));
  const field = plainField(name, { kind: "FixedSizeList", listSize }, [item]);
  if (shape.length > 1)
    field.metadata = [
      ["ARROW:extension:name", "arrow.fixed_shape_tensor"],
      [
        "ARROW:extension:metadata",
        JSON.stringify({ shape, dim_names: ["i", "j"] }),
      ],
    ];
  const { nodes, ...list } = nullable(field, values, []);
  return {
    ...list,
    nodes: [...nodes, { length: items.length, nullCount: 0 }],
    buffers: [...list.buffers, new Uint8Array(0), bytesOf(items)],
  };
}

/** Returns a column of numbers that are not null, from their bytes. */
export function bytesColumn(name: string, bytes: Uint8Array): TableColumn {
  const nodes = [{ length: bytes.length, nullCount: 0 }];
  const field = plainField(name, arrowTypeOf("uint8"));
  return { field, nodes, buffers: [new Uint8Array(0), bytes] };
}

/** Returns a column with the validity bitmap of its values before its buffers. */
function nullable(
  field: Field,
  values: readonly unknown[],
  buffers: Uint8Array[],
): TableColumn {
  const nulls = [...values.keys()].filter((k) => values[k] === null);
  const isNullable = nulls.length > 0;
  const bitmap = isNullable
    ? validityBitmap(values.length, nulls)
    : new Uint8Array(0);
  return {
    field: { ...field, nullable: isNullable },
    nodes: [{ length: values.length, nullCount: nulls.length }],
    buffers: [bitmap, ...buffers],
  };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView) {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
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
  let bodyBytes = 0;
  const bodies = columns.flatMap(({ buffers }) => buffers);
  const buffers = bodies.map(({ length }): BufferRange => {
    const offset = bodyBytes;
    bodyBytes = aligned(offset + length);
    return { offset, length };
  });
  const spec = {
    fields: columns.map(({ field }) => field),
    metadata: Object.entries(metadata),
  };
  const nodes = columns.flatMap(({ nodes }) => nodes);
  const rows = columns[0]?.nodes[0]?.length ?? 0;
  const { start, end: offset } = layoutHead({ ...spec, dictionaries: [] });
  const message = framed(
    recordBatchMessage({ rows, nodes, buffers, bodyBytes }),
    offset,
  );
  const metadataBytes = message.length;
  const tail = encodeTail(spec, [], [{ offset, metadataBytes, bodyBytes }]);
  const body = offset + metadataBytes;
  const bytes = new Uint8Array(body + bodyBytes + tail.length);
  bytes.set(start);
  bytes.set(message, offset);
  for (const [k, part] of bodies.entries())
    bytes.set(part, body + (buffers[k] as BufferRange).offset);
  bytes.set(tail, body + bodyBytes);
  await writeWhole(path, bytes, options);
  return bytes.length;
}
