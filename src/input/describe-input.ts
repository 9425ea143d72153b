import { candidateOf as arrayCandidate } from "./arrays/choose-arrays.js";
import { arrowContainer } from "./arrow-container.js";
import type { Candidate } from "./candidates.js";
import { arraysOpener, type InputFormat, inputFormat } from "./input-format.js";
import { interpreting } from "./interpreting.js";
import { candidateOf } from "./logits-column.js";
import type { LogitsSelection, OpenOptions } from "./logits-file.js";
import { readFooter } from "./parquet/parquet-footer.js";
import type { InputFile } from "./read-input.js";
import { recordBatches } from "./record-batches.js";

/** Structure of a file. */
export interface InputDescription {
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
export interface DescribedColumn {
  name: string;
  /** Type, and shape of an array. */
  type: string;
  /** Reason why it cannot be the logits; null if its type and shape allow it. */
  reason: string | null;
}

type DescribeOptions = Pick<OpenOptions, "allowMissingEos"> & LogitsSelection;

/** Describes an open file without reading its values. @throws InputFormatError, InputUnsupportedError, IoError */
export function describeInput(
  file: InputFile,
  options: DescribeOptions,
): Promise<InputDescription> {
  return interpreting(file.path, "structure", () => describe(file, options));
}

async function describe(
  file: InputFile,
  options: DescribeOptions,
): Promise<InputDescription> {
  const format = inputFormat(file);
  const openArrays = await arraysOpener(format);
  if (openArrays) {
    const { arrays } = await openArrays(file);
    return {
      format,
      compression: [],
      batches: null,
      largestBatchRows: null,
      rows: arrays.reduce((max, { shape }) => Math.max(max, shape[0] ?? 0), 0),
      columns: arrays.map((array) =>
        describeColumn(array.name, arrayCandidate(array, options)),
      ),
    };
  }
  const codecs = new Set<string | null>();
  const batchRows: number[] = [];
  let fields: Parameters<typeof candidateOf>[0][];
  if (format === "parquet") {
    const { metadata, fields: columns } = readFooter(file);
    for (const { rows, chunks } of metadata.rowGroups) {
      batchRows.push(rows);
      for (const { compression } of chunks) codecs.add(compression);
    }
    fields = columns;
  } else {
    const kind = format === "arrow-file" ? format : "arrow-stream";
    const container = arrowContainer(file, kind, {
      ...options,
      anyByteOrder: true,
    });
    for (const { batch } of recordBatches(container)) {
      batchRows.push(batch.rows);
      codecs.add(batch.compression);
    }
    fields = container.schema.fields;
  }
  return {
    format,
    compression: [...codecs].filter(
      (codec) => codec !== null && codec !== "uncompressed",
    ) as string[],
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
  return {
    name: name ?? "array",
    type,
    reason: form === null ? problem : null,
  };
}
