import { tooLargeError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { EMITS, type EntriesLayout } from "../results/catalogue.js";
import { isJacobian } from "../results/columns.js";
import {
  isPerExample,
  positionColumns,
  type TableColumn,
  tableColumns,
} from "../results/table-columns.js";
import type { EntriesSetup } from "../tasks/run-tasks.js";
import { layoutEntriesSlot } from "../tasks/slot-layout.js";
import { planCommon, withinMemory } from "./common-plan.js";
import { planEntriesRows } from "./entries-rows.js";

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
