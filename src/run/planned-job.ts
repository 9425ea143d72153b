import { InputUnsupportedError, tooLargeError } from "../errors.js";
import { copiedBytesPerRow, copiedShapes } from "../input/copied-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import { DIRECT_BYTES } from "../io/write-or-compare.js";
import type { ResolvedOptions } from "../options/run-options.js";
import type { JacobianBatchShape } from "../output/jacobian-batch.js";
import {
  type JacobianFileHeadSpec,
  type JacobianFileLayout,
  type JacobianFileSizes,
  layoutJacobianFile,
  measureJacobianFile,
  type UniformBatches,
} from "../output/jacobian-file.js";
import { MAX_DENSE_BYTES } from "../results/catalogue.js";
import type { ResultColumn } from "../results/columns.js";
import { keyCount } from "../results/row-axes.js";
import { layoutSlot, type SlotLayout } from "../tasks/slot-layout.js";
import { planCommon, withinMemory } from "./common-plan.js";
import { tooManyItems } from "./copy-column-task.js";
import {
  type Plan,
  type PlanInput,
  type PlanSizes,
  planRun,
  planSizes,
} from "./plan-rows.js";

/** A planned run whose record batches and tasks are counted instead of listed, so that it takes constant memory. */
export interface SizedJob {
  kind: "planned";
  plan: PlanSizes;
  slot: SlotLayout;
  sizes: JacobianFileSizes;
  /** Yields the shapes of the record batches, in order. */
  shapes(): Iterable<UniformBatches>;
  /** Head of the output file. */
  file: JacobianFileHeadSpec;
  results: ResultColumn[];
  dtype: "float32" | "float64";
  onBadRow: ResolvedOptions["onBadRow"];
}

/** A planned run: tasks, slot, and the offset of every byte of the output. */
export interface PlannedJob extends SizedJob {
  plan: Plan;
  layout: JacobianFileLayout;
  /** Rows that the output omits, ascending. */
  skipped: readonly number[];
}

/** Lengths of fixed_size_list are int32. */
const MAX_LIST_SIZE = 2 ** 31 - 1;
/** Some readers reject bodies over 256 MiB, which long copied texts could exceed. */
const MAX_BODY_BYTES = 256 * 2 ** 20;
/** One long text does not make batches smaller than this. */
const MIN_BATCH_ROWS = 64;

/**
 * Plans a run on an opened input. Reads nothing but the last offsets of copied text columns.
 * @param skipped rows that the output omits, ascending
 * @param batchRows row limit of record batches; that of an earlier plan gives the same chunks and slots
 */
export function planPlannedJob(
  options: ResolvedOptions,
  logits: LogitsFile,
  skipped: readonly number[] = [],
  batchRows?: number,
): PlannedJob {
  const measured = measure(options, logits, skipped, batchRows);
  const { planInput, shapeOf, ...sized } = measured;
  const plan = { ...planRun(planInput), ...sized.plan };
  const shapes = plan.batches.map(({ rowStart, rowEnd }) =>
    shapeOf(rowStart, rowEnd),
  );
  const layout = layoutJacobianFile(sized.file, shapes);
  return { ...sized, plan, layout, skipped };
}

/**
 * Plans a run in constant memory. The time depends on the number of rows only if copied columns have nulls or variable
 * lengths.
 */
export function sizePlannedJob(
  options: ResolvedOptions,
  logits: LogitsFile,
): SizedJob {
  return measure(options, logits, []);
}

interface Measured extends SizedJob {
  planInput: PlanInput;
  shapeOf(rowStart: number, rowEnd: number): JacobianBatchShape;
}

