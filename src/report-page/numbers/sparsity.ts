import { SoftjacError } from "../../errors.js";
import { DEFAULT_LIMITS } from "../../input/limits.js";
import type { LogitsFile } from "../../input/logits-file.js";
import {
  type EntriesAtThreshold,
  thresholdCurve,
} from "../../inspect/entries-kept.js";
import { weighBlocks, weighEntries } from "../../inspect/layout-bytes.js";
import { MAX_DENSE_BYTES } from "../../results/dense-limit.js";
import type { StoredRun } from "../../verify/stored-run.js";
import type { PSample } from "../gather/p-sample.js";
import type { SparsityNumbers } from "../output-report.js";

/** Powers of ten, from where nothing visible is lost to where everything is. */
const THRESHOLDS = Array.from({ length: 17 }, (_, k) => Number(`1e${k - 16}`));
const BLOCKS = ["bsr", "packed", "factored", "dense"] as const;

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
  const layouts = BLOCKS.map((layout) => {
    const weight = weigh(
      () => weighBlocks(logits, layout, { dtype, temperature }).bytes,
    );
    const isForced =
      layout === "dense" && (weight.bytes ?? 0) > MAX_DENSE_BYTES;
    return {
      layout,
      ...weight,
      note: isForced ? "only with --force-dense" : weight.note,
    };
  });
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
    rows: sample.rows.length,
    isSample: sample.isSample,
    curve,
    layouts,
    lacks:
      curve.length > 0
        ? []
        : [
            "Entries against a threshold need p of some rows, and there is none here.",
          ],
  };
}

function curveOf(
  { classes, temperature }: StoredRun,
  { rows }: PSample,
): EntriesAtThreshold[] {
  if (rows.length === 0) return [];
  const logits = new Float64Array(rows.length * classes);
  // p is softmax of these, divided by T.
  rows.forEach(({ logRatios }, r) => {
    for (let k = 0; k < classes; k++)
      logits[r * classes + k] = (logRatios[k] as number) * temperature;
  });
  const sample = { rows: rows.length, logits };
  return thresholdCurve(sample, classes, THRESHOLDS, temperature);
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
    close() {},
    rows,
    classes,
    type: dtype,
    dtype,
    form: "fixed-size-list",
    column: "logits",
    nullLogit: "error",
    inputs: [],
    batches: [],
    kept: [],
    dictionaries: [],
  };
}
