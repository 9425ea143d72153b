import { InputUnsupportedError } from "../errors.js";
import { keptBytesPerRow } from "../input/kept-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import { sourcesOf } from "../input/source-pieces.js";
import { DIRECT_BYTES } from "../io/direct.js";
import { keptShapes } from "../kept-shapes.js";
import { metadataOf, type ResolvedOptions } from "../options.js";
import { encodeDictionary } from "../output/dictionaries.js";
import type { JacobianBatchShape } from "../output/jacobian-batch.js";
import {
  type JacobianFileHeadSpec,
  type JacobianFileLayout,
  layoutJacobianFile,
} from "../output/jacobian-file.js";
import { jacobianSchema } from "../output/jacobian-schema.js";
import { rowsOf } from "../part.js";
import { type Plan, planRun } from "../plan.js";
import { type ResultColumn, resultColumns } from "../results/columns.js";
import { MAX_DENSE_BYTES } from "../results/dense-limit.js";
import { resultsOf } from "../results/emit-options.js";
import {
  isWidened,
  layoutSlot,
  type SlotLayout,
} from "../slots/slot-layout.js";
import { SkippedRows } from "./skipped-rows.js";

/** A run that has only to be carried out: the plan, the slot, and every byte of the output placed. */
export interface PlannedJob {
  kind: "planned";
  plan: Plan;
  slot: SlotLayout;
  layout: JacobianFileLayout;
  /** What its head is made of. */
  file: JacobianFileHeadSpec;
  results: ResultColumn[];
  dtype: "float32" | "float64";
  onBadRow: ResolvedOptions["onBadRow"];
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

  const planWith = (maxBatchRows?: number) =>
    planRun({
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
      results,
      kept: logits.kept.map(({ field }) => field),
      nullableResults,
      tensorType: options.tensorType,
    }),
    metadata: metadataOf(options, logits, dtype),
    dictionaries: logits.dictionaries.map((source) => ({
      metadata: encodeDictionary(source),
      bodyBytes: source.bodyBytes,
    })),
  };
  const layoutOf = (plan: Plan) =>
    layoutJacobianFile({
      ...file,
      batches: plan.batches.map(({ rowStart, rowEnd }): JacobianBatchShape => {
        const without = skipped.between(rowStart, rowEnd);
        const rows = rowEnd - rowStart - without.length;
        return {
          rows,
          results: results.map(({ list, listSize, width }) => ({
            list,
            offsets: false,
            items: rows * listSize,
            width,
          })),
          nullableResults,
          kept: keptShapes(logits, rowStart, rowEnd, without),
        };
      }),
    });

  let plan = planWith(batchRows);
  let layout = layoutOf(plan);
  while (plan.batchRows > FEW_ROWS && oversized(layout)) {
    plan = planWith(Math.ceil(plan.batchRows / 2));
    layout = layoutOf(plan);
  }
  refuseLongText(logits, layout);
  const slot = layoutSlot({
    ...plan,
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
    slot,
    layout,
    file,
    results,
    dtype,
    onBadRow,
    skipped,
  };
}

function refuseLongLists(
  { layout, forceDense }: ResolvedOptions,
  { path, column, classes, rows }: LogitsFile,
  results: ResultColumn[],
): void {
  const denseBytes = results.reduce(
    (sum, { listSize, values, width }) =>
      listSize > values ? sum + rows * listSize * width : sum,
    0,
  );
  if (denseBytes > MAX_DENSE_BYTES && !forceDense)
    throw new InputUnsupportedError(
      path,
      `column ${column}`,
      `expected a dense tensor of at most ${MAX_DENSE_BYTES} bytes, found ${rows} x ${classes} x ${rows} x ${classes}: ${denseBytes} bytes (--force-dense, or another layout: all but its diagonal blocks is zero)`,
    );
  const long = results.find(({ listSize }) => listSize > MAX_LIST_SIZE);
  if (long)
    throw new InputUnsupportedError(
      path,
      `column ${column}`,
      `expected at most ${MAX_LIST_SIZE} values in a row of ${long.name} (one Arrow list) in layout ${layout}, found ${long.listSize} for ${classes} classes`,
    );
}

/** Offsets of utf8 and binary are int32. */
function refuseLongText(logits: LogitsFile, layout: JacobianFileLayout): void {
  for (const { shape } of layout.batches)
    shape.kept.forEach(({ values }, k) => {
      const column = logits.kept[k];
      if (column?.offsetBytes === 4 && values > MAX_LIST_SIZE)
        throw new InputUnsupportedError(
          logits.path,
          `column ${column.field.name}`,
          `expected at most ${MAX_LIST_SIZE} bytes of text in ${shape.rows} rows, found ${values}`,
        );
    });
}

function oversized(layout: JacobianFileLayout): boolean {
  return layout.batches.some(({ bodyBytes }) => bodyBytes > MAX_BODY_BYTES);
}
