import type { CopiedBuffers, CopiedNode } from "../arrow/copied-nodes.js";
import { arrowTypeOf, type Field, plainField } from "../arrow/field.js";
import { InputUnsupportedError } from "../errors.js";
import type { Partition } from "../results/run-metadata.js";
import type { ClassNames } from "./class-decoder.js";
import type { CopiedColumn } from "./copied-columns.js";
import { plainBuffers } from "./record-batch.js";

/** Rows of a copied partition in memory; the output repeats them. */
const ROWS = 256;

/** Field of a file, or of a partition. */
type PartitionedField = Field & { partition?: Partition };

/** Returns the fields of a file, then those of its partitions. A column takes precedence over a partition of its name. */
export function withPartitions(
  fields: readonly Field[],
  partitions: readonly Partition[] = [],
): PartitionedField[] {
  const others = partitions.filter(
    ({ name }) => !fields.some((field) => field.name === name),
  );
  const fieldOf = (partition: Partition) => {
    const { name, type } = partition;
    const arrowType =
      type === "utf8" ? { kind: "Utf8" as const } : arrowTypeOf(type);
    return { ...plainField(name, arrowType), nullable: true, partition };
  };
  return [...fields, ...others.map(fieldOf)];
}

/** Returns a copied column that repeats the value of a partition, with its buffers in memory. */
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
  // Layout: validity bits (all zero, used only if the value is null), offsets of texts, values.
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

/** Returns the class number that a partition states, as one row; null for a null. @throws InputUnsupportedError */
export function classOfPartition(
  path: string,
  { name, value, type }: Partition,
  { given, fromFile, vocabulary }: ClassNames,
): Float64Array | null {
  if (value === null) return null;
  if (vocabulary && type === "utf8") {
    if (!vocabulary.has(value)) vocabulary.set(value, vocabulary.size);
    return Float64Array.of(vocabulary.get(value) as number);
  }
  const names = given ?? fromFile ?? [];
  const index = type === "int64" ? Number(value) : names.indexOf(value);
  if (index >= 0 || type === "int64") return Float64Array.of(index);
  throw new InputUnsupportedError(
    path,
    `directory ${name}=${value}`,
    `expected one of the names of the classes (${names.join(", ") || "none"}); give them with --class-names`,
  );
}
