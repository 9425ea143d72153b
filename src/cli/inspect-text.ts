import type { Inspection, ValueScan } from "../inspect/inspect.js";
import { shortName } from "../printable.js";
import { bytes, count, titled } from "./format.js";
import { sizes } from "./summary.js";

const FORMATS: Record<Inspection["format"], string> = {
  "arrow-file": "Arrow IPC file",
  "arrow-stream": "Arrow IPC stream",
  parquet: "Parquet file",
  npy: "NumPy array",
  npz: "NumPy archive",
  safetensors: "safetensors",
};

const MAX_COLUMNS = 12;

/** Formats the report of inspect. */
export function inspectText(found: Inspection): string {
  const { compression, batches, largestBatchRows, logits, columns } = found;
  const problem = found.noLogitsReason?.replace(`${found.input}: `, "");
  const rows: [string, string][] = [
    [
      "format",
      [FORMATS[found.format], ...compression, bytes(found.bytes)].join(", "),
    ],
    [
      "rows",
      batches === null || largestBatchRows === null
        ? count(found.rows)
        : `${count(found.rows)} in ${count(batches)} ${batches === 1 ? "batch" : `batches of at most ${count(largestBatchRows)}`}`,
    ],
    ...columns
      .slice(0, MAX_COLUMNS)
      .map(({ name, type, reason }, k): [string, string] => [
        k === 0 ? "columns" : "",
        `${shortName(name)}: ${type}${logits || reason === null || reason === problem ? "" : ` (${reason})`}`,
      ]),
  ];
  if (columns.length > MAX_COLUMNS)
    rows.push(["", `${count(columns.length - MAX_COLUMNS)} more`]);
  rows.push([
    "logits",
    logits
      ? `${shortName(logits.column)} (${logits.storage}, ${logits.dtype}), ${count(logits.classes)} classes`
      : `none: ${problem}`,
  ]);
  if (found.values) rows.push(...valueRows(found.values));
  const layouts = logits
    ? `\n  output of softmax and jacobian, bytes per row and in all:\n${sizes(found.layouts)}`
    : "";
  return `${titled(found.input, rows)}${layouts}`;
}

function valueRows(values: ValueScan): [label: string, value: string][] {
  const { min, max, maskedLogits, badRows, firstBadRow } = values;
  return [
    [
      "values",
      min === null || max === null
        ? "no finite logits"
        : `${min} to ${max}${maskedLogits > 0 ? `, ${count(maskedLogits)} masked (-inf)` : ""}`,
    ],
    [
      "bad rows",
      firstBadRow === null
        ? "none"
        : `${count(badRows)}, first at row ${firstBadRow}`,
    ],
  ];
}
