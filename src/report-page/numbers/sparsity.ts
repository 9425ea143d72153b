import { SoftjacError } from "../../errors.js";
import { DEFAULT_LIMITS } from "../../input/limits.js";
import type { LogitsFile } from "../../input/logits-file.js";
import {
  type EntriesAtThreshold,
  thresholdCurve,
} from "../../inspect/entries-kept.js";
import { weighBlocks, weighEntries } from "../../inspect/layout-bytes.js";
import { MAX_DENSE_BYTES } from "../../results/dense-limit.js";
import type { StoredRun } from "../../results/run-metadata.js";
import type { PSample } from "../gather/p-sample.js";
import type { SparsityNumbers } from "../output-report.js";

/** Powers of ten, from where nothing visible is lost to where everything is. */
const THRESHOLDS = Array.from({ length: 17 }, (_, k) => Number(`1e${k - 16}`));
const BLOCKS = ["bsr", "packed", "factored"] as const;

/** What thresholds leave of blocks, and what each layout weighs. */
export function sparsityNumbers(
  run: StoredRun,
  rows: number,
  sample: PSample,
): SparsityNumbers {
  const { classes, temperature, dtype } = run;
  const logits = logitsLike(rows, classes, dtype);
  const weigh = (bytes: () => number) => {
    try {
      return { bytes: bytes(), note: null };
    } catch (error) {
      if (!(error instanceof SoftjacError)) throw error;
      return { bytes: null, note: error.message };
    }
  };
  const layouts: SparsityNumbers["layouts"] = BLOCKS.map((layout) => ({
    layout,
    ...weigh(() => weighBlocks(logits, layout, { dtype, temperature }).bytes),
  }));
  layouts.push(denseLayout(run, rows));
  const entriesOf = (layout: "csr" | "coo", perRow: number) =>
    weigh(
      () => weighEntries(logits, layout, { dtype, temperature }, perRow).bytes,
    ).bytes;
  const curve = curveOf(run, sample).map((point) => ({
    ...point,
    csrBytes: entriesOf("csr", point.entriesPerRow),
    cooBytes: entriesOf("coo", point.entriesPerRow),
  }));
  return {
    rows: sample.rows,
    isSample: sample.isSample,
    curve,
    layouts,
    reasons:
      curve.length > 0
        ? []
        : [
            "The number of entries by threshold needs p, which the output does not determine.",
          ],
  };
}

/** Its values alone, which are nearly all: to plan it would take a record batch a row. */
function denseLayout(
  { classes, dtype }: StoredRun,
  rows: number,
): SparsityNumbers["layouts"][number] {
  const bytes = (rows * classes) ** 2 * (dtype === "float32" ? 4 : 8);
  return {
    layout: "dense",
    bytes,
    note:
      bytes > MAX_DENSE_BYTES
        ? "values only; needs --force-dense"
        : "values only",
  };
}

function curveOf(
  { classes, temperature }: StoredRun,
  { rows, logRatios }: PSample,
): EntriesAtThreshold[] {
  if (rows === 0) return [];
  // p is softmax of these, divided by T.
  const logits = logRatios.map((ratio) => ratio * temperature);
  return thresholdCurve({ rows, logits }, classes, THRESHOLDS, temperature);
}

/** An input of so many rows, of which nothing but its size is asked. */
function logitsLike(
  rows: number,
  classes: number,
  dtype: "float32" | "float64",
): LogitsFile {
  return {
    path: "logits.arrow",
    fd: -1,
    bytes: 0,
    limits: DEFAULT_LIMITS,
    present: null,
    source: null,
    close() {},
    rows,
    leading: [rows],
    classes,
    type: dtype,
    dtype,
    form: "fixed-size-list",
    column: "logits",
    selection: { column: "logits" },
    classNames: null,
    note: null,
    nullLogit: "error",
    inputs: [],
    batches: [],
    kept: [],
    decodedFds: [null],
    dictionaries: [],
  };
}
