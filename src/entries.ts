import { checkObject } from "./check-options.js";
import { BadRowError, UsageError } from "./errors.js";
import { checkArguments, type InMemoryOptions } from "./in-memory.js";
import { describeBadRow } from "./numeric/bad-row.js";
import { endOfTile } from "./numeric/entry-tiles.js";
import {
  rowCountAt,
  sparseSpaceBytes,
} from "./numeric/portable/sparse-space.js";
import { workAreaBytes } from "./numeric/portable/work.js";
import { shortValue } from "./printable.js";
import { EMITS } from "./results/catalogue.js";
import { type FloatArray, memoryFor } from "./strides.js";

/** Options of `softmaxJacobianEntries`. */
export interface EntriesOptions extends InMemoryOptions {
  /** Threshold: entries with a smaller |value|, as stored, are dropped; default: 0, which drops only zeros. */
  threshold?: number;
  /** Maximum number of entries per block: the largest by |value|, the first ones if equal; default: all. */
  topK?: number;
  /** Function whose block is computed: softmax (`jacobian`, default) or log-softmax (`log_jacobian`, (δ_ij - p_i)/T). */
  of?: "jacobian" | "log_jacobian";
}

/** Entries of Jacobian blocks as compressed sparse rows: a sparse row per row of logits, with column i·Q + j for entry (i, j). */
export interface JacobianEntries {
  /** Offsets, `[rows + 1]`: row r has the entries from offsets[r] up to, not including, offsets[r + 1]. */
  offsets: Int32Array;
  /** Column indices i·Q + j, ascending in each row. */
  indices: Int32Array;
  /** Values of the entries, of the type of the logits. */
  values: FloatArray;
  /** Largest |entry| that was dropped from each block, and the sum of all dropped |entries|, `[rows]` each. */
  droppedMax: Float64Array;
  droppedSum: Float64Array;
}

/** Offsets are int32. */
const MAX_ENTRIES = 2 ** 31 - 1;
/** Of a block this many are stored at once, or a row of it. */
const TILE_ENTRIES = 1 << 16;

/**
 * Computes the entries of each row's Jacobian block whose absolute value is at least `threshold`, and of these at most the
 * `topK` largest. The time per row is proportional to Q log Q plus the number of entries returned. The returned entries are not
 * rescaled. With `onBadRow: "nan"`, a bad row has no entries, and NaN in `droppedMax` and `droppedSum`.
 *
 * @param logits `[rows, classes]`, row-major; -inf masks a class (it has no entries). Not changed.
 * @returns compressed sparse rows; every value is within 3 ε (ε = 2^-52) in float64
 * @throws UsageError for invalid sizes or options, or more than 2^31 - 1 entries; BadRowError
 */
