import { basename } from "node:path";
import { InputUnsupportedError } from "./errors.js";
import { keptBytesPerRow, keptRanges } from "./input/kept-pieces.js";
import type { LogitsFile } from "./input/logits-file.js";
import type { ResolvedOptions } from "./options.js";
import { encodeDictionary } from "./output/dictionaries.js";
import type { JacobianBatchShape } from "./output/jacobian-batch.js";
import {
  type JacobianFileLayout,
  layoutJacobianFile,
} from "./output/jacobian-file.js";
import { jacobianSchema } from "./output/jacobian-schema.js";
import { type Plan, planRun } from "./plan.js";
import { layoutSlot, type SlotLayout } from "./slots/slot-layout.js";
import { VERSION } from "./version.js";

/** A run that has only to be carried out: the plan, the slot, and every byte of the output placed. */
export interface Job {
  plan: Plan;
  slot: SlotLayout;
  layout: JacobianFileLayout;
  dtype: "float32" | "float64";
  nullableResults: boolean;
}

/** fixed_size_list lengths are int32. */
const MAX_LIST_SIZE = 2 ** 31 - 1;
/** Kept text can make a batch larger than planned; some readers refuse bodies over 256 MiB. */
const MAX_BODY_BYTES = 256 * 2 ** 20;
/** Batches are not made smaller than this for the sake of one long text. */
const FEW_ROWS = 64;

/** Plans a run on an opened input. Reads at most the ends of kept text columns. */
export function planJob(options: ResolvedOptions, logits: LogitsFile): Job {
  const { classes } = logits;
  if (classes * classes > MAX_LIST_SIZE)
    throw new InputUnsupportedError(
      logits.path,
      `column ${logits.column}`,
      `expected at most ${Math.floor(Math.sqrt(MAX_LIST_SIZE))} classes for layout bsr (a block is one Arrow list), found ${classes}`,
    );
  const dtype = options.dtype ?? logits.dtype;
  const width = dtype === "float32" ? 4 : 8;
  const nullableResults = options.onBadRow === "null";
  const sourceWidth = logits.dtype === "float32" ? 4 : 8;
  const { form } = logits;

  const planWith = (maxBatchRows?: number) =>
    planRun({
      rows: logits.rows,
      classes,
      sourceWidth,
      width,
      form,
      keptBytesPerRow: keptBytesPerRow(logits),
      threads: options.threads,
      chunkRows: options.chunkRows,
      maxBatchRows,
    });
  const layoutOf = (plan: Plan) =>
    layoutJacobianFile({
      fields: jacobianSchema({
        classes,
        dtype,
        kept: logits.kept.map(({ field }) => field),
        nullableResults,
        tensorType: options.tensorType,
      }),
      metadata: metadataOf(logits, dtype),
      dictionaries: logits.dictionaries.map((source) => ({
        metadata: encodeDictionary(source),
        bodyBytes: source.bodyBytes,
      })),
      batches: plan.batches.map(
        ({ rowStart, rowEnd }): JacobianBatchShape => ({
          rows: rowEnd - rowStart,
          classes,
          width,
          nullableResults,
          kept: keptShapes(logits, rowStart, rowEnd),
        }),
      ),
    });

  let plan = planWith();
  let layout = layoutOf(plan);
  while (plan.batchRows > FEW_ROWS && oversized(layout)) {
    plan = planWith(Math.ceil(plan.batchRows / 2));
    layout = layoutOf(plan);
  }
  refuseLongText(logits, layout);
  const slot = layoutSlot({ ...plan, sourceWidth, width, form });
  return { plan, slot, layout, dtype, nullableResults };
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

function keptShapes(
  logits: LogitsFile,
  rowStart: number,
  rowEnd: number,
): JacobianBatchShape["kept"] {
  const rows = rowEnd - rowStart;
  return keptRanges(logits, rowStart, rowEnd).map((range, k) => {
    const offsetBytes = logits.kept[k]?.offsetBytes ?? 0;
    return {
      validity: range.hasNulls ? Math.ceil(rows / 8) : 0,
      offsets: offsetBytes === 0 ? null : offsetBytes * (rows + 1),
      values: range.valuesBytes,
    };
  });
}

/** What a reader needs beside the columns; the source by its name alone, so that moving a file changes no byte. */
function metadataOf(
  logits: LogitsFile,
  dtype: string,
): [key: string, value: string][] {
  return Object.entries({
    version: VERSION,
    layout: "bsr",
    rows: String(logits.rows),
    classes: String(logits.classes),
    dtype,
    temperature: "1",
    threshold: "0",
    source: basename(logits.path),
  }).map(([key, value]) => [`softjac.${key}`, value]);
}
