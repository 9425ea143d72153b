import { arrowTypeOf, plainField } from "../arrow/field.js";
import { AbortedError, UsageError } from "../errors.js";
import { writeFully } from "../io/positional.js";
import { type CallReport, withCallReport } from "../io/report-clock.js";
import { ioError } from "../io/system-error.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import type { OptionsOf, Resolved } from "../options/options-table.js";
import { openPending } from "../output/commit.js";
import {
  batchMetadata,
  type JacobianFileHeadSpec,
  type JacobianFileLayout,
  layoutJacobianFile,
} from "../output/jacobian-file.js";
import type { PendingOutput } from "../output/output-target.js";
import { ARROW, checkOutput } from "../output/written-files.js";
import { VERSION } from "../version.js";
import { storeLabels, storeLogits } from "./draws.js";

/** Options of `generate`. Only `output`, `rows` and `classes` are required. */
export interface GenerateOptions extends OptionsOf<"generate"> {}

type ResolvedGenerateOptions = Resolved<"generate">;

/** Report of `generate`: its return value, or `report` of its error. */
export interface GenerateReport
  extends CallReport,
    Omit<ResolvedGenerateOptions, "scale" | "force" | "sync"> {
  /** Standard deviation for kind normal; otherwise null. */
  scale: number | null;
  /** Number of rows written. */
  rowsDone: number;
  outputBytes: number;
  recordBatches: number;
}

/**
 * Writes an Arrow IPC file of random logits with the columns `id: int64` (from 0),
 * `logits: fixed_size_list<float>[classes]` and `label: int32` (drawn from the softmax of the row). The same options give the
 * same bytes on every machine. Memory does not depend on the size of the file, which appears only once it is complete.
 *
 * @returns the report
 * @throws SoftjacError with the report in `report`
 */
export async function generate(
  options: GenerateOptions,
  hooks: RunHooks = {},
): Promise<GenerateReport> {
  checkHooks(hooks);
  const resolved = resolveGenerateOptions(options);
  const { output: path, force, sync, ...fields } = resolved;
  const scale = fields.kind === "normal" ? fields.scale : null;
  const none = { rowsDone: 0, outputBytes: 0, recordBatches: 0 };
  return withCallReport<GenerateReport>(
    { output: path, ...fields, scale, ...none },
    ({ rowsDone }) => rowsDone,
    async (report) => {
      checkOutput({ path, force, format: ARROW, inputs: [] });
      checkStopped(hooks);
      const layout = layoutLogitsFile(resolved);
      report.outputBytes = layout.bytes;
      report.recordBatches = layout.batches.length;
      const output = await openPending(path, layout.bytes, { force, sync });
      try {
        await writeLogits(resolved, layout, output, report, hooks);
        await output.commit();
      } catch (error) {
        await output.discard();
        throw ioError(path, "could not be written", error);
      }
    },
  );
}

/** @throws UsageError */
function resolveGenerateOptions(
  options: GenerateOptions,
): ResolvedGenerateOptions {
  const resolved = resolve("generate", options);
  if (options.scale !== undefined && resolved.kind !== "normal")
    throw new UsageError(
      `scale: only kind normal has a scale, found kind ${resolved.kind}`,
    );
  return resolved;
}

function checkStopped({ signal }: RunHooks): void {
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
}

/** Target size of record batches, which have at least one row. */
const BATCH_BYTES = 32 << 20;

/** Maximum file size; the footer of a larger file would fill memory. */
const MAX_BYTES = 2 ** 42;

/** Returns the byte layout of the file. @throws UsageError for more than 4 TiB */
function layoutLogitsFile(
  options: ResolvedGenerateOptions,
): JacobianFileLayout {
  const { kind, scale, seed, rows, classes, dtype } = options;
  const width = dtype === "float32" ? 4 : 8;
  const rowBytes = 8 + classes * width + 4;
  if (rows * rowBytes > MAX_BYTES)
    throw new UsageError(
      `rows, classes: expected at most ${MAX_BYTES} bytes in one file, found ${rows} rows of ${rowBytes}`,
    );
  const batchRows = Math.max(1, Math.floor(BATCH_BYTES / rowBytes));
  const batches = [];
  for (let start = 0; start < rows; start += batchRows) {
    const count = Math.min(batchRows, rows - start);
    batches.push({
      rows: count,
      results: [
        { list: true, offsets: false, items: count * classes, width },
        { list: false, offsets: false, items: count, width: 4 },
      ],
      nullableResults: false,
      copied: [],
    });
  }
  const metadata = {
    version: VERSION,
    kind,
    ...(kind === "normal" && { scale }),
    ...{ seed, rows, classes, dtype },
  };
  const file: JacobianFileHeadSpec = {
    fields: [
      plainField("id", arrowTypeOf("int64")),
      plainField("logits", { kind: "FixedSizeList", listSize: classes }, [
        plainField("item", arrowTypeOf(dtype)),
      ]),
      plainField("label", arrowTypeOf("int32")),
    ],
    metadata: Object.entries(metadata).map(([key, value]) => [
      `softjac.${key}`,
      String(value),
    ]),
    dictionaries: [],
  };
  return layoutJacobianFile(file, batches);
}

/** Bytes of logits per chunk. */
const CHUNK_BYTES = 1 << 20;

/** Writes the file in chunks of rows. @throws AbortedError, errors of the file system */
async function writeLogits(
  options: ResolvedGenerateOptions,
  layout: JacobianFileLayout,
  output: PendingOutput,
  progress: Pick<GenerateReport, "rowsDone">,
  hooks: RunHooks,
): Promise<void> {
  const { rows, classes, dtype, kind, scale, seed } = options;
  const fitting = Math.max(1, Math.floor(CHUNK_BYTES / (8 * classes)));
  const chunkRows = Math.min(fitting, rows);
  const Floats = dtype === "float32" ? Float32Array : Float64Array;
  const ids = new BigInt64Array(chunkRows);
  const logits = new Floats(chunkRows * classes);
  const labels = new Int32Array(chunkRows);
  // Row in float64, before rounding.
  const row = new Float64Array(classes);
  for (const batch of layout.batches) {
    const { bodyStart, shape, layout: places } = batch;
    for (let start = 0; start < shape.rows; start += chunkRows) {
      checkStopped(hooks);
      const first = progress.rowsDone;
      const count = Math.min(chunkRows, shape.rows - start);
      for (let r = 0; r < count; r++) {
        ids[r] = BigInt(first + r);
        storeLogits(row, kind, scale, seed, first + r);
        logits.set(row, r * classes);
      }
      const values = logits.subarray(0, count * classes);
      storeLabels(labels.subarray(0, count), values, classes, seed, first);
      const columns = [
        [ids, places.row],
        [logits, places.results[0]?.values ?? 0],
        [labels, places.results[1]?.values ?? 0],
      ] as const;
      for (const [array, column] of columns) {
        const rowBytes = array.byteLength / chunkRows;
        const bytes = new Uint8Array(array.buffer, 0, count * rowBytes);
        writeFully(output.fd, bytes, bodyStart + column + start * rowBytes);
        output.reportWritten(bytes.byteLength);
      }
      progress.rowsDone += count;
      hooks.onProgress?.(progress.rowsDone, rows);
      // Lets the event loop handle signals.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { offset, bytes } = batchMetadata(batch);
    writeFully(output.fd, bytes, offset);
  }
  checkStopped(hooks);
  const { start, tail, bytes } = layout;
  writeFully(output.fd, start, 0);
  writeFully(output.fd, tail, bytes - tail.byteLength);
}
