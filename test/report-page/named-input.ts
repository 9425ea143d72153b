import { writeFileSync } from "node:fs";
import {
  columnFromArray,
  fixedSizeList,
  float64,
  int32,
  tableFromColumns,
  tableToIPC,
  utf8,
} from "@uwdata/flechette";

/** Writes three rows of logits, `label`, and a column of texts of any name, by flechette; returns the path. */
export function writeNamed(
  path: string,
  name: string,
  texts: readonly string[],
): string {
  const logits = texts.map((_, r) => [r, 1, 2]);
  const table = tableFromColumns([
    ["logits", columnFromArray(logits, fixedSizeList(float64(), 3))],
    [
      "label",
      columnFromArray(
        texts.map((_, r) => r % 3),
        int32(),
      ),
    ],
    [name, columnFromArray([...texts], utf8())],
  ] as never);
  writeFileSync(path, tableToIPC(table, { format: "file" }) as Uint8Array);
  return path;
}
