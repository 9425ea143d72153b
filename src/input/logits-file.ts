import {
  type ColumnStorage,
  isSeparate,
  offsetWidth,
  type SourceRange,
  type ValueBuffers,
} from "../arrow/column-storage.js";
import type { CopiedDictionary } from "../arrow/copied-nodes.js";
import {
  type Field,
  type FloatType,
  type NumberType,
  numberWidth,
} from "../arrow/field.js";
import { countWhile } from "../bisect.js";
import type { TemporaryFiles } from "../io/anonymous-file.js";
import type { LinearModel } from "../kernels/linear-model.js";
import type { RunOptions } from "../options/run-options.js";
import { type InputUse, valuesOf } from "../results/catalogue.js";
import type { Partition } from "../results/run-metadata.js";
import type { SourceSetup } from "../tasks/slot-layout.js";
import type { Vocabulary } from "./class-decoder.js";
import type { CopiedColumn } from "./copied-columns.js";
import { resultType } from "./number-column.js";
import type { InputFile } from "./read-input.js";
import type { LogitsBatch } from "./record-batch.js";

/** Open and validated input, with the positions of its logits and other columns. */
export interface LogitsFile extends InputFile {
  rows: number;
  /** Lengths of the axes of the rows, in C order: for an array all axes but that of the classes, for a column `[rows]`. */
  leading: readonly number[];
  /** Descriptor of the temporary file with the indices of rows in ragged lists (results/row-axes.ts); null without one. */
  indexFd: number | null;
  classes: number;
  /** Type of the logits as stored. */
  type: NumberType;
  /** Default type of the results. */
  dtype: FloatType;
  storage: ColumnStorage;
  /** Name of the column of logits, pattern of the columns, or `array`; for reports and messages. */
  column: string;
  /** Options that select the same logits in the same file. */
  selection: LogitsSelection;
  /** Names of the columns or struct fields that are the classes; null for lists and arrays. */
  classNames: readonly string[] | null;
  /** Notes for the user about the order of the classes, and about labels. */
  notes: readonly string[];
  /** Handling of a null logit: reject it, or mask its class. */
  nullLogit: "error" | "mask";
  /** Other columns that results need, such as labels and tangents. */
  inputs: AuxiliaryColumn[];
  /** Model that computes the logits and covariances of rows (ModelRows) from the features, which are source 1. */
  model?: LinearModel;
  /** The logits, then `inputs`. */
  sources: SourceSetup[];
  batches: LogitsBatch[];
  copied: CopiedColumn[];
  /** Partitions among the copied columns and other inputs. */
  partitions: Partition[];
  dictionaries: CopiedDictionary[];
}

/** Column of numbers other than the logits. */
export interface AuxiliaryColumn extends Pick<SourceSetup, "name" | "values"> {
  option: InputUse;
  /** Names of the columns or struct fields of features; null for lists and arrays. */
  names: readonly string[] | null;
  /** Field of a column whose values form groups, and the numbers of its strings; null for other columns. */
  key: { field: Field; vocabulary: Vocabulary } | null;
}

export interface OpenOptions
  extends LogitsSelection,
    Pick<RunOptions, "classNames" | "pad" | "nullLogit" | "allowMissingEos"> {
  keep: readonly string[];
  /** Names of the other columns that results need. */
  inputs: readonly {
    option: InputUse;
    name: string;
    /** Numbers of the strings of a column whose values form groups. */
    vocabulary?: Vocabulary;
  }[];
  /** Names of the result columns; copied columns must have other names. */
  ownNames: readonly string[];
  /** Partitions that the path of the file states; default: none. */
  partitions?: readonly Partition[] | undefined;
  /** Whether `classNames` that are whole numbers are those of labels; default: true. False if an output has them from columns. */
  classCodes?: boolean | undefined;
  /** Number of classes if no row states it; default: reject such a file. */
  classes?: number | undefined;
  /** Model whose logits replace the features; default: none. */
  model?: { over(features: LogitsFile): LogitsFile } | undefined;
  /** Whether to read only the first row group that has rows (Parquet); default: false. */
  isSample?: boolean | undefined;
  /** Maximum number of threads that decode a Parquet file; default: 1. */
  threads?: number | undefined;
  /** Directory for temporary copies of decoded or piped input; default: TMPDIR. */
  scratch?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Options, and the temporary files of the input that is opened; its owner closes them. */
export interface Opening extends OpenOptions {
  temporary: TemporaryFiles;
}

export interface LogitsSelection
  extends Pick<RunOptions, "column" | "columns" | "classAxis" | "binary"> {
  /** A column of lists, or columns of numbers, of features: rows of any finite numbers instead of logits. */
  features?: string | undefined;
}

/** Name in messages of the array in an .npy file. */
const UNNAMED = "array";

/**
 * Returns what a LogitsFile has of its sources: the logits, then the inputs of the options.
 * @param located storage of each source, and the descriptor of its decoded numbers, if there are any
 */
export function describeSources(
  { columns, features, inputs, nullLogit = "error" }: OpenOptions,
  located: readonly (Pick<SourceSetup, "storage" | "type" | "values"> & {
    name: string | null;
    fd: number | null;
  })[],
): Pick<
  LogitsFile,
  | ("sources" | "classes" | "type" | "dtype")
  | ("storage" | "column" | "selection" | "nullLogit")
> {
  const sources = located.map((source, n): SourceSetup => {
    const { storage, type, values, fd } = source;
    const name = source.name ?? UNNAMED;
    const option = inputs[n - 1]?.option;
    const logits = features === undefined ? "logits" : "features";
    const holds = option ? valuesOf(option) : logits;
    const width = numberWidth(type);
    return { name, storage, type, width, values, holds, fd };
  });
  const [logits] = sources as [SourceSetup];
  const { name: column, storage, type, values: classes } = logits;
  const ofName = located[0]?.name === null ? {} : { column };
  const selection = columns === undefined ? ofName : { columns };
  const dtype = resultType(type);
  const all = { classes, type, dtype, storage, column, selection, nullLogit };
  return { sources, ...all };
}

/** Returns, for each source, the ranges of the input's batches that hold rows `[rowStart, rowEnd)`. */
export function sourceRanges(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): SourceRange[][] {
  const batches = overlapping(file.batches, rowStart, rowEnd);
  return file.sources.map(({ storage, width, values }, n) => {
    const perOffset = offsetWidth(storage);
    const perRow =
      perOffset > 0 ? 0 : isSeparate(storage) ? width : values * width;
    return batches.map((batch) => {
      const start = Math.max(rowStart, batch.rowStart);
      const buffers = batch.sources[n] as ValueBuffers;
      const firstRow = start - batch.rowStart + buffers.firstRow;
      return {
        ...buffers,
        rowStart: start,
        rowEnd: Math.min(rowEnd, batch.rowEnd),
        firstRow,
        values: buffers.values.map((at) => at + firstRow * perRow),
        offsets: buffers.offsets + perOffset * firstRow,
      };
    });
  });
}

/** Returns the batches with rows in `[rowStart, rowEnd)`, by bisection because files may have very many. */
export function overlapping(
  batches: LogitsBatch[],
  rowStart: number,
  rowEnd: number,
): LogitsBatch[] {
  const before = countWhile(
    batches.length,
    (k) => (batches[k] as LogitsBatch).rowEnd <= rowStart,
  );
  const result: LogitsBatch[] = [];
  for (let k = before; k < batches.length; k++) {
    const batch = batches[k] as LogitsBatch;
    if (batch.rowStart >= rowEnd) break;
    if (batch.rowEnd > batch.rowStart) result.push(batch);
  }
  return result;
}
