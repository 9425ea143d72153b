import { fixedSizeList, float64, int32 } from "@uwdata/flechette";
import { writeArrow } from "../support/arrow-columns.js";

/** Writes `logits` and `label` as an Arrow file, by flechette; returns its path. */
export function writeLabelled(
  path: string,
  logits: readonly (readonly number[])[],
  labels: readonly (number | null)[],
): string {
  const classes = logits[0]?.length ?? 1;
  writeArrow(path, {
    logits: [[...logits], fixedSizeList(float64(), classes)],
    label: [[...labels], int32()],
  });
  return path;
}
