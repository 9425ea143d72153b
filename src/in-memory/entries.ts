import { EntriesChunk } from "../../workers/entries-chunk.js";
import { UsageError } from "../errors.js";
import type { CheckedOption } from "../options/check-options.js";
import { EMITS } from "../results/catalogue.js";
import { layoutEntriesSlot } from "../tasks/slot-layout.js";
import {
  arrayAt,
  type FloatArray,
  fillRows,
  openRows,
  rejectRow,
  sourcesOf,
} from "./compute-rows.js";
import {
  checkArguments,
  IN_MEMORY_OPTIONS,
  type InMemoryOptions,
} from "./results.js";

/** Options of `softmaxJacobianEntries`. */
export interface EntriesOptions extends InMemoryOptions {
  /** Minimum |value|, as stored, of the returned entries; default: 0, which drops only zeros. */
  threshold?: number;
  /** Maximum number of entries per block: the largest by |value|, in case of ties the first; default: all. */
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

const OPTIONS: readonly CheckedOption[] = [
  ...IN_MEMORY_OPTIONS,
  { name: "threshold", kind: "number", range: [0, Number.MAX_VALUE] },
  { name: "topK", kind: "integer", range: [1, Number.MAX_SAFE_INTEGER] },
  { name: "of", kind: "string", choices: ["jacobian", "log_jacobian"] },
];

/** Offsets are int32. */
const MAX_ENTRIES = 2 ** 31 - 1;
/** Number of entries that are stored at once, unless one row of a block has more. */
const TILE_ENTRIES = 1 << 16;

const ADVICE = 'onBadRow: "nan" leaves the row without entries';

/**
 * Computes the entries of each row's Jacobian block whose absolute value is at least `threshold`, at most the `topK`
 * largest of them. The time per row is proportional to Q log Q plus the number of entries returned. Entries are not
 * rescaled. With `onBadRow: "nan"`, a bad row has no entries, and NaN in `droppedMax` and `droppedSum`.
 *
 * @param logits `[rows, classes]`, row-major; -inf masks a class (without entries in the Jacobian of softmax). Not changed.
 * @returns compressed sparse rows; every value is within one ulp in float64
 * @throws UsageError for invalid sizes or options, or more than 2^31 - 1 entries; BadRowError
 */
export function softmaxJacobianEntries(
  logits: FloatArray,
  options: EntriesOptions,
): JacobianEntries {
  checkArguments(logits, options, OPTIONS);
  const { rows, classes, temperature = 1, threshold = 0, topK } = options;
  const { onBadRow = "error", of: emit = "jacobian" } = options;
  if (classes * classes > MAX_ENTRIES)
    throw new UsageError(
      `classes: expected at most ${Math.floor(Math.sqrt(MAX_ENTRIES))}, found ${classes}`,
    );
  const float32 = logits instanceof Float32Array;
  const capacity = Math.max(classes, Math.min(classes ** 2, TILE_ENTRIES));
  const sources = sourcesOf({ logits, classes, inputs: [] });
  const slot = layoutEntriesSlot({
    ...{ loadRows: 1, rowBlockSize: 1, tileRows: classes, classes },
    ...{ slotEntries: capacity, width: float32 ? 4 : 8 },
    ...{ coo: false, repeated: [], sources, results: [] },
  });
  const context = { classes, temperature, slot, sources, results: [] };
  const slotRows = openRows(context);
  const entriesSetup = {
    ...{ ...slot.entries, code: EMITS[emit].code, capacity },
    ...{ threshold, topK: topK ?? 0, float32, pairs: false, examples: [] },
  };
  const chunk = new EntriesChunk(slotRows, entriesSetup, 1);
  const { buffer } = slotRows.context;

  const type = float32 ? "float32" : "float64";
  const indices: Int32Array[] = [];
  const values: FloatArray[] = [];
  const offsets = new Int32Array(rows + 1);
  const droppedMax = new Float64Array(rows);
  const droppedSum = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    fillRows(slotRows, 0, logits, r, 1);
    const count = chunk.begin(0);
    if (count === null) rejectRow(slotRows, 0, r, onBadRow, ADVICE);
    const entries = (offsets[r] as number) + (count ?? 0);
    if (entries > MAX_ENTRIES)
      throw new UsageError(
        `threshold: the entries up to row ${r} exceed ${MAX_ENTRIES}, the maximum of one array; use a higher threshold or topK`,
      );
    // The kernel's memory holds one tile of rows at a time.
    for (let i = 0; i < classes; chunk.used = 0) {
      i = chunk.storeFrom(0, i);
      indices.push(
        new Int32Array(buffer, entriesSetup.indices, chunk.used).slice(),
      );
      const tile = arrayAt(buffer, type, entriesSetup.values, chunk.used);
      values.push(tile.slice() as FloatArray);
    }
    offsets[r + 1] = entries;
    const isBad = count === null;
    droppedMax[r] = isBad ? Number.NaN : (chunk.droppedMax[0] as number);
    droppedSum[r] = isBad ? Number.NaN : (chunk.droppedSum[0] as number);
  }
  const total = offsets[rows] as number;
  return {
    offsets,
    indices: concatenate(indices, new Int32Array(total)),
    values: concatenate<FloatArray>(
      values,
      float32 ? new Float32Array(total) : new Float64Array(total),
    ),
    droppedMax,
    droppedSum,
  };
}

function concatenate<T extends FloatArray | Int32Array>(
  arrays: T[],
  target: T,
): T {
  let offset = 0;
  for (const array of arrays) {
    target.set(array, offset);
    offset += array.length;
  }
  return target;
}