export function softmaxJacobianEntries(
  logits: FloatArray,
  options: EntriesOptions,
): JacobianEntries {
  checkObject("options", options);
  const { rows, classes, temperature = 1, threshold = 0, topK } = options;
  const onBadRow = options.onBadRow ?? "error";
  const of = options.of ?? "jacobian";
  checkArguments(logits, options, temperature, onBadRow);
  checkLimits(classes, threshold, topK);
  if (of !== "jacobian" && of !== "log_jacobian")
    throw new UsageError(
      `of: expected jacobian or log_jacobian, found ${shortValue(of)}`,
      "of",
    );
  const float32 = logits instanceof Float32Array;
  const width = float32 ? 4 : 8;
  const capacity = Math.max(classes, Math.min(classes ** 2, TILE_ENTRIES));

  let end = 0;
  const region = (bytes: number) => {
    const start = end;
    end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  };
  const work = region(workAreaBytes(classes));
  const space = region(sparseSpaceBytes(classes));
  const dropped = region(16);
  const source = region(classes * width);
  const indices = region(4 * capacity);
  const values = region(width * capacity);
  const { kernel, buffer } = memoryFor(end);
  kernel.prepare(work);

  const found = { indices: new Parts(), values: new Parts() };
  const offsets = new Int32Array(rows + 1);
  const droppedMax = new Float64Array(rows);
  const droppedSum = new Float64Array(rows);
  const [out, row] = [
    new Float64Array(buffer, dropped, 2),
    floats(buffer, source, classes, float32),
  ];
  const rowCounts = new Int32Array(
    buffer,
    rowCountAt(space, classes, 0),
    classes,
  );
  /** Stores the row's entries, tile by tile, and copies each tile out of the kernel's memory. */
  const store = () => {
    let count = 0;
    for (let i = 0, end = 0; i < classes; i = end) {
      end = endOfTile(rowCounts, i, capacity);
      const stored = kernel.storeEntries(
        work,
        classes,
        space,
        i,
        end,
        indices,
        0,
        values,
        float32,
      );
      found.indices.add(new Int32Array(buffer, indices, stored));
      found.values.add(floats(buffer, values, stored, float32));
      count += stored;
    }
    return count;
  };
  for (let r = 0; r < rows; r++) {
    row.set(logits.subarray(r * classes, (r + 1) * classes));
    let count = 0;
    if (kernel.loadRow(source, float32, classes, temperature, work)) {
      const entries = kernel.countEntries(
        EMITS[of].code,
        work,
        classes,
        space,
        threshold,
        topK ?? 0,
        float32,
        dropped,
      );
      if (entries > 0) count = store();
    } else {
      refuse(logits, r, classes, onBadRow);
      out.fill(Number.NaN);
    }
    const entries = (offsets[r] as number) + count;
    if (entries > MAX_ENTRIES)
      throw new UsageError(
        `threshold: the entries up to row ${r} exceed ${MAX_ENTRIES}, the maximum of one array; use a higher threshold or topK`,
        "threshold",
      );
    offsets[r + 1] = entries;
    droppedMax[r] = out[0] as number;
    droppedSum[r] = out[1] as number;
  }
  const total = offsets[rows] as number;
  return {
    offsets,
    indices: found.indices.into(new Int32Array(total)),
    values: found.values.into(
      float32 ? new Float32Array(total) : new Float64Array(total),
    ),
    droppedMax,
    droppedSum,
  };
}

function checkLimits(
  classes: number,
  threshold: unknown,
  topK: number | undefined,
): void {
  if (classes * classes > MAX_ENTRIES)
    throw new UsageError(
      `classes: expected at most ${Math.floor(Math.sqrt(MAX_ENTRIES))}, found ${classes}`,
      "classes",
    );
  if (!(typeof threshold === "number" && threshold >= 0))
    throw new UsageError(
      `threshold: expected a number from 0, found ${shortValue(threshold)}`,
      "threshold",
    );
  if (topK !== undefined && !(Number.isSafeInteger(topK) && topK >= 1))
    throw new UsageError(
      `topK: expected a whole number from 1, found ${shortValue(topK)}`,
      "topK",
    );
}

function refuse(
  logits: FloatArray,
  row: number,
  classes: number,
  onBadRow: "error" | "nan",
): void {
  const values = logits.subarray(row * classes, (row + 1) * classes);
  const reason = describeBadRow(values);
  if (onBadRow === "error" && reason)
    throw new BadRowError(
      "logits",
      row,
      reason,
      'onBadRow: "nan" leaves the row without entries',
    );
}

function floats(
  buffer: ArrayBufferLike,
  address: number,
  length: number,
  float32: boolean,
): FloatArray {
  return float32
    ? new Float32Array(buffer, address, length)
    : new Float64Array(buffer, address, length);
}

/** Copies of pieces, joined at the end. */
class Parts {
  readonly #parts: (FloatArray | Int32Array)[] = [];

  add(part: FloatArray | Int32Array): void {
    this.#parts.push(part.slice());
  }

  into<T extends FloatArray | Int32Array>(target: T): T {
    let at = 0;
    for (const part of this.#parts) {
      target.set(part, at);
      at += part.length;
    }
    return target;
  }
}