function measure(
  options: ResolvedOptions,
  logits: LogitsFile,
  skipped: readonly number[],
  batchRows?: number,
): Measured {
  const common = planCommon(options, logits);
  const { rowStart, rows, dtype, results, positions } = common;
  const { onBadRow } = options;
  const nullableResults = onBadRow === "null";
  rejectLongLists(options, logits, results);

  const inputWith = (maxBatchRows?: number): PlanInput => ({
    rowStart,
    rows,
    classes: logits.classes,
    sourceBytes: common.sourceBytes,
    results,
    copiedBytesPerRow: copiedBytesPerRow(logits),
    threads: options.threads,
    threadsAvailable:
      options.threadsExplicit ||
      options.part !== null ||
      options.compress !== undefined,
    chunkRows: options.chunkRows,
    maxBatchRows,
  });
  const file = common.file(results);
  const shapeOf = (from: number, to: number): JacobianBatchShape => {
    const without = rowsWithin(skipped, from, to);
    const batchRows = to - from - without.length;
    return {
      rows: batchRows,
      positions: positions.length,
      results: results.map(({ list, listSize, width }) => ({
        list,
        offsets: false,
        items: batchRows * listSize,
        width,
      })),
      nullableResults,
      copied: copiedShapes(logits, from, to, without),
    };
  };
  const areUniform = skipped.length === 0 && copiedAreUniform(logits);
  function* shapesOf({ batchRows }: PlanSizes): Generator<UniformBatches> {
    const rowEnd = rowStart + rows;
    const count = areUniform ? Math.floor(rows / batchRows) : 0;
    if (count > 0)
      yield { shape: shapeOf(rowStart, rowStart + batchRows), count };
    for (
      let from = rowStart + count * batchRows;
      from < rowEnd;
      from += batchRows
    ) {
      const shape = shapeOf(from, Math.min(from + batchRows, rowEnd));
      yield { shape, count: 1 };
    }
  }

  let planInput = inputWith(batchRows);
  let plan = planSizes(planInput);
  let tooLong: InputUnsupportedError | null = null;
  function* checkedShapes(): Generator<UniformBatches> {
    tooLong = null;
    for (const batches of shapesOf(plan)) {
      tooLong ??= tooManyItems(logits, batches.shape.copied);
      yield batches;
    }
  }
  let sizes = measureJacobianFile(file, checkedShapes());
  while (
    plan.batchRows > MIN_BATCH_ROWS &&
    sizes.largestBodyBytes > MAX_BODY_BYTES
  ) {
    planInput = inputWith(Math.ceil(plan.batchRows / 2));
    plan = planSizes(planInput);
    sizes = measureJacobianFile(file, checkedShapes());
  }
  if (tooLong) throw tooLong;
  const slot = layoutSlot({
    ...plan,
    positions: positions.length,
    results,
    slack: DIRECT_BYTES,
    sources: common.sources,
  });
  return {
    kind: "planned",
    plan: withinMemory(plan, slot, logits),
    planInput,
    slot,
    sizes,
    shapes: () => shapesOf(plan),
    shapeOf,
    file,
    results,
    dtype,
    onBadRow,
  };
}

/** Returns the elements of `rows` (ascending) in `[rowStart, rowEnd)`. */
export function rowsWithin(
  rows: readonly number[],
  rowStart: number,
  rowEnd: number,
): readonly number[] {
  const countBefore = (row: number): number => {
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((rows[middle] as number) < row) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return rows.slice(countBefore(rowStart), countBefore(rowEnd));
}

function rejectLongLists(
  { layout, forceDense }: ResolvedOptions,
  { path, column, classes, rows, leading }: LogitsFile,
  results: ResultColumn[],
): void {
  if (layout === "dense" && keyCount(leading) !== rows)
    throw new InputUnsupportedError(
      path,
      `column ${column}`,
      "layout dense needs as many rows in each list; use another layout, which stores only the diagonal blocks",
    );
  const denseBytes = results.reduce(
    (sum, { listSize, values, width }) =>
      listSize > values ? sum + rows * listSize * width : sum,
    0,
  );
  if (denseBytes > MAX_DENSE_BYTES && !forceDense)
    throw new InputUnsupportedError(
      path,
      `column ${column}`,
      `expected a dense tensor of at most ${MAX_DENSE_BYTES} bytes, found ${rows} x ${classes} x ${rows} x ${classes}: ${denseBytes} bytes; use another layout, which stores only the diagonal blocks, or --force-dense`,
    );
  const long = results.find(({ listSize }) => listSize > MAX_LIST_SIZE);
  if (long)
    throw tooLargeError(
      path,
      column,
      `a block of ${classes} x ${classes} classes has ${long.listSize} values of ${long.name} in layout ${layout}, and an Arrow list has at most ${MAX_LIST_SIZE}`,
    );
}

/** Whether the bytes of copied columns in a record batch depend only on its number of rows. */
function copiedAreUniform({ copied, batches }: LogitsFile): boolean {
  return copied.every(({ form }, k) => {
    const hasNulls = batches.map(
      (batch) => (batch.copied[k]?.buffers.nullCount ?? 0) > 0,
    );
    return form === "fixed-width" && new Set(hasNulls).size <= 1;
  });
}
