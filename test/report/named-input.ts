import { fixedSizeList, float64, int32, utf8 } from "@uwdata/flechette";
import { writeArrow } from "../support/arrow-columns.js";

/** Writes three rows of logits, `label`, and a column of texts of any name, by flechette; returns the path. */
export function writeNamed(
  path: string,
  name: string,
  texts: readonly string[],
): string {
  writeArrow(path, {
    logits: [texts.map((_, r) => [r, 1, 2]), fixedSizeList(float64(), 3)],
    label: [texts.map((_, r) => r % 3), int32()],
    [name]: [[...texts], utf8()],
  });
  return path;
}
