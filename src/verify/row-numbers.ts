import type { ByteSource } from "../reader/byte-source.js";
import type { FileBatch } from "../reader/file-batches.js";
import type { Findings } from "../reader/findings.js";
import { nameOfKey } from "../results/row-axes.js";
import type { RowKeys } from "./row-keys.js";

/** Rows of the input of consecutive table rows; NaN for one that cannot be where it stands. */
export class RowNumbers {
  readonly #source: ByteSource;
  readonly #batches: readonly FileBatch[];
  readonly #keys: RowKeys;
  /** Keys of rows are below this. */
  readonly #rows: number;
  /** Least step from one to the next: 0 where a row has several table rows. */
  readonly #step: 0 | 1;
  readonly #findings: Findings;
  #before = -1;

  constructor(
    source: ByteSource,
    batches: readonly FileBatch[],
    options: {
      keys: RowKeys;
      rows: number;
      strict: boolean;
      findings: Findings;
    },
  ) {
    this.#source = source;
    this.#batches = batches;
    const { keys, rows } = options;
    this.#keys = keys;
    this.#rows = rows === 0 ? 0 : keys.key(rows - 1) + 1;
    this.#step = options.strict ? 1 : 0;
    this.#findings = options.findings;
  }

  /**
   * Those of table rows `[start, end)` of a batch, which come after all that were read before. Of two numbers that do not
   * ascend the one is wrong that does not fit between its neighbours.
   */
  async read(batch: number, start: number, end: number): Promise<Float64Array> {
    const { row, count, start: before } = this.#batches[batch] as FileBatch;
    const more = Math.min(end + 1, count);
    const found = await row.numbers(this.#source, start, more);
    const next = more > end ? undefined : await this.#firstOf(batch + 1);
    const numbers = new Float64Array(end - start);
    const { inner } = this.#keys;
    for (let n = 0; n < numbers.length; n++) {
      const number = found[n] as number;
      const least = this.#before < 0 ? 0 : this.#before + this.#step;
      const after = found[n + 1] ?? next ?? this.#rows;
      const most =
        after >= least && after < this.#rows
          ? after - this.#step
          : this.#rows - 1;
      if (number >= least && number <= most) {
        this.#before = number;
        numbers[n] = this.#keys.row(number);
        if (!Number.isNaN(numbers[n])) continue;
        this.#findings.add(
          `table row ${before + start + n}: the input has no ${nameOfKey(inner, number)}`,
        );
        continue;
      }
      numbers[n] = Number.NaN;
      const name = (key: number) =>
        inner.length === 0 ? String(key) : nameOfKey(inner, key);
      this.#findings.add(
        `table row ${before + start + n}: expected ${inner.length === 0 ? "a row number" : "an index"} from ${name(least)} to ${name(Math.max(least, most))}, found ${number < 0 && inner.length > 0 ? "a position outside of its axis" : name(number)}`,
      );
    }
    return numbers;
  }

  async #firstOf(batch: number): Promise<number | undefined> {
    const { row } = this.#batches[batch] ?? {};
    return row && (await row.numbers(this.#source, 0, 1))[0];
  }
}
