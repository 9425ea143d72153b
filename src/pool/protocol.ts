import type { NumberType } from "../arrow/field.js";
import type { KeptNode, KeptPiece } from "../arrow/kept-nodes.js";
import type { NodeTarget } from "../arrow/node-copier.js";
import type { SourceForm, SourcePiece } from "../arrow/source-form.js";
import type { PresentBytes } from "../io/present-blocks.js";
import type { DirectTarget } from "../io/put-bytes.js";
import type { ResultColumn } from "../results/columns.js";
import type { RowAxes } from "../results/row-axes.js";
import type { EntriesPlaces } from "../slots/entries-slot.js";
import type { SlotLayout } from "../slots/slot-layout.js";

// What the main thread and the workers say to each other. Bulk stays in the slots and in the files.

/** A task, and the run that it belongs to. */
export interface Order {
  /** Another number for each run of a process. */
  run: number;
  setup: WorkerSetup;
  task: Task;
}

/** What a run is. File descriptors belong to the process: workers use them, the main thread owns them. */
export interface WorkerSetup {
  /** The compiled SIMD kernel, or null for the plain one. */
  module: WebAssembly.Module | null;
  memory: WebAssembly.Memory | null;
  /** The slots' memory (`memory`'s own buffer where there is one). */
  buffer: SharedArrayBuffer;
  /** Bytes from one slot to the next; slot 0 stands at address 0. */
  slotBytes: number;
  slot: SlotLayout;
  sourceFd: number;
  /** Which of the input's bytes are there; null: all are. */
  sourcePresent: PresentBytes | null;
  /** The output: through the page cache, and past it (-1: not). */
  output: DirectTarget;
  axes: RowAxes;
  classes: number;
  temperature: number;
  /** The logits, then the other inputs. */
  sources: SourceSetup[];
  results: ResultColumn[];
  loadRows: number;
  strideRows: number;
  tileRows: number;
  /** `--null-logit mask`: a null among logits is a masked class. */
  maskNulls: boolean;
  /** `--on-bad-row error`: the first one ends the task. */
  stopAtBadRow: boolean;
  /** `--on-bad-row skip`: tasks know them beforehand. */
  skipBadRows: boolean;
  /** Where the run is over single entries: how they are chosen, and where they go. */
  entries: EntriesSetup | null;
}

/** How entries are chosen. */
export interface EntriesSetup extends EntriesPlaces {
  /** Of the block. */
  code: number;
  threshold: number;
  /** 0: all. */
  topK: number;
  float32: boolean;
  /** i and j apart (coo), or i·Q + j. */
  pairs: boolean;
  capacity: number;
  /** Where the example's values stand that are repeated with its entries, and their bytes. */
  examples: { place: number; width: number }[];
}

/** A source of numbers: its columns' name, how it is stored, and how many values a row has. */
export interface SourceSetup {
  name: string;
  form: SourceForm;
  type: NumberType;
  width: number;
  values: number;
  /** What its values are: a class number, or any finite number. The logits have their own rules. */
  holds: "logits" | "class" | "numbers";
  /** Descriptor of its own file, where its rows stand decoded; null: the input. */
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
  pieces: SourcePiece[][];
}

/** The results of rows, written to these absolute bytes of the output. */
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

/** Which rows are bad: their numbers come back, nothing is written. */
export interface ScanTask extends ReadTask {
  kind: "scan";
}

/** The entries of rows, into the slot: as many as fit. */
export interface EntriesTask extends ReadTask {
  kind: "entries";
  /** Where a task goes on that did not fit, in the same slot. */
  from: EntriesCursor | null;
}

/** Row `row` of a task (from 0), row `i` of its block; -1: it has not begun. */
export interface EntriesCursor {
  row: number;
  i: number;
}

/** What a task left in its slot, or stored. */
export interface EntriesPart {
  /** Rows of the task that were begun, `[from, to)`: their results and counts stand there. */
  from: number;
  to: number;
  entries: number;
  /** Where to go on, in the same slot; null: the task is done. */
  next: EntriesCursor | null;
}

/** The kept columns of one output record batch. */
export interface KeptTask {
  kind: "kept";
  slot: number;
  columns: KeptColumnTask[];
  /** Memory that is written; null: the output. */
  target: SharedArrayBuffer | null;
}

export interface KeptColumnTask {
  column: KeptNode;
  /** Pieces of the column; those of nested nodes follow from their offsets. */
  pieces: KeptPiece[];
  /** Output of each node. */
  nodes: NodeTarget[];
}

export type Task = RowChunkTask | ScanTask | EntriesTask | KeptTask;

/** `badRows`: rows of the whole file without a softmax. `nulls`: per node of the kept columns. `part`: of entries, or of their count. */
export type Reply =
  | { ok: true; badRows: number[]; nulls: number[]; part: EntriesPart | null }
  | { ok: false; failure: Failure };

/** Why a task failed, as data: thrown errors lose their fields on the way between threads. */
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
  /** A value that is not taken. */
  | { kind: "refused-value"; row: number; where: string; text: string }
  /** The output that is compared has another byte. */
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
