import { isSeparate } from "../src/arrow/source-form.js";
import { NULL_BITS_32, NULL_BITS_64 } from "../src/numeric/bad-row.js";
import type { SourceSetup, WorkerSetup } from "../src/pool/protocol.js";
import type { RowsOfPiece } from "./load-rows.js";
import { readBits } from "./slot-bytes.js";

/**
 * Replaces nulls by a NaN of their own kind, which makes a bad row: in every value of a null row, in logits, and in inputs
 * beside them. A null logit becomes -inf where it masks its class.
 */
export function markNulls(
  setup: WorkerSetup,
  source: SourceSetup,
  part: RowsOfPiece,
  values: number,
): void {
  const { piece, start, from, to, runs } = part;
  const { form, holds, values: perRow } = source;
  const inBatch = (row: number) => piece.firstRow + row - piece.rowStart;
  const numbers = valuesOf(setup, source, values);
  const put = (row: number, k: number, value: "null" | "masked") =>
    numbers((row - start) * perRow + k, value);
  const validRow = readBits(setup, piece.validity, inBatch(from), to - from);
  const isNullRow = (row: number) => validRow && !validRow(row - from);
  const setNull = (row: number, k: number) => {
    if (isNullRow(row)) return;
    put(row, k, holds === "logits" && setup.maskNulls ? "masked" : "null");
  };
  if (isSeparate(form)) {
    const valid = piece.valueValidity.map((bits) =>
      readBits(setup, bits, inBatch(from), to - from),
    );
    if (valid.some((bits) => bits))
      for (let row = from; row < to; row++)
        valid.forEach((bits, k) => {
          if (bits && !bits(row - from)) setNull(row, k);
        });
  } else if (piece.valueValidity[0]) {
    const spans =
      form === "fixed-size-list"
        ? [{ from, to, first: inBatch(from) * perRow }]
        : runs;
    for (const run of spans) {
      const count = (run.to - run.from) * perRow;
      const valid = readBits(setup, piece.valueValidity[0], run.first, count);
      for (let n = 0; valid && n < count; n++)
        if (!valid(n)) setNull(run.from + Math.floor(n / perRow), n % perRow);
    }
  }
  if (validRow)
    for (let row = from; row < to; row++)
      if (isNullRow(row)) for (let k = 0; k < perRow; k++) put(row, k, "null");
}

/** Writes into the values as the kernel reads them: float32 for logits of that type, else float64. */
function valuesOf(
  { buffer }: WorkerSetup,
  { type, holds }: SourceSetup,
  address: number,
): (k: number, value: "null" | "masked") => void {
  if (type === "float32" && holds === "logits") {
    const bits = new Int32Array(buffer);
    return (k, value) => {
      bits[address / 4 + k] = value === "null" ? NULL_BITS_32 : -0x800000;
    };
  }
  const bits = new BigInt64Array(buffer);
  return (k, value) => {
    bits[address / 8 + k] =
      value === "null" ? NULL_BITS_64 : BigInt.asIntN(64, 0xfff0000000000000n);
  };
}
