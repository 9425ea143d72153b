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
  type LikeBatches,
  layoutJacobianFile,
  measureJacobianFile,
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

/** A planned run whose record batches and tasks are counted and not listed: its size does not depend on the rows. */
export interface SizedJob {
  kind: "planned";
  plan: PlanSizes;
  slot: SlotLayout;
  sizes: JacobianFileSizes;
  /** Shapes of its record batches, in order. */
  shapes(): Iterable<LikeBatches>;
  /** Head of the output file. */
  file: JacobianFileHeadSpec;
  results: ResultColumn[];
  dtype: "float32" | "float64";
  onBadRow: ResolvedOptions["onBadRow"];
}

/** A planned run: the tasks, the slot, and the offset of every byte of the output. */
export interface PlannedJob extends SizedJob {
  plan: Plan;
  layout: JacobianFileLayout;
  /** Rows that the output omits, ascending. */
  skipped: readonly number[];
}

/** fixed_size_list lengths are int32. */
const MAX_LIST_SIZE = 2 ** 31 - 1;
/** Copied text can make a batch larger than planned; some readers refuse bodies over 256 MiB. */
const MAX_BODY_BYTES = 256 * 2 ** 20;
/** Batches are not made smaller than this for the sake of one long text. */
const FEW_ROWS = 64;

/**
 * Plans a run on an opened input, without the rows that the output omits. Reads at most the ends of copied text columns.
 * With the `batchRows` of another plan of the same run, chunks and slots are the same.
 */
export function planPlannedJob(
  options: ResolvedOptions,
  logits: LogitsFile,
  skipped: readonly number[] = [],
  batchRows?: number,
): PlannedJob {
  const { planInput, shapeOf, ...sized } = measure(
    options,
    logits,
    skipped,
    batchRows,
  );
  const plan = { ...planRun(planInput), ...sized.plan };
  const shapes = plan.batches.map(({ rowStart, rowEnd }) =>
    shapeOf(rowStart, rowEnd),
  );
  const layout = layoutJacobianFile(sized.file, shapes);
  return { ...sized, plan, layout, skipped };
}

/**
 * Returns the plan of a run without a list of its record batches and tasks. Memory does not depend on the number of rows,
 * and time only if copied columns have nulls or a variable length.
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
  const { rowStart, rows: ownRows, dtype, results, positions } = common;
  const { onBadRow } = options;
  const nullableResults = onBadRow === "null";
  rejectLongLists(options, logits, results);

  const inputWith = (maxBatchRows?: number): PlanInput => ({
    rowStart,
    rows: ownRows,
    classes: logits.classes,
    sourceBytes: common.sourceBytes,
    results,
    copiedBytesPerRow: copiedBytesPerRow(logits),
    threads: options.threads,
    threadsAtHand:
      options.threadsExplicit ||
      options.part !== null ||
      options.compress !== undefined,
    chunkRows: options.chunkRows,
    maxBatchRows,
  });
  const file = common.file(results);
  const shapeOf = (from: number, to: number): JacobianBatchShape => {
    const without = rowsWithin(skipped, from, to);
    const rows = to - from - without.length;
    return {
      rows,
      positions: positions.length,
      results: results.map(({ list, listSize, width }) => ({
        list,
        offsets: false,
        items: rows * listSize,
        width,
      })),
      nullableResults,
      copied: copiedShapes(logits, from, to, without),
    };
  };
  const areAlike = skipped.length === 0 && copiedAreAlike(logits);
  function* shapesOf({ batchRows }: PlanSizes): Generator<LikeBatches> {
    const rowEnd = rowStart + ownRows;
    const full = areAlike ? Math.floor(ownRows / batchRows) : 0;
    const start = rowStart + full * batchRows;
    if (full > 0)
      yield { shape: shapeOf(rowStart, rowStart + batchRows), count: full };
    for (let from = start; from < rowEnd; from += batchRows) {
      const shape = shapeOf(from, Math.min(from + batchRows, rowEnd));
      yield { shape, count: 1 };
    }
  }

  let planInput = inputWith(batchRows);
  let plan = planSizes(planInput);
  let tooLong: InputUnsupportedError | null = null;
  function* checked(): Generator<LikeBatches> {
    tooLong = null;
    for (const like of shapesOf(plan)) {
      tooLong ??= tooManyItems(logits, like.shape.copied);
      yield like;
    }
  }
  let sizes = measureJacobianFile(file, checked());
  while (plan.batchRows > FEW_ROWS && sizes.largestBodyBytes > MAX_BODY_BYTES) {
    planInput = inputWith(Math.ceil(plan.batchRows / 2));
    plan = planSizes(planInput);
    sizes = measureJacobianFile(file, checked());
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

/** Returns those of some ascending rows that are in `[rowStart, rowEnd)`. */
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

/** Returns whether record batches of as many rows take as many bytes of copied columns, whatever their rows. */
function copiedAreAlike({ copied, batches }: LogitsFile): boolean {
  return copied.every(({ form }, k) => {
    const haveNulls = batches.map(
      (batch) => (batch.copied[k]?.buffers.nullCount ?? 0) > 0,
    );
    return form === "fixed-width" && new Set(haveNulls).size <= 1;
  });
}
