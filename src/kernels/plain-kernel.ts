import type { Kernel } from "./kernel.js";
import { JACOBIAN, needsLog, SOFTMAX } from "./portable/codes.js";
import { storeExpTable } from "./portable/exp-table.js";
import { storeLog } from "./portable/log.js";
import { enter, loadF64, storeValue } from "./portable/machine.js";
import {
  ENTRY_BYTES,
  entryBytes,
  entryCode,
  entryFloat32,
  entryInput,
  entryOut,
  entryParam,
} from "./portable/program.js";
import { storePortableResult } from "./portable/results.js";
import { countEntries, storeEntries } from "./portable/sparse.js";
import { diagonalAt, storeSoftmax } from "./portable/vectors.js";
import {
  EXP_TABLE,
  pAt,
  storeTemperature,
  TEMPERATURE,
} from "./portable/work.js";
import { softmaxRow } from "./softmax.js";

/** Returns the reference kernel on `buffer`, which checks the SIMD kernel in tests and replaces it where it cannot run. */
export function plainKernel(buffer: ArrayBufferLike): Kernel {
  const store: Kernel["storeResult"] = (...result) => {
    const [code, work, classes, iStart, iEnd, , , out, float32] = result;
    if (code === SOFTMAX) storeSoftmax(work, classes, out, float32);
    else if (code === JACOBIAN)
      storeTile(work, classes, iStart, iEnd, out, float32);
    else return storePortableResult(...result) ? 1 : 0;
    return 1;
  };

  return {
    prepare(work) {
      enter(buffer);
      storeExpTable(work + EXP_TABLE);
    },

    loadRow(source, float32, classes, temperature, work) {
      enter(buffer);
      storeTemperature(work, temperature);
      if (!softmaxRow(source, float32, classes, work)) return 0;
      storeLog(work);
      return 1;
    },

    storeResult(...entry) {
      enter(buffer);
      return store(...entry);
    },

    storeRows(
      source,
      sourceFloat32,
      rows,
      classes,
      temperature,
      work,
      program,
      results,
      badRows,
    ) {
      enter(buffer);
      storeTemperature(work, temperature);
      const bad = new Int32Array(buffer, badRows, rows);
      const sourceBytes = classes * (sourceFloat32 ? 4 : 8);
      const entries = Array.from(
        { length: results },
        (_, n) => program + n * ENTRY_BYTES,
      );
      const log = entries.some((entry) => needsLog(entryCode(entry)));
      let count = 0;
      for (let r = 0; r < rows; r++) {
        const row = source + r * sourceBytes;
        const good = softmaxRow(row, sourceFloat32, classes, work);
        if (good && log) storeLog(work);
        const done =
          good &&
          entries.every((entry) =>
            store(
              entryCode(entry),
              work,
              classes,
              0,
              classes,
              entryInput(entry, r),
              entryParam(entry),
              entryOut(entry, r),
              entryFloat32(entry),
            ),
          );
        if (done) continue;
        bad[count++] = r;
        for (const entry of entries)
          new Uint8Array(buffer, entryOut(entry, r), entryBytes(entry)).fill(0);
      }
      return count;
    },

    countEntries(...block) {
      enter(buffer);
      return countEntries(...block);
    },

    storeEntries(...rows) {
      enter(buffer);
      return storeEntries(...rows);
    },

    widen(source, count, out) {
      new Float64Array(buffer, out, count).set(
        new Float32Array(buffer, source, count),
      );
    },

    interleave(columns, rows, classes, bytes, out) {
      const words = bytes === 8 ? 2 : 1;
      const Words =
        bytes === 1 ? Int8Array : bytes === 2 ? Int16Array : Int32Array;
      const from = new Words(
        buffer as ArrayBuffer,
        columns,
        rows * classes * words,
      );
      const to = new Words(buffer as ArrayBuffer, out, rows * classes * words);
      for (let r = 0; r < rows; r++) {
        for (let k = 0; k < classes; k++) {
          for (let w = 0; w < words; w++)
            to[(r * classes + k) * words + w] = from[
              (k * rows + r) * words + w
            ] as number;
        }
      }
    },

    repeat(out, from, bytes, count) {
      if (bytes === 4)
        new Int32Array(buffer, out, count).fill(
          new Int32Array(buffer, from, 1)[0] as number,
        );
      else
        new BigInt64Array(buffer, out, count).fill(
          new BigInt64Array(buffer, from, 1)[0] as bigint,
        );
    },

    storeRowNumbers(first, rows, out) {
      const numbers = new BigInt64Array(buffer, out, rows);
      for (let r = 0; r < rows; r++) numbers[r] = BigInt(first + r);
    },
  };
}

/**
 * Writes rows [iStart, iEnd) of the block J = (diag(p) - p pᵀ)/T to `out`, row-major `[iEnd - iStart, classes]`; float32
 * rounds each entry once.
 *
 * J[i,j] = -p_i p_j; J[k,k] = p_k (1 - p_k) for k != argmax, where p_k <= 1/2 and nothing cancels;
 * J[a,a] = p_a·(tail/S), since 1 - p_a = tail/S. With p within 1.2 ε each entry is within 3 ε.
 */
function storeTile(
  work: number,
  classes: number,
  iStart: number,
  iEnd: number,
  out: number,
  float32: boolean,
): void {
  const temperature = loadF64(work + TEMPERATURE);
  let at = 0;
  for (let i = iStart; i < iEnd; i++) {
    const pi = pAt(work, i);
    for (let j = 0; j < classes; j++) {
      const entry = i === j ? diagonalAt(work, i) : 0 - pi * pAt(work, j);
      storeValue(out, at++, entry / temperature, float32);
    }
  }
}
