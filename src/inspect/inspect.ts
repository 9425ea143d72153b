import type { Field } from "../arrow/field.js";
import {
  AbortedError,
  InputUnsupportedError,
  LogitsColumnError,
  RaggedRowError,
} from "../errors.js";
import { candidateOf as arrayCandidate } from "../input/arrays/choose-arrays.js";
import { arrowContainer } from "../input/arrow-container.js";
import type { Candidate } from "../input/candidates.js";
import { openInput } from "../input/input-file.js";
import {
  arraysOpener,
  type InputFormat,
  inputFormat,
} from "../input/input-format.js";
import { InputRows } from "../input/input-rows.js";
import { checkUnchanged } from "../input/input-state.js";
import { interpreting } from "../input/interpreting.js";
import { candidateOf } from "../input/logits-column.js";
import type { LogitsFile } from "../input/logits-file.js";
import { logitsIn } from "../input/open-logits.js";
import { readFooter } from "../input/parquet/parquet-footer.js";
import type { InputFile } from "../input/read-input.js";
import { recordBatches } from "../input/record-batches.js";
import { checkHooks, copyOptions, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import type { OptionsOf } from "../options/options-table.js";
import { resolveOptions } from "../options/run-options.js";
import type { Layout } from "../results/catalogue.js";
import { axesOf, indexOfRow } from "../results/row-axes.js";
import { layoutSizes, type OutputSize } from "../run/dry-run.js";

/** Options of `inspect`. Only `input` is required. */
export interface InspectOptions extends OptionsOf<"inspect"> {}

/** Description of a file, of the logits that a run would use, and of the sizes of outputs. */
export interface Inspection extends InputDescription {
  input: string;
  bytes: number;
  /** Column of logits that a run would use; null if there is none, see `noLogitsReason` and the reasons of the columns. */
  logits: LogitsDescription | null;
  noLogitsReason: string | null;
  /** Size of the output of a run in each possible layout except dense; empty without logits. */
  layouts: OutputSize<Layout>[];
  /** Range of the logits and bad rows; null without `scan`. */
  values: ValueScan | null;
}

/** Column of logits; `storage` is a list type, a struct or separate columns. */
export type LogitsDescription = Pick<
  LogitsFile,
  "column" | "dtype" | "classes" | "storage"
>;

/** Summary of all logits of a file. */
export interface ValueScan {
  /** Smallest and largest finite logit; null if there is none. */
  min: number | null;
  max: number | null;
  /** Number of logits that are -inf in rows with a softmax. */
  maskedLogits: number;
  /**
   * Number of rows without a softmax (NaN, +inf, null, all -inf), and the first of them. If rows have several axes, `firstBadRow` is
   * its index along the first, as in the report of a run.
   */
  badRows: number;
  firstBadRow: number | null;
}

/**
 * Describes a file, and estimates the size of the output in each layout. Reads only the structure of the file, and with
 * `scan` every row.
 *
 * @throws SoftjacError if the file cannot be read; a file without logits does not throw (see `noLogitsReason`)
 */
export async function inspect(
  given: InspectOptions,
  hooks: RunHooks = {},
): Promise<Inspection> {
  checkHooks(hooks);
  resolve("inspect", given);
  const options = copyOptions(given);
  const { input } = options;
  const file = await openInput(input, hooks);
  const description = await interpreting(file.path, "structure", () =>
    describe(file, options),
  ).catch((error) => {
    file.close();
    throw error;
  });
  // Closes the file, also if it fails.
  const examined = await examine(file, description, options, hooks).catch(
    (error) => noLogits(input, description.columns, error),
  );
  await checkUnchanged(file.source);
  return { input, bytes: file.bytes, ...description, ...examined };
}

type Examined = Pick<
  Inspection,
  "columns" | "logits" | "noLogitsReason" | "layouts" | "values"
>;

/** Logits to read from the start of the file; at least one row. */
const CHECKED_VALUES = 1 << 16;

/** Describes the logits that a run would use. */
async function examine(
  file: InputFile,
  { format, rows, columns }: InputDescription,
  options: InspectOptions,
  hooks: RunHooks,
): Promise<Examined> {
  const { input, dtype, scan = false } = options;
  const open = { keep: [], inputs: [], ownNames: [], isSample: !scan };
  const { signal } = hooks;
  const logits = await logitsIn(file, { ...options, ...open, signal });
  try {
    const { column, storage, classes } = logits;
    // Detects lists whose length differs from the first.
    const some = Math.min(logits.rows, Math.ceil(CHECKED_VALUES / classes));
    await new InputRows(logits).load(0, some);
    const run = resolveOptions({ input, output: "output.arrow", dtype });
    return {
      columns,
      logits: { column, storage, dtype: logits.dtype, classes },
      noLogitsReason: null,
      layouts: layoutSizes(
        run,
        // For a Parquet file, only a sample of the rows may be open.
        format === "parquet" ? withTableRows(logits, rows) : logits,
      ),
      values: scan ? await scanValues(logits, hooks) : null,
    };
  } finally {
    logits.close();
  }
}

/** Extrapolates the number of rows from the opened sample to the whole table. */
function withTableRows(sample: LogitsFile, tableRows: number): LogitsFile {
  const [sampleRows = 0, ...inner] = sample.leading;
  const rows = Math.round((sample.rows / Math.max(1, sampleRows)) * tableRows);
  return { ...sample, rows, leading: [tableRows, ...inner] };
}

/** Errors that mean that a valid file has no logits that a run could use. */
const NO_LOGITS = [LogitsColumnError, InputUnsupportedError, RaggedRowError];

/** Describes a file without logits; its only candidate gets the same reason. @throws the error of a damaged file */
function noLogits(
  input: string,
  columns: DescribedColumn[],
  error: unknown,
): Examined {
  if (!NO_LOGITS.some((known) => error instanceof known)) throw error;
  const noLogitsReason = (error as Error).message;
  const candidates = columns.filter(({ reason }) => reason === null);
  const text = noLogitsReason.replace(`${input}: `, "");
  return {
    columns: columns.map((column) =>
      candidates.length === 1 && column === candidates[0]
        ? { ...column, reason: text }
        : column,
    ),
    logits: null,
    noLogitsReason,
    layouts: [],
    values: null,
  };
}

/** Maximum number of logits in memory, unless one row has more. */
const CHUNK_VALUES = 1 << 20;

/** Summarizes the logits of all rows. */
async function scanValues(
  logits: LogitsFile,
  { signal, onProgress }: RunHooks,
): Promise<ValueScan> {
  const { rows, classes } = logits;
  const input = new InputRows(logits);
  const axes = axesOf(logits);
  const chunkRows = Math.max(1, Math.floor(CHUNK_VALUES / classes));
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [maskedLogits, badRows] = [0, 0];
  let firstBadRow: number | null = null;
  for (let start = 0; start < rows; start += chunkRows) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    const end = Math.min(start + chunkRows, rows);
    await input.load(start, end);
    for (let row = start; row < end; row++) {
      let [masked, other] = [0, 0];
      for (const value of input.values(row, 0))
        if (value === Number.NEGATIVE_INFINITY) masked++;
        else if (!Number.isFinite(value)) other++;
        else {
          if (value < min) min = value;
          if (value > max) max = value;
        }
      if (other === 0 && masked < classes) maskedLogits += masked;
      else {
        badRows++;
        firstBadRow ??= indexOfRow(axes, row)[0] ?? row;
      }
    }
    onProgress?.(end, rows);
  }
  const range = min > max ? { min: null, max: null } : { min, max };
  return { ...range, maskedLogits, badRows, firstBadRow };
}

