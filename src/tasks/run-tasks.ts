import type { ColumnStorage, SourceRange } from "../arrow/column-storage.js";
import type { CopiedNode, CopiedPiece } from "../arrow/copied-nodes.js";
import type { NumberType } from "../arrow/field.js";
import type { NodeTarget } from "../arrow/node-copier.js";
import type { PresentBytes } from "../io/fetched-ranges.js";
import type { DirectTarget } from "../io/write-or-compare.js";
import type { ResultColumn } from "../results/columns.js";
import type { RowAxes } from "../results/row-axes.js";
import type { EntriesOffsets } from "./entries-slot-layout.js";
import type { SlotLayout } from "./slot-layout.js";

// Messages between the main thread and the workers. Bulk data stays in the slots and in the files.

/** A task with the run that it belongs to. */
export interface TaskMessage {
  /** Number of the run in its process. */
  run: number;
  setup: WorkerSetup;
  task: Task;
}

/** Settings of a run. Workers use its file descriptors, the main thread owns them. */
export interface WorkerSetup {
  /** The compiled SIMD kernel, or null for the plain one. */
  module: WebAssembly.Module | null;
  memory: WebAssembly.Memory | null;
  /** Memory of the slots: the buffer of `memory`, if there is one. */
  buffer: SharedArrayBuffer;
  /** Bytes from one slot to the next; slot 0 is at address 0. */
  slotBytes: number;
  slot: SlotLayout;
  sourceFd: number;
  /** Ranges of the input that have been fetched; null: all. */
  sourcePresent: PresentBytes | null;
  /** The output, through the page cache and past it. */
  output: DirectTarget;
  axes: RowAxes;
  classes: number;
  temperature: number;
  /** The logits, then the other inputs. */
  sources: SourceSetup[];
  results: ResultColumn[];
  loadRows: number;
  rowBlockSize: number;
  tileRows: number;
  /** `--null-logit mask`: a null among logits is a masked class. */
  maskNulls: boolean;
  /** `--on-bad-row error`: the first one ends the task. */
  stopAtBadRow: boolean;
  /** `--on-bad-row skip`: tasks list the bad rows. */
  skipBadRows: boolean;
  /** For the layouts csr and coo: how entries are chosen, and where they go. */
  entries: EntriesSetup | null;
}

/** How entries are chosen. */
export interface EntriesSetup extends EntriesOffsets {
  /** Code of the block. */
  code: number;
  threshold: number;
  /** 0: all. */
  topK: number;
  float32: boolean;
  /** Whether i and j are separate (coo), or i·Q + j. */
  pairs: boolean;
  capacity: number;
  /** Offsets and widths of an example's values that are repeated with its entries. */
  examples: { offset: number; width: number }[];
}

/** A source of numbers: name and storage of its columns, and the number of values of a row. */
export interface SourceSetup {
  name: string;
  form: ColumnStorage;
  type: NumberType;
  width: number;
  values: number;
  /** Kind of the values: logits, class numbers, or any finite numbers. */
  holds: "logits" | "class" | "numbers";
  /** Descriptor of the file of its decoded rows; null: the input. */
  fd: number | null;
}

/** A task on rows `[rowStart, rowEnd)` of the file, in the slot that it owns. */
interface RowsTask {
  slot: number;
  rowStart: number;
  rowEnd: number;
}

/** A task that reads rows. */
interface ReadTask extends RowsTask {
  /** Per source. */
  pieces: SourceRange[][];
}

/** Computes the results of rows and writes them to these absolute offsets of the output. */
export interface RowChunkTask extends ReadTask {
  kind: "row-chunk";
  /** Rows of the task (from 0, ascending) that the output leaves out. */
  skipped: number[];
  row: number;
  /** Per index column after `row`. */
  positions: number[];
  /** Per result. */
  results: number[];
}

/** Finds bad rows: their numbers come back, nothing is written. */
export interface ScanTask extends ReadTask {
  kind: "scan";
}

/** Computes entries of rows into the slot: as many as fit. */
export interface EntriesTask extends ReadTask {
  kind: "entries";
  /** Start of the rest of a task that did not fit, in the same slot. */
  from: EntriesCursor | null;
}

/** Row `row` of a task (from 0), row `i` of its block; -1: it has not begun. */
interface EntriesCursor {
  row: number;
  i: number;
}

/** Entries that a task left in its slot, or stored. */
export interface EntriesPart {
  /** Rows of the task that were begun, `[from, to)`: the slot has their results and counts. */
  from: number;
  to: number;
  entries: number;
  /** Start of the rest, in the same slot; null: the task is done. */
  next: EntriesCursor | null;
}

/** Copies the kept columns of one output record batch. */
export interface CopyTask {
  kind: "copy";
  slot: number;
  columns: CopyColumnTask[];
  /** Memory to write to; null: the output. */
  target: SharedArrayBuffer | null;
}

export interface CopyColumnTask {
  column: CopiedNode;
  /** Pieces of the column; those of nested nodes follow from their offsets. */
  pieces: CopiedPiece[];
  /** Output of each node. */
  nodes: NodeTarget[];
}

export type Task = RowChunkTask | ScanTask | EntriesTask | CopyTask;

/** `badRows`: rows of the whole file without a softmax. `nulls`: per node of the kept columns. `part`: of entries, or of their count. */
export type Reply =
  | { ok: true; badRows: number[]; nulls: number[]; part: EntriesPart | null }
  | { ok: false; failure: Failure };

/** Reason of a failed task, as data, because thrown errors lose their fields between threads. */
export type Failure =
  | {
      kind: "bad-row";
      row: number;
      expected: string;
      found: string;
      advice?: string;
    }
  | {
      kind: "ragged-row";
      row: number;
      column: string;
      expected: number;
      found: number;
    }
  | { kind: "damaged"; where: string; text: string }
  /** A value that is not accepted. */
  | { kind: "refused-value"; row: number; where: string; text: string }
  /** The compared output has another byte. */
  | {
      kind: "different";
      position: number;
      expected: number;
      found: number | null;
    }
  | {
      kind: "io";
      side: "input" | "output";
      code: string;
    };
