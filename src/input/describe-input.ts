import type { Field } from "../arrow/field.js";
import { candidateOf as arrayCandidate } from "./arrays/choose-arrays.js";
import type { OpenArrays } from "./arrays/stored-array.js";
import { type ArrowContainer, arrowContainer } from "./arrow-container.js";
import type { Candidate } from "./candidates.js";
import type { InputFile } from "./input-file.js";
import { arraysOpener, type InputFormat, inputFormat } from "./input-format.js";
import { interpreting } from "./interpreting.js";
import { candidateOf, type LogitsSelection } from "./logits-column.js";
import type { OpenOptions } from "./logits-file.js";
import { readFooter } from "./parquet/parquet-footer.js";
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
  /** Why it cannot be the logits, or null if its type and shape allow it. */
  reason: string | null;
}

type DescribeOptions = Pick<OpenOptions, "allowMissingEos"> & LogitsSelection;

/** Describes a file that is open; no value of it is read. @throws InputFormatError, InputUnsupportedError, IoError */
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
  if (openArrays) return describeArrays(file, format, openArrays, options);
  return format === "parquet"
    ? describeParquet(file, options)
    : describeArrow(
        arrowContainer(
          file,
          format === "arrow-file" ? format : "arrow-stream",
          { ...options, anyByteOrder: true },
        ),
        options,
      );
}

function describeParquet(
  file: InputFile,
  selection: LogitsSelection,
): InputDescription {
  const { metadata, fields } = readFooter(file);
  const { rowGroups } = metadata;
  const codecs = new Set(
    rowGroups.flatMap(({ chunks }) =>
      chunks.map(({ compression }) => compression),
    ),
  );
  codecs.delete("uncompressed");
  return {
    format: "parquet",
    compression: [...codecs],
    batches: rowGroups.length,
    largestBatchRows: rowGroups.reduce((a, { rows }) => Math.max(a, rows), 0),
    rows: rowGroups.reduce((sum, { rows }) => sum + rows, 0),
    columns: describedFields(fields, selection),
  };
}

/** Describes a file of arrays; its rows are those of the longest. */
async function describeArrays(
  file: InputFile,
  format: InputFormat,
  open: OpenArrays,
  selection: LogitsSelection,
): Promise<InputDescription> {
  const { arrays } = await open(file);
  return {
    format,
    compression: [],
    batches: null,
    largestBatchRows: null,
    rows: arrays.reduce((most, { shape }) => Math.max(most, shape[0] ?? 0), 0),
    columns: arrays.map((array) =>
      described(array.name, arrayCandidate(array, selection)),
    ),
  };
}

function described(
  name: string | null,
  { type, form, problem }: Candidate,
): DescribedColumn {
  const reason = form === null ? problem : null;
  return { name: name ?? "array", type, reason };
}

function describedFields(
  fields: Field[],
  { binary = false }: LogitsSelection,
): DescribedColumn[] {
  return fields.map((field) =>
    described(field.name, candidateOf(field, binary)),
  );
}

function describeArrow(
  container: ArrowContainer,
  selection: LogitsSelection,
): InputDescription {
  const compression = new Set<string>();
  let [rows, largest] = [0, 0];
  for (const { batch } of recordBatches(container)) {
    if (batch.compression) compression.add(batch.compression);
    rows += batch.rows;
    largest = Math.max(largest, batch.rows);
  }
  return {
    format: container.format,
    compression: [...compression],
    batches: container.recordBatches.length,
    largestBatchRows: largest,
    rows,
    columns: describedFields(container.schema.fields, selection),
  };
}
