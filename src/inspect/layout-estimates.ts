import { SoftjacError } from "../errors.js";
import { softmaxJacobian } from "../in-memory.js";
import type { LogitsFile } from "../input/logits-file.js";
import {
  type EntriesLayout,
  isEntriesLayout,
  LAYOUTS,
  type Layout,
} from "../results/catalogue.js";
import { MAX_DENSE_BYTES } from "../results/dense-limit.js";
import { entriesPerRow } from "./entries-kept.js";
import {
  type WeighedOptions,
  weighBlocks,
  weighEntries,
} from "./layout-bytes.js";
import type { RowSample } from "./sample-rows.js";

/** Estimated output size of a run with the default results of a layout, and its approximate time on this machine. */
export interface LayoutEstimate {
  layout: Layout;
  /** Size in bytes; null if the layout is not possible (`note` says why). */
  bytes: number | null;
  /** Whether `bytes` is exact; for csr and coo it is estimated from a sample of the rows. */
  exact: boolean;
  seconds: number | null;
  note: string | null;
}

/** Start of the process and its threads. */
const START_SECONDS = 0.15;
/** What a disk of today takes; the real one may be faster or slower, and is not asked. */
const DISK_BYTES_PER_SECOND = 1e9;
/** Classes of the rows that are timed: a block of more is timed by its part. */
const TIMED_CLASSES = 256;
/** Entries of the blocks that are timed. */
const MOST_TIMED = 1e6;

/** One estimate a layout. Computes some rows of the sample. */
export function estimateLayouts(
  logits: LogitsFile,
  sample: RowSample,
  options: WeighedOptions,
): LayoutEstimate[] {
  const perEntry = secondsPerEntry(sample, logits.classes);
  return LAYOUTS.map((layout) => {
    try {
      return isEntriesLayout(layout)
        ? ofEntries(logits, layout, options, sample, perEntry)
        : ofBlocks(logits, layout, options, perEntry);
    } catch (error) {
      if (!(error instanceof SoftjacError)) throw error;
      const note = error.message;
      return { layout, bytes: null, exact: true, seconds: null, note };
    }
  });
}

function ofBlocks(
  logits: LogitsFile,
  layout: Exclude<Layout, EntriesLayout>,
  options: WeighedOptions,
  perEntry: number,
): LayoutEstimate {
  const { bytes, threads } = weighBlocks(logits, layout, options);
  const { rows, classes } = logits;
  const entries = layout === "factored" ? classes : classes ** 2;
  const compute = rows * entries * perEntry;
  const note =
    layout === "dense" && bytes > MAX_DENSE_BYTES
      ? "only with --force-dense"
      : null;
  return {
    layout,
    bytes,
    exact: true,
    seconds: secondsOf(compute, threads, logits.bytes + bytes),
    note,
  };
}

function ofEntries(
  logits: LogitsFile,
  layout: EntriesLayout,
  options: WeighedOptions,
  sample: RowSample,
  perEntry: number,
): LayoutEstimate {
  const { rows, classes } = logits;
  const perRow = entriesPerRow(sample, classes, options);
  const { bytes, threads } = weighEntries(logits, layout, options, perRow);
  // p is sorted, and indices and row numbers are stored beside the values.
  const steps = classes * Math.log2(classes + 1) + 3 * perRow;
  const compute = rows * steps * perEntry;
  return {
    layout,
    bytes,
    exact: false,
    seconds: secondsOf(compute, threads, logits.bytes + bytes),
    note: null,
  };
}

function secondsOf(compute: number, threads: number, bytes: number): number {
  const busy = compute / Math.max(1, threads);
  return START_SECONDS + Math.max(busy, bytes / DISK_BYTES_PER_SECOND);
}

/** Seconds of one thread for an entry of a block. */
function secondsPerEntry({ rows, logits }: RowSample, classes: number): number {
  const part = Math.min(classes, TIMED_CLASSES);
  const some = Math.min(rows, Math.ceil(MOST_TIMED / part ** 2));
  if (some === 0) return 0;
  const timed = new Float64Array(some * part);
  for (let r = 0; r < some; r++)
    timed.set(logits.subarray(r * classes, r * classes + part), r * part);
  // A masked class is as much work as another; a part of a row may have nothing else.
  const finite = timed.map((value) => (value === -Infinity ? 0 : value));
  const shape = { rows: some, classes: part };
  softmaxJacobian(finite, shape);
  const start = performance.now();
  softmaxJacobian(finite, shape);
  return (performance.now() - start) / 1000 / (some * part ** 2);
}
