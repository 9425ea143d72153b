import { workAreaBytes } from "../numeric/work-area.js";

/** What the regions of a slot depend on. */
export interface SlotSpec {
  loadRows: number;
  strideRows: number;
  tileRows: number;
  classes: number;
  sourceWidth: 4 | 8;
  width: 4 | 8;
  form: "fixed-size-list" | "list" | "columns";
}

/** Where a slot's regions start, in bytes from the slot's own start; every region is aligned to 64. */
export interface SlotLayout {
  /** Lists: int32[loadRows + 1]. Separate columns: the columns as read, `[classes, loadRows]`. */
  staging: number;
  /** Logits, row-major `[loadRows, classes]`. */
  logits: number;
  /** One row's work area (numeric/work-area.ts). */
  work: number;
  /** int64[loadRows]. */
  rowNumbers: number;
  /** `[loadRows, classes]` */
  softmax: number;
  /** `[strideRows, classes, classes]`, or a tile `[tileRows, classes]` of one row's block. */
  jacobian: number;
  /** int32[strideRows]: rows of the stride without a softmax. */
  badRows: number;
  bytes: number;
}

/** One slot: a chunk's input and output, a stride at a time. Pure. */
export function layoutSlot(spec: SlotSpec): SlotLayout {
  const { loadRows, strideRows, tileRows, classes, sourceWidth, width } = spec;
  let end = 0;
  const region = (bytes: number): number => {
    const start = end;
    end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  };
  const logitsBytes = loadRows * classes * sourceWidth;
  const staging = region(
    spec.form === "columns"
      ? logitsBytes
      : spec.form === "list"
        ? 4 * (loadRows + 1)
        : 0,
  );
  const logits = region(logitsBytes);
  const work = region(workAreaBytes(classes));
  const rowNumbers = region(8 * loadRows);
  const softmax = region(loadRows * classes * width);
  const wholeBlocks = tileRows === classes;
  const jacobian = region(
    (wholeBlocks ? strideRows * classes : tileRows) * classes * width,
  );
  const badRows = region(4 * strideRows);
  return {
    staging,
    logits,
    work,
    rowNumbers,
    softmax,
    jacobian,
    badRows,
    bytes: end,
  };
}
