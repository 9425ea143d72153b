import type { Field } from "./arrow/field.js";
import type { BlockPlace } from "./output/arrow-encode.js";
import type { PlacedBatch } from "./output/jacobian-file.js";

/** What stands at a byte of an output, for people: the record batch, the column, and the row or value. */
export function whereInFile(
  fields: readonly Field[],
  batches: readonly PlacedBatch[],
  position: number,
): string {
  const n = batches.findIndex(
    ({ offset, bodyStart, bodyBytes }) =>
      position >= offset && position < bodyStart + bodyBytes,
  );
  const batch = batches[n];
  if (!batch) return whereInBlocks(batches, position);
  const { bodyStart, layout, shape } = batch;
  const place = position - bodyStart;
  const where = `record batch ${n}`;
  if (place < 0) return `${where}: its metadata`;
  const name = (k: number) => `column ${fields[k]?.name}`;
  const firstCopied = 1 + layout.positions.length;
  const first = firstCopied + shape.kept.length;
  for (const [k, { validity, offsets, values }] of [
    ...layout.results.entries(),
  ].reverse()) {
    const { items, width, list } = shape.results[
      k
    ] as (typeof shape.results)[number];
    if (place >= values) {
      const value = Math.floor((place - values) / width);
      const perRow = items / shape.rows;
      return list && Number.isInteger(perRow)
        ? `${where}: ${name(first + k)}, table row ${Math.floor(value / perRow)}, value ${value % perRow}`
        : `${where}: ${name(first + k)}, value ${value}`;
    }
    if (place >= Math.min(validity, offsets || validity))
      return `${where}: ${name(first + k)}, its validity or offsets`;
  }
  for (const [k, column] of [...layout.kept.entries()].reverse())
    if (place >= column.validity) return `${where}: ${name(firstCopied + k)}`;
  for (const [k, start] of [...layout.positions.entries()].reverse())
    if (place >= start)
      return `${where}: ${name(1 + k)}, table row ${Math.floor((place - start) / 4)}`;
  return `${where}: column row, table row ${Math.floor((place - layout.row) / 8)}`;
}

/** The same where only the places of whole record batches are known. */
export function whereInBlocks(
  batches: readonly BlockPlace[],
  position: number,
): string {
  const n = batches.findIndex(
    ({ offset, metadataBytes, bodyBytes }) =>
      position >= offset && position < offset + metadataBytes + bodyBytes,
  );
  if (n >= 0) return `record batch ${n}`;
  return position < (batches[0]?.offset ?? 0)
    ? "schema or dictionaries"
    : "footer";
}
