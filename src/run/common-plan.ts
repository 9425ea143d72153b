import {
  type ArrowType,
  arrowTypeOf,
  type Field,
  plainField,
} from "../arrow/field.js";
import { tooLargeError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { sourcesOf } from "../input/source-ranges.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { encodeDictionary } from "../output/dictionaries.js";
import type { JacobianFileHeadSpec } from "../output/jacobian-file.js";
import { positionNames } from "../printable.js";
import { type ResultColumn, resultColumns } from "../results/columns.js";
import { resultsOf } from "../results/emit-options.js";
import { axesOf } from "../results/row-indices.js";
import { MAX_MEMORY_BYTES } from "../tasks/kernel-memory.js";
import {
  isWidened,
  type SlotLayout,
  type SourceShape,
} from "../tasks/slot-layout.js";
import { metadataOf } from "./open-options.js";
import { rowsOf } from "./plan-rows.js";

/** The part of a run's plan that all layouts share. */
export interface CommonPlan {
  rowStart: number;
  rows: number;
  dtype: "float32" | "float64";
  onBadRow: ResolvedOptions["onBadRow"];
  results: ResultColumn[];
  /** Names of the index columns after `row`. */
  positions: string[];
  sources: SourceShape[];
  /** Bytes read per row: the logits and the other inputs. */
  sourceBytes: number;
  /** Returns the head of the output file; `results` are its columns after the copied ones. */
  file(results: readonly SchemaColumn[]): JacobianFileHeadSpec;
}

/** A column of results in the schema. */
interface SchemaColumn {
  name: string;
  type: "float32" | "float64" | "int32";
  list: boolean;
  /** Length of each list; null if lengths vary. */
  listSize: number | null;
  /** Metadata of arrow.fixed_shape_tensor. */
  tensor: { shape: number[]; dim_names: string[] } | null;
}

export function planCommon(
  options: ResolvedOptions,
  logits: LogitsFile,
): CommonPlan {
  const { onBadRow } = options;
  const { rowStart, rows } = rowsOf(options.part, logits);
  const dtype = options.dtype ?? logits.dtype;
  const sources = sourcesOf(logits);
  const positions = positionNames(axesOf(logits).inner);
  return {
    rowStart,
    rows,
    dtype,
    onBadRow,
    results: resultColumns({
      ...options,
      emit: resultsOf(options.emit),
      dtype,
      classes: logits.classes,
      rows,
      inputs: logits.inputs,
    }),
    positions,
    sources: sources.map((source, n) => ({
      ...source,
      widened: isWidened(source.type, n > 0),
    })),
    sourceBytes: sources.reduce((sum, s) => sum + s.values * s.width, 0),
    file: (results) => ({
      fields: [
        plainField("row", arrowTypeOf("int64")),
        ...positions.map((name) => plainField(name, arrowTypeOf("int32"))),
        ...logits.copied.map(({ field }) => field),
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
  if (bytes > MAX_MEMORY_BYTES)
    throw tooLargeError(
      path,
      column,
      `expected rows of at most ${MAX_MEMORY_BYTES} bytes of memory, found ${classes} classes, which need ${bytes}`,
    );
  const maxSlots = Math.floor(MAX_MEMORY_BYTES / bytes);
  if (plan.slots <= maxSlots) return plan;
  return {
    ...plan,
    slots: maxSlots,
    threads: Math.min(plan.threads, maxSlots),
  };
}
