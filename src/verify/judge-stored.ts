import type { StoredPart } from "../reader/stored-rows.js";
import type { ComparedFile } from "./compared-file.js";

/** Judges the n-th of the table rows that were read as a row of the logits, whose input is held. */
export function judgeStored(
  { columns, findings, judge }: ComparedFile,
  row: number,
  parts: readonly StoredPart[],
  n: number,
): void {
  judge.present(
    row,
    parts.map((part) => (part.isNull(n) ? null : part.values(n))),
  );
  parts.forEach((part, k) => {
    const stray = part.stray?.(n);
    if (stray)
      findings.add(
        `${findings.nameOfRow(row)}: column ${columns[k]?.name}: expected 0 outside of [i, ${row}, j], found ${stray.value} at [${stray.place.join(", ")}]`,
      );
  });
}
