import {
  type BadRow,
  describeBadInput,
  describeBadRow,
} from "../src/numeric/bad-row.js";
import type { WorkerSetup } from "../src/pool/protocol.js";
import { TaskFailure } from "./task-failure.js";

/**
 * Ends the task if bad rows do, or if the label of the row is neither a class nor none. `row` is the place in the load of
 * row `number` of the file.
 */
export function refuseRow(
  setup: WorkerSetup,
  base: number,
  row: number,
  number: number,
): void {
  const { stopAtBadRow } = setup;
  const reason = badRowReason(setup, base, row, !stopAtBadRow);
  if (reason && (stopAtBadRow || reason.advice))
    throw new TaskFailure({ kind: "bad-row", row: number, ...reason });
  if (stopAtBadRow) throw new Error(`row ${row} of a load has no bad value`);
}

/**
 * Why the row at `row` of the load has no results, a wrong label before all else; null if it has.
 * @param areLabels whether labels alone are looked at
 */
export function badRowReason(
  { buffer, classes, slot, sources }: WorkerSetup,
  base: number,
  row: number,
  areLabels = false,
): BadRow | null {
  let first: BadRow | null = null;
  for (const [n, { holds, name, type, values }] of sources.entries()) {
    if (areLabels && holds !== "class") continue;
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
    if (reason?.advice) return reason;
    first ??= reason;
  }
  return first;
}
