import { InputUnsupportedError, tooLarge } from "../errors.js";
import { keptBytesPerRow } from "../input/kept-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import { axesOf } from "../input/row-indices.js";
import { sourcesOf } from "../input/source-pieces.js";
import { DIRECT_BYTES } from "../io/direct.js";
import { keptShapes, tooManyItems } from "../kept-shapes.js";
import { metadataOf, type ResolvedOptions } from "../options.js";
import { encodeDictionary } from "../output/dictionaries.js";
import type { JacobianBatchShape } from "../output/jacobian-batch.js";
import {
  type JacobianFileHeadSpec,
  type JacobianFileLayout,
  type JacobianFileSizes,
  type LikeBatches,
  layoutJacobianFile,
  measureJacobianFile,
} from "../output/jacobian-file.js";
import { jacobianSchema } from "../output/jacobian-schema.js";
import { rowsOf } from "../part.js";
import {
  type Plan,
  type PlanInput,
  type PlanSizes,
  planRun,
  planSizes,
} from "../plan.js";
import { type ResultColumn, resultColumns } from "../results/columns.js";
import { MAX_DENSE_BYTES } from "../results/dense-limit.js";
import { resultsOf } from "../results/emit-options.js";
import { keyCount, positionNames } from "../results/row-axes.js";
import {
  isWidened,
  layoutSlot,
  type SlotLayout,
} from "../slots/slot-layout.js";
import { SkippedRows } from "./skipped-rows.js";

/** A run whose record batches and tasks are counted and not listed: what it takes, whatever the number of rows. */
export interface SizedJob {
  kind: "planned";
  plan: PlanSizes;
  slot: SlotLayout;
  sizes: JacobianFileSizes;
  /** Shapes of its record batches, in order. */
  shapes(): Iterable<LikeBatches>;
  /** What its head is made of. */
  file: JacobianFileHeadSpec;
  results: ResultColumn[];
  dtype: "float32" | "float64";
  onBadRow: ResolvedOptions["onBadRow"];
}

/** A run that has only to be carried out: the plan, the slot, and every byte of the output placed. */
export interface PlannedJob extends SizedJob {
  plan: Plan;
  layout: JacobianFileLayout;
  skipped: SkippedRows;
}

/** fixed_size_list lengths are int32. */
const MAX_LIST_SIZE = 2 ** 31 - 1;
/** Kept text can make a batch larger than planned; some readers refuse bodies over 256 MiB. */
const MAX_BODY_BYTES = 256 * 2 ** 20;
/** Batches are not made smaller than this for the sake of one long text. */
const FEW_ROWS = 64;

/**
 * Plans a run on an opened input, of which the output leaves `skipped` out. Reads at most the ends of kept text columns.
 * With the `batchRows` of a plan of the same run it has the same chunks and slots.
 */
export function planPlannedJob(
  options: ResolvedOptions,
  logits: LogitsFile,
  skipped = new SkippedRows([]),
  batchRows?: number,
): PlannedJob {
  const sized = measure(options, logits, skipped, batchRows);
  const plan = planRun(sized.planInput);
  const layout = layoutJacobianFile({
    ...sized.file,
    batches: plan.batches.map(({ rowStart, rowEnd }) =>
      sized.shapeOf(rowStart, rowEnd),
    ),
  });
  return { ...sized, plan, layout, skipped };
}

/**
 * Returns what a run takes, without a list of its record batches and tasks: in memory, and but for kept columns with nulls
 * or of variable length in time, that do not depend on the number of rows.
 */
export function sizePlannedJob(
  options: ResolvedOptions,
  logits: LogitsFile,
): SizedJob {
  return measure(options, logits, new SkippedRows([]));
}

interface Measured extends SizedJob {
  planInput: PlanInput;
  shapeOf(rowStart: number, rowEnd: number): JacobianBatchShape;
}

