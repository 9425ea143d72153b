import type { ColumnStorage } from "../arrow/column-storage.js";
import type { CopiedDictionary } from "../arrow/copied-nodes.js";
import type { FloatType, NumberType } from "../arrow/field.js";
import type { AuxiliaryName } from "../results/catalogue.js";
import type { Partition } from "../results/run-metadata.js";
import type { CopiedColumn } from "./copied-columns.js";
import type { InputFile } from "./read-input.js";
import type { LogitsBatch } from "./record-batch.js";

/** Open and validated input, with the positions of its logits and other columns. */
export interface LogitsFile extends InputFile {
  rows: number;
  /** Lengths of the axes that make up the rows, in C order: all axes of an array but that of the classes, `[rows]` of columns. */
  leading: readonly number[];
  /** Descriptor of the temporary file with the indices of rows of ragged lists (row-indices.ts); else null. */
  indexFd: number | null;
  classes: number;
  /** Type of the logits as stored. */
  type: NumberType;
  /** Default type of the results. */
  dtype: FloatType;
  form: ColumnStorage;
  /** Name of the column of logits, or pattern of the columns, or `array`, for reports and messages. */
  column: string;
  /** Options that select the same logits in the same file. */
  selection: LogitsSelection;
  /** Names of the classes, if they are columns or fields of a struct. */
  classNames: readonly string[] | null;
  /** Notes for the user about the order of the classes, and about labels. */
  notes: readonly string[];
  /** Action for a null among the logits: an error, or a masked class. */
  nullLogit: "error" | "mask";
  /** Other columns of numbers that results need, such as labels and tangents. */
  inputs: InputColumn[];
  batches: LogitsBatch[];
  /** Descriptors of the temporary files of decoded sources (the logits, then the inputs); null for those in place. */
  decodedFds: (number | null)[];
  kept: CopiedColumn[];
  /** Partitions among the copied columns and other inputs. */
  partitions: Partition[];
  dictionaries: CopiedDictionary[];
}

/** Column of numbers other than the logits. */
export interface InputColumn {
  option: AuxiliaryName;
  name: string;
  form: ColumnStorage;
  type: NumberType;
  width: number;
  /** Number of values per row. */
  values: number;
}

export interface OpenOptions extends LogitsSelection {
  keep: readonly string[];
  /** Names of the other columns that results need. */
  inputs: readonly { option: AuxiliaryName; name: string }[];
  /** Names of the classes, for labels that are strings; default: those of the columns or fields of the logits. */
  classNames?: readonly string[] | undefined;
  /** Names of the result columns, which copied columns must not have. */
  ownNames: readonly string[];
  /** Partitions that the path of the file states; default: none. */
  partitions?: readonly Partition[] | undefined;
  /** Whether lists of logits may have different lengths: the classes that a row lacks are masked; default: false. */
  pad?: boolean | undefined;
  /** Action for a null among the logits; default: error. */
  nullLogit?: "error" | "mask" | undefined;
  /** Whether to accept a stream that lacks its end-of-stream marker; default: false. */
  allowMissingEos?: boolean | undefined;
  /** Number of classes if no row tells it; default: such a file is refused. */
  classes?: number | undefined;
  /** Whether the first row group with rows is enough (Parquet); default: false. */
  isSample?: boolean | undefined;
  /** Directory for temporary copies of decoded or piped input; default: the directory for temporary files. */
  scratch?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface LogitsSelection {
  column?: string | undefined;
  columns?: string | undefined;
  /** Axis of the classes in arrays, 0-based, negative from the end; default: the last of two or three. */
  classAxis?: number | undefined;
  /** Whether the file has margins z, whose logits are (0, z); default: false. */
  binary?: boolean | undefined;
}
