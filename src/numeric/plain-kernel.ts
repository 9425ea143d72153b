import { storeTile } from "./jacobian.js";
import type { Kernel } from "./kernel.js";
import { softmaxRow } from "./softmax.js";
import { workAreaAt } from "./work-area.js";

/** The reference kernel on `buffer`: the SIMD kernel's judge in tests, and its stand-in where it cannot run. */
export function plainKernel(buffer: ArrayBufferLike): Kernel {
  const floats = (address: number, length: number, float32: boolean) =>
    float32
      ? new Float32Array(buffer, address, length)
      : new Float64Array(buffer, address, length);

  const loadRow: Kernel["loadRow"] = (source, float32, classes, work) =>
    softmaxRow(
      floats(source, classes, float32),
      workAreaAt(buffer, work, classes),
    )
      ? 1
      : 0;

  const storeSoftmax = (
    work: number,
    classes: number,
    out: number,
    float32: boolean,
  ) =>
    floats(out, classes, float32).set(
      workAreaAt(buffer, work, classes).p.subarray(0, classes),
    );

  const storeRows = (
    work: number,
    classes: number,
    iStart: number,
    iEnd: number,
    out: number,
    float32: boolean,
  ) =>
    storeTile(
      workAreaAt(buffer, work, classes),
      classes,
      iStart,
      iEnd,
      floats(out, (iEnd - iStart) * classes, float32),
    );

  return {
    loadRow,
    storeSoftmax64: (work, classes, out) =>
      storeSoftmax(work, classes, out, false),
    storeSoftmax32: (work, classes, out) =>
      storeSoftmax(work, classes, out, true),
    storeTile64: (work, classes, iStart, iEnd, out) =>
      storeRows(work, classes, iStart, iEnd, out, false),
    storeTile32: (work, classes, iStart, iEnd, out) =>
      storeRows(work, classes, iStart, iEnd, out, true),

    storeBlocks(
      source,
      sourceFloat32,
      rows,
      classes,
      work,
      softmaxOut,
      jacobianOut,
      outFloat32,
      badRows,
    ) {
      const bad = new Int32Array(buffer, badRows, rows);
      const sourceBytes = classes * (sourceFloat32 ? 4 : 8);
      const softmaxBytes = classes * (outFloat32 ? 4 : 8);
      let count = 0;
      for (let r = 0; r < rows; r++) {
        if (!loadRow(source + r * sourceBytes, sourceFloat32, classes, work))
          bad[count++] = r;
        storeSoftmax(work, classes, softmaxOut + r * softmaxBytes, outFloat32);
        if (jacobianOut !== 0)
          storeRows(
            work,
            classes,
            0,
            classes,
            jacobianOut + r * softmaxBytes * classes,
            outFloat32,
          );
      }
      return count;
    },

    interleave(columns, rows, classes, bytes, out) {
      const words = bytes / 4;
      const from = new Int32Array(buffer, columns, rows * classes * words);
      const to = new Int32Array(buffer, out, rows * classes * words);
      for (let r = 0; r < rows; r++) {
        for (let k = 0; k < classes; k++) {
          for (let w = 0; w < words; w++)
            to[(r * classes + k) * words + w] = from[
              (k * rows + r) * words + w
            ] as number;
        }
      }
    },

    storeRowNumbers(first, rows, out) {
      const numbers = new BigInt64Array(buffer, out, rows);
      for (let r = 0; r < rows; r++) numbers[r] = BigInt(first + r);
    },
  };
}
