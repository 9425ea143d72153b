import { writeFileSync } from "node:fs";
import {
  columnFromArray,
  fixedSizeList,
  float64,
  int32,
  tableFromColumns,
  tableToIPC,
} from "@uwdata/flechette";

/** Writes `logits` and `label` as an Arrow file, by flechette; returns its path. */
export function writeLabelled(
  path: string,
  logits: readonly (readonly number[])[],
  labels: readonly (number | null)[],
): string {
  const classes = logits[0]?.length ?? 1;
  const table = tableFromColumns([
    [
      "logits",
      columnFromArray(logits as never, fixedSizeList(float64(), classes)),
    ],
    ["label", columnFromArray(labels as never, int32())],
  ] as never);
  writeFileSync(path, tableToIPC(table, { format: "file" }) as Uint8Array);
  return path;
}
