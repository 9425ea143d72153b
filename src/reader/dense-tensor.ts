import { UsageError } from "../errors.js";
import { MAX_DENSE_BYTES } from "../results/dense-limit.js";
import { keyOfIndex } from "../results/row-axes.js";
import { type FloatArray, newFloats } from "./float-array.js";
import type { JacobianReader } from "./jacobian-reader.js";

/** All blocks of a file in their places in the (M,Q,M,Q) tensor. @throws UsageError for one that is too large */
export async function denseTensor(
  reader: JacobianReader,
  force: boolean,
): Promise<FloatArray> {
  const { rows, classes, dtype, layout, positionLengths: inner } = reader;
  const values = (rows * classes) ** 2;
  const bytes = values * (dtype === "float32" ? 4 : 8);
  if (bytes > MAX_DENSE_BYTES && !force)
    throw new UsageError(
      `force: expected a dense tensor of at most ${MAX_DENSE_BYTES} bytes, found ${rows} x ${classes} x ${rows} x ${classes}: ${bytes} bytes; read its diagonal blocks one by one, or use force`,
      "force",
    );
  const tensor = newFloats(dtype, values);
  const place = (row: number, block: FloatArray | null) => {
    for (let i = 0; i < classes; i++) {
      const at = ((row * classes + i) * rows + row) * classes;
      if (block) tensor.set(block.subarray(i * classes, (i + 1) * classes), at);
      else tensor.fill(Number.NaN, at, at + classes);
    }
  };
  let next = 0;
  const leftOut = (end: number) => {
    for (; next < end; next++) if (layout !== "coo") place(next, null);
  };
  for await (const batch of reader)
    for (let k = 0; k < batch.count; k++) {
      const index = [batch.rows, ...batch.positions].map(
        (axis) => axis[k] ?? 0,
      );
      const row = keyOfIndex(inner, index);
      leftOut(row);
      place(row, await batch.block(k));
      next = row + 1;
    }
  leftOut(rows);
  return tensor;
}
