import { AbortedError } from "../errors.js";
import { InputRows } from "../input/input-rows.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { RunHooks } from "../run.js";

/** What the logits of a file are, every one looked at. */
export interface ValueScan {
  /** Of the finite logits; null where there is none. */
  least: number | null;
  largest: number | null;
  /** Logits that are -inf in rows that have a softmax. */
  maskedLogits: number;
  /** Rows without a softmax: NaN, +inf, null, or nothing but -inf. */
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
  #least = Number.POSITIVE_INFINITY;
  #largest = Number.NEGATIVE_INFINITY;
  #maskedLogits = 0;
  #badRows = 0;
  #firstBadRow: number | null = null;

  get result(): ValueScan {
    const none = this.#least > this.#largest;
    return {
      least: none ? null : this.#least,
      largest: none ? null : this.#largest,
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
        if (value < this.#least) this.#least = value;
        if (value > this.#largest) this.#largest = value;
      }
    }
    if (bad || masked === values.length) {
      this.#badRows++;
      this.#firstBadRow ??= row;
    } else this.#maskedLogits += masked;
  }
}
