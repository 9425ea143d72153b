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

/** The plan of a run over single entries; offsets in the output are known when its record batches are complete. */
export interface EntriesJob {
  kind: "entries";
  layout: EntriesLayout;
  plan: EntriesPlan;
  slot: EntriesSlotLayout;
  results: ResultColumn[];
  /** Index columns after `row`, then the columns after the copied ones. */
  columns: PlacedColumn[];
  /** Number of index columns after `row`. */
  positions: number;
  file: JacobianFileHeadSpec;
  dtype: "float32" | "float64";
  setup: EntriesSetup;
  onBadRow: ResolvedOptions["onBadRow"];
}

/** A column of the table, and where a task leaves its values in a slot. */
export interface PlacedColumn extends TableColumn {
  place: number;
}

/** Indices i·Q + j are int32. */
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
  const own = columns.filter(isPerExample);
  const entryColumns = columns.filter((column) => !isPerExample(column));
  const plan = planEntries({
    rowStart,
    rows,
    classes,
    layout,
    sourceBytes: common.sourceBytes,
    // row, and one offset of a list for each column of entries
    exampleBytes: 16 + bytesOf(own) + copiedBytesPerRow(logits),
    entryBytes: bytesOf(entryColumns) + (coo ? 8 + bytesOf(own) : 0),
    topK: options.topK,
    threads: options.threads,
    chunkRows: options.chunkRows,
  });
  const slot = layoutEntriesSlot({
    ...plan,
    width,
    positions: positions.length,
    coo,
    repeated: coo ? own.map(({ width }) => width) : [],
    results,
    sources,
  });
  const ownPlace = ({ source }: TableColumn) =>
    source.kind === "position"
      ? (slot.positions[source.n] as number)
      : source.kind === "result"
        ? (slot.results[source.n] as number)
        : slot.entries[source.kind];
  const placed = columns.map((column) => ({
    ...column,
    place:
      coo && isPerExample(column)
        ? (slot.entries.repeated[own.indexOf(column)] as number)
        : ownPlace(column),
  }));
  const file = common.file(columns.slice(positions.length));
  const block = options.emit.find(isJacobian) ?? "jacobian";
  return {
    kind: "entries",
    layout,
    plan: withinMemory(plan, slot, logits),
    slot,
    results,
    columns: placed,
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
        ? own.map((column) => ({
            offset: ownPlace(column),
            width: column.width,
          }))
        : [],
    },
  };
}
