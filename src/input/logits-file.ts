import type { NumberType } from "../arrow/field.js";
import type { SourceForm } from "../arrow/source-form.js";
import type { InputName } from "../results/catalogue.js";
import type { DictionaryBlock } from "./dictionaries.js";
import type { InputFile } from "./input-file.js";
import type { KeptColumn } from "./kept-columns.js";
import type { Limits } from "./limits.js";
import type { FloatType, LogitsSelection } from "./logits-column.js";
import type { LogitsBatch } from "./record-batch.js";

/** An input, opened, checked and located: all that planning and computing need to know. */
export interface LogitsFile extends InputFile {
  rows: number;
  classes: number;
  /** Of the logits, as stored. */
  type: NumberType;
  /** Of the results, unless another is asked for. */
  dtype: FloatType;
  form: SourceForm;
  /** As reports and messages call what holds the logits: a column, the pattern of columns, or `array`. */
  column: string;
  /** Options that select the same logits in the same file. */
  selection: LogitsSelection;
  /** Names of the classes, where they are columns or fields of a struct. */
  classNames: readonly string[] | null;
  /** What the user should know of the order of the classes. */
  note: string | null;
  /** What a null among logits is: an error, or a masked class. */
  nullLogit: "error" | "mask";
  /** The other columns of numbers that results need. */
  inputs: InputColumn[];
  batches: LogitsBatch[];
  kept: KeptColumn[];
  dictionaries: DictionaryBlock[];
}

/** A column of numbers beside the logits. */
export interface InputColumn {
  option: InputName;
  name: string;
  form: SourceForm;
  type: NumberType;
  width: number;
  /** Values per row. */
  values: number;
}

export interface OpenOptions extends LogitsSelection {
  keep: readonly string[];
  /** Names of the other columns that results need. */
  inputs: readonly { option: InputName; name: string }[];
  /** Names that the results have. */
  ownNames: readonly string[];
  /** What a null among logits is; default: an error. */
  nullLogit?: "error" | "mask" | undefined;
  /** Streams may end without their end-of-stream marker. */
  allowMissingEos?: boolean | undefined;
  /** Directory whose file system takes what must be kept while it is worked on; default: that for temporary files. */
  scratch?: string | undefined;
  /** What the file may say of itself; default: what is usual. */
  limits?: Limits | undefined;
  signal?: AbortSignal | undefined;
}
