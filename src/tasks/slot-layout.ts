import {
  type ColumnStorage,
  isSeparate,
  offsetWidth,
} from "../arrow/column-storage.js";
import type { NumberType } from "../arrow/field.js";
import { ENTRY_BYTES } from "../kernels/portable/program.js";
import { workAreaBytes } from "../kernels/portable/work.js";

/** A source of numbers: the logits or an auxiliary column. */
export interface SourceShape {
  storage: ColumnStorage;
  /** Bytes per value as stored. */
  width: number;
  /** Values per row. */
  values: number;
  /** Whether values are converted to float64 after reading. */
  widened: boolean;
}

/** A result as the kernel stores it. */
interface ResultShape {
  values: number;
  width: number;
  block: "square" | "triangle" | null;
}

/** Sizes that determine the regions of a slot. */
export interface SlotSpec {
  loadRows: number;
  rowBlockSize: number;
  tileRows: number;
  classes: number;
  sources: SourceShape[];
  results: ResultShape[];
  /** Number of index columns after `row`. */
  positions?: number;
  /** Bytes by which results may start later than their region. */
  slack: number;
}

/** Offsets of the regions of a source. */
export interface SourceOffsets {
  /** List offsets, or separate columns one after the other. */
  staging: number;
  /** Values as stored, row-major. */
  raw: number;
  /** Values as float64, or `raw` if they need no conversion. */
  values: number;
}

/** Offsets of a slot's regions in bytes from its start; every region is aligned to 64. */
export interface SlotLayout {
  sources: SourceOffsets[];
  /** Work area of the kernel (src/kernels/portable/work.ts). */
  work: number;
  /** The kernel's program (src/kernels/portable/program.ts). */
  program: number;
  /** int64[loadRows]. */
  rowNumbers: number;
  /** int32[loadRows] each. */
  positions: number[];
  /**
   * Per result: `[loadRows, values]`; for blocks `[rowBlockSize, values]`, or a tile of one block's rows. Each has
   * `slack` more bytes.
   */
  results: number[];
  /** int32[rowBlockSize]: bad rows of the row block. */
  badRows: number;
  bytes: number;
}

/** Returns whether values are converted to float64; the kernel reads only float32 and float64 logits directly. */
export function isWidened(type: NumberType, isInput: boolean): boolean {
  return type !== "float64" && (isInput || type !== "float32");
}

/** Lays out one slot: a chunk's input and output, one row block at a time. Pure. */
export function layoutSlot(spec: SlotSpec): SlotLayout {
  const { loadRows, rowBlockSize, tileRows, classes } = spec;
  let end = 0;
  const region = (bytes: number): number => {
    const start = end;
    end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  };
  const sources = spec.sources.map(({ storage, width, values, widened }) => {
    const bytes = loadRows * values * width;
    const staging = region(
      isSeparate(storage)
        ? values > 1
          ? bytes
          : 0
        : offsetWidth(storage) * (loadRows + 1),
    );
    const raw = region(bytes);
    return {
      staging,
      raw,
      values: widened ? region(loadRows * values * 8) : raw,
    };
  });
  const work = region(workAreaBytes(classes));
  const program = region(ENTRY_BYTES * spec.results.length);
  const rowNumbers = region(8 * loadRows);
  const positions = Array.from({ length: spec.positions ?? 0 }, () =>
    region(4 * loadRows),
  );
  const results = spec.results.map(({ values, width, block }) =>
    region(
      spec.slack +
        width *
          (block === null
            ? loadRows * values
            : tileRows === classes
              ? rowBlockSize * values
              : tileRows * classes),
    ),
  );
  const badRows = region(4 * rowBlockSize);
  return {
    sources,
    work,
    program,
    rowNumbers,
    positions,
    results,
    badRows,
    bytes: end,
  };
}
