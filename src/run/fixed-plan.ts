import { countWhile } from "../bisect.js";
import { InputUnsupportedError, tooLargeError } from "../errors.js";
import { copiedShapes } from "../input/copied-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import { DIRECT_BYTES } from "../io/write-or-compare.js";
import type { ResolvedOptions } from "../options/run-options.js";
import type { JacobianBatchShape } from "../output/jacobian-batch.js";
import {
  type JacobianFileLayout,
  layoutJacobianFile,
  measureJacobianFile,
  type UniformBatches,
} from "../output/jacobian-file.js";
import { MAX_DENSE_BYTES } from "../results/catalogue.js";
import { positionColumns, type ResultColumn } from "../results/columns.js";
import { keyCount } from "../results/row-axes.js";
import { layoutSlot } from "../tasks/slot-layout.js";
import { planCommon, withinMemory } from "./common-plan.js";
import { tooManyItems } from "./copy-column-task.js";
import { batchRange, planFixedRows } from "./fixed-rows.js";

/** Lengths of fixed_size_list are int32. */
const MAX_LIST_SIZE = 2 ** 31 - 1;
/** Some readers reject bodies over 256 MiB, which long copied texts could exceed. */
const MAX_BODY_BYTES = 256 * 2 ** 20;
/** One long text does not make batches smaller than this. */
const MIN_BATCH_ROWS = 64;

/** The plan of a run of known size: tasks, slot and sizes. Record batches are counted, not listed. */
export type FixedPlan = ReturnType<typeof planFixed>;

/**
 * Plans a run on an opened input, in constant memory. Reads nothing but the last offsets of copied text columns; the time
 * depends on the number of rows only if copied columns have nulls or variable lengths.
 */
export function planFixed(options: ResolvedOptions, logits: LogitsFile) {
  const { file: fileOf, ...common } = planCommon(options, logits);
  const { rowStart, rows, results, dtype, onBadRow } = common;
  const positions = common.positions.length;
  rejectLongLists(options, logits, results);
  const file = fileOf(results);
  const shapeOf = (
    from: number,
    to: number,
    without: readonly number[] = [],
  ): JacobianBatchShape => {
    const batchRows = to - from - without.length;
    return {
      rows: batchRows,
      positions,
      results: results.map(({ list, listSize, width }) => ({
        list,
        offsets: false,
        items: batchRows * listSize,
        width,
      })),
      nullableResults: onBadRow === "null",
      copied: copiedShapes(logits, from, to, without),
    };
  };
  const areUniform = copiedAreUniform(logits);
  function* shapesOf(batchRows: number): Generator<UniformBatches> {
    const rowEnd = rowStart + rows;
    let from = rowStart;
    const count = areUniform ? Math.floor(rows / batchRows) : 0;
    if (count > 0) yield { shape: shapeOf(from, from + batchRows), count };
    for (from += count * batchRows; from < rowEnd; from += batchRows)
      yield {
        shape: shapeOf(from, Math.min(from + batchRows, rowEnd)),
        count: 1,
      };
  }

  const planWithin = (maxBatchRows?: number) => {
    const plan = planFixedRows({
      ...common,
      threadsAvailable:
        options.threadsExplicit ||
        options.part !== null ||
        options.compress !== undefined,
      maxBatchRows,
    });
    const tooMany: InputUnsupportedError[] = [];
    function* checkedShapes(): Generator<UniformBatches> {
      for (const batches of shapesOf(plan.batchRows)) {
        tooMany.push(...tooManyItems(logits, batches.shape.copied));
        yield batches;
      }
    }
    return { plan, tooMany, ...measureJacobianFile(file, checkedShapes()) };
  };
  let { plan, tooMany, bytes, largestBodyBytes } = planWithin();
  while (plan.batchRows > MIN_BATCH_ROWS && largestBodyBytes > MAX_BODY_BYTES)
    ({ plan, tooMany, bytes, largestBodyBytes } = planWithin(
      Math.ceil(plan.batchRows / 2),
    ));
  if (tooMany[0]) throw tooMany[0];
  const slack = DIRECT_BYTES;
  const slot = layoutSlot({ ...common, ...plan, positions, slack });
  return {
    kind: "fixed" as const,
    ...withinMemory(plan, slot, logits),
    slot,
    /** Size of the output, if no rows are omitted. */
    maxBytes: bytes,
    largestBodyBytes,
    /** Yields the shapes of the record batches, in order. */
    shapes: () => shapesOf(plan.batchRows),
    /** Returns the shape of a record batch of rows [from, to), except the rows in `without`. */
    shapeOf,
    /** Head of the output file. */
    file,
    results,
    /** Columns of the output except `row` and copied ones. */
    columns: [...positionColumns(common.positions), ...results],
    dtype,
    onBadRow,
  };
}

/** Computes the offset of every byte of the output, which omits the rows in `skipped` (ascending). */
export function layoutFixed(
  plan: FixedPlan,
  skipped: readonly number[],
): JacobianFileLayout {
  const shapes = Array.from({ length: plan.batchCount }, (_, k) => {
    const { rowStart, rowEnd } = batchRange(plan, k);
    const without = rowsWithin(skipped, rowStart, rowEnd);
    return plan.shapeOf(rowStart, rowEnd, without);
  });
  return layoutJacobianFile(plan.file, shapes);
}

/** Returns the elements of `rows` (ascending) in `[rowStart, rowEnd)`. */
export function rowsWithin(
  rows: readonly number[],
  rowStart: number,
  rowEnd: number,
): readonly number[] {
  const countBefore = (row: number) =>
    countWhile(rows.length, (k) => (rows[k] as number) < row);
  return rows.slice(countBefore(rowStart), countBefore(rowEnd));
}

function rejectLongLists(
  { layout, forceDense }: ResolvedOptions,
  { path, column, classes, rows, leading }: LogitsFile,
  results: ResultColumn[],
): void {
  const reject = (text: string) => {
    throw new InputUnsupportedError(path, `column ${column}`, text);
  };
  if (layout === "dense" && keyCount(leading) !== rows)
    reject(
      "layout dense needs as many rows in each list; use another layout, which stores only the diagonal blocks",
    );
  const denseBytes = results.reduce(
    (sum, { listSize, values, width }) =>
      listSize > values ? sum + rows * listSize * width : sum,
    0,
  );
  if (denseBytes > MAX_DENSE_BYTES && !forceDense)
    reject(
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
