import { tooLargeError } from "../errors.js";
import { copiedBytesPerRow } from "../input/copied-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { ResolvedOptions } from "../options/run-options.js";
import type { JacobianFileHeadSpec } from "../output/jacobian-file.js";
import { EMITS, type EntriesLayout } from "../results/catalogue.js";
import { isJacobian, type ResultColumn } from "../results/columns.js";
import {
  isPerExample,
  positionColumns,
  type TableColumn,
  tableColumns,
} from "../results/table-columns.js";
import {
  type EntriesSlotLayout,
  layoutEntriesSlot,
} from "../tasks/entries-slot-layout.js";
import type { EntriesSetup } from "../tasks/run-tasks.js";
import { planCommon, withinMemory } from "./common-plan.js";
import { type EntriesPlan, planEntries } from "./plan-entries.js";

/** The plan of a run in layout csr or coo. Offsets in the output are known only when record batches are complete. */
export interface EntriesJob {
  kind: "entries";
  layout: EntriesLayout;
  plan: EntriesPlan;
  slot: EntriesSlotLayout;
  results: ResultColumn[];
  /** Index columns after `row`, then the columns after the copied ones. */
  columns: SlotColumn[];
  /** Number of index columns after `row`. */
  positions: number;
  file: JacobianFileHeadSpec;
  dtype: "float32" | "float64";
  setup: EntriesSetup;
  onBadRow: ResolvedOptions["onBadRow"];
}

/** A column of the output, and the offset of its values in a slot. */
export interface SlotColumn extends TableColumn {
  offset: number;
}

/** Limit of the int32 indices i·classes + j. */
const MAX_INDICES = 2 ** 31 - 1;

/** Plans a run on an opened input for layout csr or coo. */
export function planEntriesJob(
  options: ResolvedOptions,
  logits: LogitsFile,
  layout: EntriesLayout,
): EntriesJob {
  const { classes, path, column } = logits;
  if (layout === "csr" && classes * classes > MAX_INDICES)
    throw tooLargeError(
      path,
      column,
      `expected at most ${Math.floor(Math.sqrt(MAX_INDICES))} classes in layout csr, whose indices are int32, found ${classes}`,
    );
  const common = planCommon(options, logits);
  const { rowStart, rows, dtype, results, positions, sources } = common;
  const width = dtype === "float32" ? 4 : 8;
  const columns = [
    ...positionColumns(positions),
    ...tableColumns(options.emit, layout, dtype, results),
  ];
  const coo = layout === "coo";
  const bytesOf = (some: TableColumn[]) =>
    some.reduce((sum, { listSize, width }) => sum + (listSize ?? 1) * width, 0);
  const exampleColumns = columns.filter(isPerExample);
  const entryColumns = columns.filter((column) => !isPerExample(column));
  const plan = planEntries({
    rowStart,
    rows,
    classes,
    layout,
    sourceBytes: common.sourceBytes,
    // 16: the row number and the list offsets of both columns of entries
    exampleBytes: 16 + bytesOf(exampleColumns) + copiedBytesPerRow(logits),
    entryBytes: bytesOf(entryColumns) + (coo ? 8 + bytesOf(exampleColumns) : 0),
    topK: options.topK,
    threads: options.threads,
    chunkRows: options.chunkRows,
  });
  const slot = layoutEntriesSlot({
    ...plan,
    width,
    positions: positions.length,
    coo,
    repeated: coo ? exampleColumns.map(({ width }) => width) : [],
    results,
    sources,
  });
  const exampleOffset = ({ source }: TableColumn) =>
    source.kind === "position"
      ? (slot.positions[source.n] as number)
      : source.kind === "result"
        ? (slot.results[source.n] as number)
        : slot.entries[source.kind];
  const slotColumns = columns.map((column) => ({
    ...column,
    offset:
      coo && isPerExample(column)
        ? (slot.entries.repeated[exampleColumns.indexOf(column)] as number)
        : exampleOffset(column),
  }));
  const file = common.file(columns.slice(positions.length));
  const block = options.emit.find(isJacobian) ?? "jacobian";
  return {
    kind: "entries",
    layout,
    plan: withinMemory(plan, slot, logits),
    slot,
    results,
    columns: slotColumns,
    positions: positions.length,
    file,
    dtype,
    onBadRow: options.onBadRow,
    setup: {
      ...slot.entries,
      code: EMITS[block].code,
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
    },
  };
}
