import type { CopiedBuffers, CopiedNode } from "../arrow/copied-nodes.js";
import { arrowTypeOf, type Field, plainField } from "../arrow/field.js";
import { InputUnsupportedError } from "../errors.js";
import type { Partition } from "../results/run-metadata.js";
import type { ClassNames } from "./class-decoder.js";
import type { CopiedColumn } from "./copied-columns.js";
import { plainBuffers } from "./record-batch.js";

// The value of a copied partition is written to memory for this number of rows, which the output repeats.
const ROWS = 256;

/** Returns the fields of a file and, after them, those of its partitions; columns of the file win over partitions. */
export function withPartitions(
  fields: readonly Field[],
  partitions: readonly Partition[] = [],
): Field[] {
  const others = partitions.filter(
    ({ name }) => !fields.some((field) => field.name === name),
  );
  return [...fields, ...others.map(fieldOf)];
}

function fieldOf({ name, type }: Partition): Field {
  const own = type === "utf8" ? { kind: "Utf8" as const } : arrowTypeOf(type);
  return { ...plainField(name, own), nullable: true };
}

/** Returns a copied column whose values are those of a partition, and its buffers in memory. */
export function constantColumn(
  column: CopiedColumn,
  { value }: Partition,
): CopiedColumn & { constant: NonNullable<CopiedNode["constant"]> } {
  const text = Buffer.from(value ?? "");
  const isText = column.form === "text";
  const numbers = BigInt64Array.from({ length: ROWS }, () =>
    isText || value === null ? 0n : BigInt(value),
  );
  const offsets = Int32Array.from(
    { length: ROWS + 1 },
    (_, k) => k * text.byteLength,
  );
  const parts = isText
    ? [offsets, ...new Array<Buffer>(ROWS).fill(text)]
    : [numbers];
  // Zeros at the start are the validity of nulls.
  const memory = Buffer.concat([
    new Uint8Array(ROWS / 8),
    ...parts.map((part) =>
      Buffer.from(part.buffer, part.byteOffset, part.byteLength),
    ),
  ]);
  const start = ROWS / 8 + (isText ? offsets.byteLength : 0);
  const buffers: CopiedBuffers = {
    ...plainBuffers(ROWS, start, memory.byteLength - start),
    nullCount: value === null ? ROWS : 0,
    offsets: ROWS / 8,
  };
  return { ...column, constant: { memory: new Uint8Array(memory), buffers } };
}

/** Returns the class number that is the value of a partition, as a row; null: null. @throws InputUnsupportedError */
export function classOfPartition(
  path: string,
  { name, value, type }: Partition,
  { given, own }: ClassNames,
): Float64Array | null {
  if (value === null) return null;
  const names = given ?? own ?? [];
  const found = type === "int64" ? Number(value) : names.indexOf(value);
  if (found >= 0 || type === "int64") return Float64Array.of(found);
  throw new InputUnsupportedError(
    path,
    `directory ${name}=${value}`,
    `expected one of the names of the classes (${names.join(", ") || "none"}); give them with --class-names`,
  );
}
