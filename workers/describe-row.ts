import {
  type BadRow,
  describeBadInput,
  describeBadRow,
} from "../src/numeric/bad-row.js";
import type { WorkerSetup } from "../src/pool/protocol.js";

/** Why the row at `row` of the load has no results. */
export function describeRow(
  setup: WorkerSetup,
  base: number,
  row: number,
): BadRow {
  const reason = badRowReason(setup, base, row);
  if (!reason) throw new Error(`row ${row} of a load has no bad value`);
  return reason;
}

/** The same; null for a row that has results. */
export function badRowReason(
  { buffer, classes, slot, sources }: WorkerSetup,
  base: number,
  row: number,
): BadRow | null {
  for (const [n, { holds, name, type, values }] of sources.entries()) {
    const place = slot.sources[n] as WorkerSetup["slot"]["sources"][number];
    const reason =
      holds === "logits"
        ? describeBadRow(
            type === "float32"
              ? new Float32Array(
                  buffer,
                  base + place.raw + row * values * 4,
                  values,
                )
              : new Float64Array(
                  buffer,
                  base + place.values + row * values * 8,
                  values,
                ),
          )
        : describeBadInput(
            name,
            new Float64Array(
              buffer,
              base + place.values + row * values * 8,
              values,
            ),
            holds,
            classes,
          );
    if (reason) return reason;
  }
  return null;
}
