import type { Kernel } from "./kernel.js";
import { needsLog, SOFTMAX } from "./portable/codes.js";
import { storeExpTable } from "./portable/exp-table.js";
import { storeLog } from "./portable/log.js";
import { enter } from "./portable/machine.js";
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
import { storeSoftmax } from "./portable/vectors.js";
import { EXP_TABLE, storeTemperature } from "./portable/work.js";
import { softmaxRow } from "./softmax.js";

/** Returns the reference kernel on `buffer`, which checks the SIMD kernel in tests and replaces it where it cannot run. */
export function plainKernel(buffer: ArrayBufferLike): Kernel {
  const store: Kernel["storeResult"] = (...result) => {
    const [code, work, classes, , , , , out, float32] = result;
    if (code !== SOFTMAX) return storePortableResult(...result) ? 1 : 0;
    storeSoftmax(work, classes, out, float32);
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
