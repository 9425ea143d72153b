import { AbortedError } from "../errors.js";
import { InputRows } from "../input/input-rows.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { RunHooks } from "../run.js";

/** Summary of all logits of a file. */
export interface ValueScan {
  /** Smallest and largest finite logit; null if there is none. */
  min: number | null;
  max: number | null;
  /** Number of logits that are -inf in rows with a softmax. */
  maskedLogits: number;
  /** Number of rows without a softmax (NaN, +inf, null, all -inf), and the first of them. */
  badRows: number;
  firstBadRow: number | null;
}

/** Logits that are held at once, unless one row has more. */
const HELD_VALUES = 1 << 20;

/** Reads every row. @throws InputFormatError, RaggedRowError, IoError, AbortedError */
export async function scanValues(
  logits: LogitsFile,
  { signal, onProgress }: RunHooks,
): Promise<ValueScan> {
  const scan = new Scan();
  const input = new InputRows(logits);
  const chunkRows = Math.max(1, Math.floor(HELD_VALUES / logits.classes));
  for (let start = 0; start < logits.rows; start += chunkRows) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    const end = Math.min(start + chunkRows, logits.rows);
    await input.load(start, end);
    for (let row = start; row < end; row++) scan.add(row, input.values(row, 0));
    onProgress?.(end, logits.rows);
  }
  return scan.result;
}

class Scan {
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #maskedLogits = 0;
  #badRows = 0;
  #firstBadRow: number | null = null;

  get result(): ValueScan {
    const none = this.#min > this.#max;
    return {
      min: none ? null : this.#min,
      max: none ? null : this.#max,
      maskedLogits: this.#maskedLogits,
      badRows: this.#badRows,
      firstBadRow: this.#firstBadRow,
    };
  }

  add(row: number, values: Float64Array): void {
    let masked = 0;
    let bad = false;
    for (const value of values) {
      if (value === Number.NEGATIVE_INFINITY) masked++;
      else if (value - value !== 0) bad = true;
      else {
        if (value < this.#min) this.#min = value;
        if (value > this.#max) this.#max = value;
      }
    }
    if (bad || masked === values.length) {
      this.#badRows++;
      this.#firstBadRow ??= row;
    } else this.#maskedLogits += masked;
  }
}
