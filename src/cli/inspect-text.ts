import type { Inspection, ValueScan } from "../inspect/inspect.js";
import { shortName } from "../printable.js";
import { bytes, count, more, type TextRow, titled } from "./format.js";
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
  const format = [FORMATS[found.format], ...compression, bytes(found.bytes)];
  const batchRows = `batches of at most ${count(largestBatchRows ?? 0)}`;
  const inBatches =
    batches === null || largestBatchRows === null
      ? ""
      : ` in ${count(batches)} ${batches === 1 ? "batch" : batchRows}`;
  const shown = columns.slice(0, MAX_COLUMNS).map(({ name, type, reason }) => {
    const isNew = !logits && reason !== null && reason !== problem;
    return `${shortName(name)}: ${type}${isNew ? ` (${reason})` : ""}`;
  });
  if (columns.length > MAX_COLUMNS)
    shown.push(`${count(columns.length - MAX_COLUMNS)} more`);
  const text = titled(found.input, [
    ["format", format.join(", ")],
    ["rows", count(found.rows) + inBatches],
    ...shown.map((line, k): TextRow => [k === 0 ? "columns" : "", line]),
    [
      "logits",
      logits
        ? `${shortName(logits.column)} (${logits.storage}, ${logits.dtype}), ${count(logits.classes)} classes`
        : `none: ${problem}`,
    ],
    ...(found.values ? valueRows(found.values) : []),
  ]);
  if (!logits) return text;
  return `${text}\n  output of softmax and jacobian, bytes per row and in all:\n${sizes(found.layouts)}`;
}

function valueRows(values: ValueScan): TextRow[] {
  const { min, max, maskedLogits, badRows, firstBadRow } = values;
  const masked = more(maskedLogits, "masked (-inf)");
  const bad = `${count(badRows)}, first at row ${firstBadRow}`;
  return [
    ["values", min === null ? "no finite logits" : `${min} to ${max}${masked}`],
    ["bad rows", firstBadRow === null ? "none" : bad],
  ];
}
