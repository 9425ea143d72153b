import { tooLargeError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { EMITS, type EntriesLayout, isJacobian } from "../results/catalogue.js";
import {
  isPerExample,
  positionColumns,
  type TableColumn,
  tableColumns,
} from "../results/columns.js";
import type { EntriesSetup } from "../tasks/run-tasks.js";
import { layoutEntriesSlot } from "../tasks/slot-layout.js";
import { planCommon, withinMemory } from "./common-plan.js";

/** Input of the planning arithmetic for layouts csr and coo. */
interface EntriesRowsInput {
  /** First row of the run in its input. */
  rowStart: number;
  rows: number;
  classes: number;
  layout: EntriesLayout;
  /** Bytes read per row: the logits and the other inputs. */
  sourceBytes: number;
  /** Output bytes per example without its entries: results and copied columns. */
  exampleBytes: number;
  /** Output bytes per entry. */
  entryBytes: number;
  topK: number | undefined;
  threads: number;
  chunkRows?: number | undefined;
}

const MiB = 1 << 20;
/** Size limit of the examples, and of the entries, of a record batch. */
const BATCH_BYTES = 24 * MiB;
/** Entries of a slot: small enough to stay in the cache until the main thread copies them. */
const SLOT_BYTES = 8 * MiB;
/** Input and results of a task. */
const CHUNK_BYTES = MiB;
const MAX_CHUNK_ROWS = 8192;
/** Up to this size the main thread is faster than a pool. */
const INLINE_BYTES = 4 * MiB;

/** The part of a plan that is known before the kernel has counted the entries. */
export type EntriesRows = ReturnType<typeof planEntriesRows>;

/** Plans a run. Pure. Record batches depend on the entries only, not on threads or tasks. */
export function planEntriesRows(input: EntriesRowsInput) {
  const { rowStart, rows, classes, layout, exampleBytes, entryBytes } = input;
  const block = classes * classes;
  const maxEntries = Math.min(block, input.topK ?? block);
  const batchExamples = Math.max(1, Math.floor(BATCH_BYTES / exampleBytes));
  const batchEntries = wholeWords(BATCH_BYTES / entryBytes);
  const chunkRows = Math.max(
    1,
    Math.min(
      input.chunkRows ??
        Math.floor(CHUNK_BYTES / (input.sourceBytes + exampleBytes)),
      MAX_CHUNK_ROWS,
      rows,
    ),
  );
  const slotEntries = Math.max(
    classes,
    Math.min(
      Math.floor(SLOT_BYTES / entryBytes),
      chunkRows * Math.min(maxEntries, Number.MAX_SAFE_INTEGER / chunkRows),
    ),
  );
  const maxBytes = rows * (exampleBytes + maxEntries * entryBytes);
  const task = { chunkRows, slotEntries, maxEntries };
  const firstRows = rowsOfNextTask(task, 0, 0);
  const threads =
    maxBytes + rows * input.sourceBytes <= INLINE_BYTES
      ? 0
      : Math.min(input.threads, Math.ceil(rows / firstRows));
  return {
    rowStart,
    rows,
    classes,
    /** Limits of a record batch. In layout coo every batch except the last has exactly `batchEntries` entries. */
    batchExamples: layout === "csr" ? batchExamples : batchEntries,
    batchEntries,
    /** Row limit of a task; tasks are smaller if rows have many entries. */
    chunkRows,
    // A task is loaded whole; blocks are never in a slot.
    loadRows: chunkRows,
    rowBlockSize: chunkRows,
    tileRows: classes,
    /** Capacity of a slot in entries; at least `classes`, so that every row of a block fits. */
    slotEntries,
    /** Upper bound of the entries per example. */
    maxEntries,
    /** Size of an output that stores every entry. */
    maxBytes,
    threads,
    slots: threads === 0 ? 1 : 2 * threads + 1,
  };
}

/** Rounds down to a multiple of 64, so that bitmaps and buffers of batches end on whole words. */
function wholeWords(rows: number): number {
  return Math.max(64, Math.floor(rows / 64) * 64);
}

/**
 * Returns the number of rows of the next task: an estimate of the rows that fill two thirds of a slot, from the entries of
 * the rows so far. It affects only how evenly threads are loaded.
 */
export function rowsOfNextTask(
  plan: Pick<EntriesRows, "chunkRows" | "slotEntries" | "maxEntries">,
  rowsDone: number,
  entriesDone: number,
): number {
  const { chunkRows, slotEntries, maxEntries } = plan;
  const perRow = rowsDone > 0 ? entriesDone / rowsDone : maxEntries;
  const rows = Math.floor((2 * slotEntries) / (3 * Math.max(perRow, 1e-3)));
  return Math.max(1, Math.min(rows, chunkRows));
}

/** The plan of a run in layout csr or coo. Offsets in the output are known only when record batches are complete. */
export type EntriesPlan = ReturnType<typeof planEntries>;

/** Limit of the int32 indices i·classes + j. */
const MAX_INDICES = 2 ** 31 - 1;

/** Plans a run on an opened input for layout csr or coo. */
export function planEntries(
  options: ResolvedOptions,
  logits: LogitsFile,
  layout: EntriesLayout,
) {
  const { classes, path, column } = logits;
  if (layout === "csr" && classes * classes > MAX_INDICES)
    throw tooLargeError(
      path,
      column,
      `expected at most ${Math.floor(Math.sqrt(MAX_INDICES))} classes in layout csr, whose indices are int32, found ${classes}`,
    );
  const { file: fileOf, ...common } = planCommon(options, logits);
  const { dtype, results, onBadRow } = common;
  const positions = common.positions.length;
  const columns = [
    ...positionColumns(common.positions),
    ...tableColumns(options.emit, layout, dtype, results),
  ];
  const coo = layout === "coo";
  const bytesOf = (some: TableColumn[]) =>
    some.reduce((sum, { listSize, width }) => sum + (listSize ?? 1) * width, 0);
  const exampleColumns = columns.filter(isPerExample);
  const entryColumns = columns.filter((column) => !isPerExample(column));
  const exampleBytes = bytesOf(exampleColumns);
  const plan = planEntriesRows({
    ...common,
    layout,
    // 16: the row number and the list offsets of both columns of entries
    exampleBytes: 16 + exampleBytes + common.copiedBytesPerRow,
    entryBytes: bytesOf(entryColumns) + (coo ? 8 + exampleBytes : 0),
    topK: options.topK,
  });
  const slot = layoutEntriesSlot({
    ...common,
    ...plan,
    width: dtype === "float32" ? 4 : 8,
    positions,
    coo,
    repeated: coo ? exampleColumns.map(({ width }) => width) : [],
  });
  const exampleOffset = ({ source }: TableColumn) =>
    source.kind === "position"
      ? (slot.positions[source.n] as number)
      : source.kind === "result"
        ? (slot.results[source.n] as number)
        : slot.entries[source.kind];
  const setup: EntriesSetup = {
    ...slot.entries,
    code: EMITS[options.emit.find(isJacobian) ?? "jacobian"].code,
    threshold: options.threshold,
    topK: options.topK ?? 0,
    float32: dtype === "float32",
    pairs: coo,
    capacity: plan.slotEntries,
    examples: coo
      ? exampleColumns.map((column) => ({
          offset: exampleOffset(column),
          width: column.width,
        }))
      : [],
  };
  return {
    kind: "entries" as const,
    layout,
    ...withinMemory(plan, slot, logits),
    slot,
    results,
    /** Index columns after `row`, then the columns after the copied ones, with the offsets of their values in a slot. */
    columns: columns.map((column) => ({
      ...column,
      offset:
        coo && isPerExample(column)
          ? (slot.entries.repeated[exampleColumns.indexOf(column)] as number)
          : exampleOffset(column),
    })),
    /** Number of index columns after `row`. */
    positions,
    file: fileOf(columns.slice(positions)),
    dtype,
    onBadRow,
    setup,
  };
}