/** Structure of a file. */
interface InputDescription {
  format: InputFormat;
  /** Names of the compression codecs in the file; empty if it is uncompressed. */
  compression: string[];
  /** Number of record batches (Arrow) or row groups (Parquet); null for formats without them. */
  batches: number | null;
  /** Number of rows of the largest record batch or row group; null for formats without them. */
  largestBatchRows: number | null;
  rows: number;
  columns: DescribedColumn[];
}

/** Column or array of a file. */
interface DescribedColumn {
  name: string;
  /** Type, and shape of an array. */
  type: string;
  /** Reason why it cannot be the logits; null if its type and shape allow it. */
  reason: string | null;
}

/** Describes an open file without reading its values. */
async function describe(
  file: InputFile,
  options: InspectOptions,
): Promise<InputDescription> {
  const format = inputFormat(file);
  const openArrays = await arraysOpener(format);
  if (openArrays) {
    const { arrays } = await openArrays(file);
    return {
      ...{ format, compression: [], batches: null, largestBatchRows: null },
      rows: arrays.reduce((max, { shape }) => Math.max(max, shape[0] ?? 0), 0),
      columns: arrays.map((array) =>
        describeColumn(array.name, arrayCandidate(array, options)),
      ),
    };
  }
  const codecs = new Set<string | null>();
  const batchRows: number[] = [];
  let fields: Field[];
  if (format === "parquet") {
    const footer = readFooter(file);
    for (const { rows, chunks } of footer.metadata.rowGroups) {
      batchRows.push(rows);
      for (const { compression } of chunks) codecs.add(compression);
    }
    ({ fields } = footer);
  } else {
    const open = { ...options, anyByteOrder: true };
    const container = arrowContainer(file, format, open);
    for (const { batch } of recordBatches(container)) {
      batchRows.push(batch.rows);
      codecs.add(batch.compression);
    }
    ({ fields } = container.schema);
  }
  return {
    format,
    compression: [...codecs].filter(
      (codec): codec is string => codec !== null && codec !== "uncompressed",
    ),
    batches: batchRows.length,
    largestBatchRows: batchRows.reduce((a, b) => Math.max(a, b), 0),
    rows: batchRows.reduce((sum, rows) => sum + rows, 0),
    columns: fields.map((field) =>
      describeColumn(field.name, candidateOf(field, options.binary ?? false)),
    ),
  };
}

function describeColumn(
  name: string | null,
  { type, form, problem }: Candidate,
): DescribedColumn {
  const reason = form === null ? problem : null;
  return { name: name ?? "array", type, reason };
}
