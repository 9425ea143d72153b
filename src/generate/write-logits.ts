import { AbortedError } from "../errors.js";
import { writeFully } from "../io/positional.js";
import {
  batchMetadata,
  headPiece,
  type JacobianFileLayout,
  tailPiece,
} from "../output/jacobian-file.js";
import type { PendingOutput } from "../output/output-target.js";
import type { RunHooks } from "../run.js";
import { storeLabels } from "./labels.js";
import { storeLogits } from "./logits-kinds.js";
import type { ResolvedGenerateOptions } from "./options.js";
import type { GenerateProgress } from "./report.js";

/** Logits made and written at once: all the memory that it takes. */
const CHUNK_BYTES = 1 << 20;

/**
 * Writes every byte of the file, a chunk of rows at a time; between chunks signals and progress have their turn. What a
 * row holds depends on seed and row alone, so chunks and batches change no value.
 * @throws AbortedError; what writing throws
 */
export async function writeLogits(
  options: ResolvedGenerateOptions,
  layout: JacobianFileLayout,
  output: PendingOutput,
  progress: GenerateProgress,
  { signal, onProgress }: RunHooks,
): Promise<void> {
  const chunkRows = Math.max(
    1,
    Math.floor(CHUNK_BYTES / (8 * options.classes)),
  );
  const chunk = chunkOf(options, Math.min(chunkRows, options.rows));
  for (const placed of layout.batches) {
    const { bodyStart, shape, layout: places } = placed;
    for (let start = 0; start < shape.rows; start += chunkRows) {
      if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
      const rows = Math.min(chunkRows, shape.rows - start);
      fill(chunk, options, progress.rowsDone, rows);
      const columns = [
        { values: chunk.ids, start: places.row },
        { values: chunk.logits, start: places.results[0]?.values ?? 0 },
        { values: chunk.labels, start: places.results[1]?.values ?? 0 },
      ];
      for (const { values, start: column } of columns) {
        const rowBytes = values.byteLength / chunk.rows;
        const bytes = new Uint8Array(values.buffer, 0, rows * rowBytes);
        writeFully(output.fd, bytes, bodyStart + column + start * rowBytes);
        output.wrote(bytes.byteLength);
      }
      progress.rowsDone += rows;
      onProgress?.(progress.rowsDone, options.rows);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { offset, bytes } = batchMetadata(placed, [], 0);
    writeFully(output.fd, bytes, offset);
  }
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  for (const { offset, bytes } of [headPiece(layout), tailPiece(layout)])
    writeFully(output.fd, bytes, offset);
}

interface Chunk {
  rows: number;
  ids: BigInt64Array;
  logits: Float64Array | Float32Array;
  labels: Int32Array;
  /** One row in float64, before it is rounded. */
  row: Float64Array;
}

function chunkOf(
  { classes, dtype }: ResolvedGenerateOptions,
  rows: number,
): Chunk {
  const Floats = dtype === "float32" ? Float32Array : Float64Array;
  return {
    rows,
    ids: new BigInt64Array(rows),
    logits: new Floats(rows * classes),
    labels: new Int32Array(rows),
    row: new Float64Array(classes),
  };
}

function fill(
  { ids, logits, labels, row }: Chunk,
  { classes, kind, scale, seed }: ResolvedGenerateOptions,
  firstRow: number,
  rows: number,
): void {
  for (let r = 0; r < rows; r++) {
    ids[r] = BigInt(firstRow + r);
    storeLogits(row, kind, scale, seed, firstRow + r);
    logits.set(row, r * classes);
  }
  storeLabels(
    labels.subarray(0, rows),
    logits.subarray(0, rows * classes),
    classes,
    seed,
    firstRow,
  );
}
