import type { SourceRange } from "../arrow/column-storage.js";
import type { CopiedNode, CopiedPiece } from "../arrow/copied-nodes.js";
import type { NodeTarget } from "../arrow/node-copier.js";
import type { PresentBytes } from "../io/fetched-ranges.js";
import type { DirectTarget } from "../io/write-or-compare.js";
import type { LinearModel } from "../kernels/linear-model.js";
import type { SumsSpec } from "../kernels/sums-layout.js";
import type { ResultColumn } from "../results/columns.js";
import type { RowAxes, RowRange } from "../results/row-axes.js";
import type { Failure } from "./failure.js";
import type { KernelMemory } from "./kernel-memory.js";
import type { EntriesOffsets, SlotLayout, SourceSetup } from "./slot-layout.js";

// Messages between the main thread and the workers. Bulk data stays in the slots and in the files.

/** A task with the run that it belongs to. */
export interface TaskMessage {
  /** Number of the run in its process. */
  run: number;
  context: WorkerContext;
  task: Task;
}

/** A task that is being computed; where it yields, it may be paused. */
export type Steps<Result = Reply> = Generator<void, Result, void>;

/** Settings of a run. The main thread owns the file descriptors. */
export interface WorkerContext extends KernelMemory {
  /** Layout of the slots, which are consecutive from address 0. */
  slot: SlotLayout;
  sourceFd: number;
  /** Ranges of the input that have been fetched; null: all. */
  sourcePresent: PresentBytes | null;
  /** Descriptors of the output, with and without the page cache. */
  output: DirectTarget;
  axes: RowAxes;
  classes: number;
  temperature: number;
  /** The logits, then the other inputs. */
  sources: SourceSetup[];
  /** Model that computes the logits from the features, which are source 1. */
  model?: LinearModel | undefined;
  results: ResultColumn[];
  loadRows: number;
  rowBlockSize: number;
  tileRows: number;
  /** Whether a null logit masks its class (`--null-logit mask`). */
  maskNulls: boolean;
  /** Whether the first bad row ends the task (error), or tasks list bad rows: their results are null, or left out (skip). */
  onBadRow: "error" | "null" | "skip";
  /** Settings of the layouts csr and coo. */
  entries: EntriesSetup | null;
  /** Settings of sums over rows. */
  sums?: SumsSetup;
}

/** Sums over the rows of a task; sources are indices of `sources`, -1 for none. */
export interface SumsSetup {
  /** The compiled kernel of sums. */
  module: WebAssembly.Module;
  /** Sums that one pass over the rows computes. */
  passes: SumsPass[];
  logits: number;
  features: number;
  /** Whether a constant 1 precedes the features. */
  intercept: boolean;
  /** Names of the features, for messages. */
  terms: readonly string[];
  weights: number;
  inputs: number[];
  /** Sources whose values form the groups. */
  keys: number[];
  /** Number of groups above which a task returns no sums. */
  maxGroups: number;
}

export interface SumsPass {
  spec: SumsSpec;
  /** Whether each group has sums of its own; otherwise all rows are in one. */
  isGrouped: boolean;
}

/** Selection of entries, and their regions in a slot. */
export interface EntriesSetup extends EntriesOffsets {
  /** JACOBIAN or LOG_JACOBIAN. */
  code: number;
  threshold: number;
  /** Maximum number of entries per block; 0: no limit. */
  topK: number;
  float32: boolean;
  /** Whether i and j are separate (coo), or i·Q + j. */
  pairs: boolean;
  /** Number of entries that a slot holds. */
  capacity: number;
  /** Offsets and widths of the columns whose values are repeated for every entry of an example. */
  examples: { offset: number; width: number }[];
}

/** A task that owns a slot and reads rows `[rowStart, rowEnd)` of the file. */
interface ReadTask extends RowRange {
  slot: number;
  /** Byte ranges of the rows, per source. */
  pieces: SourceRange[][];
}

/** Computes the results of rows and writes them to offsets of the output, or of `target`. */
export interface RowChunkTask extends ReadTask {
  kind: "row-chunk";
  /** Memory for the body of the record batch; null: the output. */
  target: SharedArrayBuffer | null;
  /** Rows of the task (from 0, ascending) that are left out of the output. */
  skipped: number[];
  /** Offset of the row numbers. */
  row: number;
  /** Offsets of the index columns after `row`. */
  positions: number[];
  /** Offsets of the results. */
  results: number[];
}

/** Finds bad rows without writing anything. */
export interface ScanTask extends ReadTask {
  kind: "scan";
}

/** Computes entries of rows until the slot is full. */
export interface EntriesTask extends ReadTask {
  kind: "entries";
  /** Position at which a task that did not fit continues, in the same slot; null: the start. */
  from: EntriesCursor | null;
}

/** Row `row` of a task (from 0), row `i` of its block; i = -1: the row has not begun. */
interface EntriesCursor {
  row: number;
  i: number;
}

/** Adds rows to sums. */
export interface SumsTask extends ReadTask {
  kind: "sums";
}

/** Sums of the rows of a task, by group. */
export interface SumsPart {
  /** [groups, keys]: the values that form each group; NaN: null. */
  keys: Float64Array;
  groups: number;
  /** For each pass the states of all groups, one after the other; none if there are too many groups. */
  states: Uint8Array[];
}

/** Content of a slot after an EntriesTask. */
export interface EntriesPart {
  /** Rows of the task that were begun, `[from, to)`: the slot has their results and counts. */
  from: number;
  to: number;
  entries: number;
  /** Position at which the task continues; null: the task is done. */
  next: EntriesCursor | null;
}

/** Copies the input columns of one output record batch. */
export interface CopyTask {
  kind: "copy";
  slot: number;
  columns: CopyColumnTask[];
  /** Memory to write to; null: the output. */
  target: SharedArrayBuffer | null;
}

export interface CopyColumnTask {
  column: CopiedNode;
  /** Ranges of the column; the ranges of nested nodes follow from their offsets. */
  pieces: CopiedPiece[];
  /** Output offsets of each node. */
  nodes: NodeTarget[];
}

export type Task =
  | (RowChunkTask | ScanTask | EntriesTask)
  | (CopyTask | SumsTask);

/**
 * `badRows`: row numbers in the file. `nulls`: number of nulls per node of the copied columns. `part` is for EntriesTask only,
 * `sums` for SumsTask.
 */
export type Reply =
  | {
      ok: true;
      badRows: number[];
      nulls: number[];
      part: EntriesPart | null;
      sums?: SumsPart;
    }
  | { ok: false; failure: Failure };