function measure(
  options: ResolvedOptions,
  logits: LogitsFile,
  skipped: SkippedRows,
  batchRows?: number,
): Measured {
  const { classes } = logits;
  const { rowStart, rows: ownRows } = rowsOf(options.part, logits);
  const dtype = options.dtype ?? logits.dtype;
  const nullableResults = options.onBadRow === "null";
  const results = resultColumns({
    ...options,
    emit: resultsOf(options.emit),
    dtype,
    classes,
    rows: ownRows,
    inputs: logits.inputs,
  });
  refuseLongLists(options, logits, results);
  const sources = sourcesOf(logits);
  const positions = positionNames(axesOf(logits).inner);

  const inputWith = (maxBatchRows?: number): PlanInput => ({
    rowStart,
    rows: ownRows,
    classes,
    sourceBytes: sources.reduce((sum, s) => sum + s.values * s.width, 0),
    results,
    keptBytesPerRow: keptBytesPerRow(logits),
    threads: options.threads,
    threadsAtHand:
      options.threadsAsked ||
      options.part !== null ||
      options.compress !== undefined,
    chunkRows: options.chunkRows,
    maxBatchRows,
  });
  const file: JacobianFileHeadSpec = {
    fields: jacobianSchema({
      positions,
      results,
      kept: logits.kept.map(({ field }) => field),
      nullableResults,
    }),
    metadata: metadataOf(options, logits, dtype),
    dictionaries: logits.dictionaries.map((source) => ({
      metadata: encodeDictionary(source),
      bodyBytes: source.bodyBytes,
    })),
  };
  const shapeOf = (from: number, to: number): JacobianBatchShape => {
    const without = skipped.between(from, to);
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
      kept: keptShapes(logits, from, to, without),
    };
  };
  const areAlike = skipped.rows.length === 0 && keptAreAlike(logits);
  function* shapesOf({ batchRows }: PlanSizes): Generator<LikeBatches> {
    const rowEnd = rowStart + ownRows;
    const full = areAlike ? Math.floor(ownRows / batchRows) : 0;
    const start = rowStart + full * batchRows;
    if (full > 0)
      yield { shape: shapeOf(rowStart, rowStart + batchRows), count: full };
    for (let from = start; from < rowEnd; from += batchRows)
      yield {
        shape: shapeOf(from, Math.min(from + batchRows, rowEnd)),
        count: 1,
      };
  }

  let planInput = inputWith(batchRows);
  let plan = planSizes(planInput);
  let tooLong: InputUnsupportedError | null = null;
  function* checked(plan: PlanSizes): Generator<LikeBatches> {
    tooLong = null;
    for (const like of shapesOf(plan)) {
      tooLong ??= tooManyItems(logits, like.shape.kept);
      yield like;
    }
  }
  let sizes = measureJacobianFile(file, checked(plan));
  while (plan.batchRows > FEW_ROWS && sizes.largestBodyBytes > MAX_BODY_BYTES) {
    planInput = inputWith(Math.ceil(plan.batchRows / 2));
    plan = planSizes(planInput);
    sizes = measureJacobianFile(file, checked(plan));
  }
  if (tooLong) throw tooLong;
  const slot = layoutSlot({
    ...plan,
    positions: positions.length,
    results,
    slack: DIRECT_BYTES,
    sources: sources.map((source, n) => ({
      ...source,
      widened: isWidened(source.type, n > 0),
    })),
  });
  const { onBadRow } = options;
  return {
    kind: "planned",
    plan,
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

function refuseLongLists(
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
    throw tooLarge(
      path,
      column,
      `a block of ${classes} x ${classes} classes has ${long.listSize} values of ${long.name} in layout ${layout}, and an Arrow list has at most ${MAX_LIST_SIZE}`,
    );
}

/** Returns whether record batches of as many rows take as many bytes of kept columns, whatever their rows. */
function keptAreAlike({ kept, batches }: LogitsFile): boolean {
  return kept.every(({ form }, k) => {
    const haveNulls = batches.map(
      (batch) => (batch.kept[k]?.nullCount ?? 0) > 0,
    );
    return form === "fixed-width" && new Set(haveNulls).size <= 1;
  });
}
