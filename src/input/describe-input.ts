import { describeField, type Field } from "../arrow/field.js";
import { arraysOpener } from "./arrays/array-format.js";
import type { OpenArrays } from "./arrays/stored-array.js";
import { type ArrowContainer, arrowContainer } from "./arrow-container.js";
import type { InputFile } from "./input-file.js";
import { type InputFormat, inputFormat } from "./input-format.js";
import { interpreting } from "./interpreting.js";
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
  columns: { name: string; type: string }[];
}

/** Describes a file that is open; no value of it is read. @throws InputFormatError, InputUnsupportedError, IoError */
export function describeInput(
  file: InputFile,
  options: Pick<OpenOptions, "allowMissingEos">,
): Promise<InputDescription> {
  return interpreting(file.path, "structure", () => describe(file, options));
}

async function describe(
  file: InputFile,
  options: Pick<OpenOptions, "allowMissingEos">,
): Promise<InputDescription> {
  const format = inputFormat(file);
  const openArrays = await arraysOpener(format);
  if (openArrays) return describeArrays(file, format, openArrays);
  return format === "parquet"
    ? describeParquet(file)
    : describeArrow(
        arrowContainer(
          file,
          format === "arrow-file" ? format : "arrow-stream",
          { ...options, anyByteOrder: true },
        ),
      );
}

function describeParquet(file: InputFile): InputDescription {
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
    columns: described(fields),
  };
}

/** Of a file of arrays the rows are those of the longest. */
async function describeArrays(
  file: InputFile,
  format: InputFormat,
  open: OpenArrays,
): Promise<InputDescription> {
  const { arrays } = await open(file);
  return {
    format,
    compression: [],
    batches: null,
    largestBatchRows: null,
    rows: arrays.reduce((most, { shape }) => Math.max(most, shape[0] ?? 0), 0),
    columns: arrays.map(({ name, type, stored, shape }) => ({
      name: name ?? "array",
      type: `${type ?? stored} [${shape.join(", ")}]`,
    })),
  };
}

function described(fields: Field[]): InputDescription["columns"] {
  return fields.map((field) => ({
    name: field.name,
    type: describeField(field),
  }));
}

function describeArrow(container: ArrowContainer): InputDescription {
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
    columns: described(container.schema.fields),
  };
}
