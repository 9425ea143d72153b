import {
  type ArrowType,
  arrowTypeOf,
  type Field,
  plainField,
} from "../arrow/field.js";
import { InputUnsupportedError } from "../errors.js";
import { copiedBytesPerRow } from "../input/copied-pieces.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { encodeDictionary } from "../output/arrow-writer.js";
import type { JacobianFileHeadSpec } from "../output/jacobian-file.js";
import { positionNames } from "../printable.js";
import { resultColumns, type TableColumn } from "../results/columns.js";
import { resultsOf } from "../results/emit-options.js";
import { axesOf } from "../results/row-axes.js";
import { MAX_MEMORY_BYTES } from "../tasks/kernel-memory.js";
import type { SlotLayout } from "../tasks/slot-layout.js";
import { metadataOf } from "./open-options.js";

/** A column of results in the schema. */
type SchemaColumn = Omit<TableColumn, "width" | "source">;

/** Returns the part of a run's plan that all layouts share. */
export function planCommon(options: ResolvedOptions, logits: LogitsFile) {
  const { onBadRow, threads, chunkRows } = options;
  const { classes, copied, sources } = logits;
  const all = { rowStart: 0, rowEnd: logits.rows };
  const { rowStart, rowEnd } = options.part ?? all;
  const rows = rowEnd - rowStart;
  const dtype = options.dtype ?? logits.dtype;
  const positions = positionNames(axesOf(logits).inner);
  return {
    rowStart,
    rows,
    classes,
    threads,
    chunkRows,
    copiedBytesPerRow: copiedBytesPerRow(logits),
    dtype,
    onBadRow,
    results: resultColumns({
      ...options,
      emit: resultsOf(options.emit),
      dtype,
      classes,
      rows,
      inputs: logits.inputs,
    }),
    /** Names of the index columns after `row`. */
    positions,
    sources,
    /** Bytes read per row: the logits and the other inputs. */
    sourceBytes: sources.reduce((sum, s) => sum + s.values * s.width, 0),
    /** Returns the head of the output file; `results` are its columns after the copied ones. */
    file: (results: readonly SchemaColumn[]): JacobianFileHeadSpec => ({
      fields: [
        plainField("row", arrowTypeOf("int64")),
        ...positions.map((name) => plainField(name, arrowTypeOf("int32"))),
        ...copied.map(({ field }) => field),
        ...results.map((column) => resultField(column, onBadRow === "null")),
      ],
      metadata: metadataOf(options, logits, dtype),
      dictionaries: logits.dictionaries.map((source) => ({
        metadata: encodeDictionary(source),
        bodyBytes: source.bodyBytes,
      })),
    }),
  };
}

function resultField(column: SchemaColumn, nullable: boolean): Field {
  const { name, list, listSize, tensor } = column;
  const item = arrowTypeOf(column.type);
  const listType: ArrowType =
    listSize === null ? { kind: "List" } : { kind: "FixedSizeList", listSize };
  const field = list
    ? plainField(name, listType, [plainField("item", item)])
    : plainField(name, item);
  return {
    ...field,
    nullable,
    metadata: tensor
      ? [
          ["ARROW:extension:name", "arrow.fixed_shape_tensor"],
          ["ARROW:extension:metadata", JSON.stringify(tensor)],
        ]
      : [],
  };
}

/**
 * Reduces the slots of a plan to those that fit the kernel's address space, and its threads to one per slot.
 * @throws InputUnsupportedError if a single slot does not fit
 */
export function withinMemory<P extends { slots: number; threads: number }>(
  plan: P,
  { bytes }: SlotLayout,
  { path, column, classes }: LogitsFile,
): P {
  const slots = Math.min(plan.slots, Math.floor(MAX_MEMORY_BYTES / bytes));
  if (slots === 0)
    throw new InputUnsupportedError(
      path,
      `column ${column}`,
      `expected rows of at most ${MAX_MEMORY_BYTES} bytes of memory, found ${classes} classes, which need ${bytes}`,
    );
  return { ...plan, slots, threads: Math.min(plan.threads, slots) };
}
