import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { AbortedError, BadRowError } from "../errors.js";
import { InputRows } from "../input/input-rows.js";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import { decodedColumn } from "../input/number-column.js";
import { openLogits } from "../input/open-logits.js";
import { rowsAt } from "../input/record-batch.js";
import { AnonymousFile } from "../io/anonymous-file.js";
import { checkLimit } from "../io/limits.js";
import { writeFully } from "../io/positional.js";
import { outputCall } from "../io/system-error.js";
import { errorOfProduct, errorOfSum } from "../kernels/portable/work.js";
import { axesOf, indexOfRow } from "../results/row-axes.js";
import type { SourceSetup } from "../tasks/slot-layout.js";
import { baseOf, Coefficients, readMatrix } from "./coefficients.js";
import { readCovariance } from "./covariance-file.js";
import { symmetrized } from "./symmetric.js";

/** Options that compute the logits from features. */
export interface ModelOptions {
  /** Columns of features; with `coefficients` only. */
  features?: string | undefined;
  /** Whether a constant 1 precedes the features. */
  intercept?: boolean | undefined;
  /** Path of an .npy file, features × classes. */
  coefficients?: string | undefined;
  /** Reference class, whose column the coefficients lack, or `none`. */
  base?: string | number | undefined;
  /** Path of an .npy file with the covariance of the coefficients, class-major. */
  covarianceFile?: string | undefined;
  onBadRow?: "error" | "null" | "skip" | undefined;
}

/** Values of a chunk of rows. */
const CHUNK_VALUES = 1 << 20;
const FLOAT64 = 8;
/** Name of the logits in messages and reports. */
const COMPUTED = "features × coefficients";

/**
 * Opens an input as `openLogits` does, or with coefficients an input of features. Then the logits are features × coefficients,
 * each rounded once, and with a covariance of the coefficients each row has the covariance of its logits, xᵀ V_cd x, as the
 * auxiliary input `covariance`. Both are written to a temporary file first.
 * @throws as openLogits; BadRowError for a feature that is not finite, unless `onBadRow` is `null` or `skip`
 */
export async function openRunLogits(
  path: string,
  options: OpenOptions & ModelOptions,
): Promise<LogitsFile> {
  const { coefficients, covarianceFile, intercept = false } = options;
  if (coefficients === undefined) return openLogits(path, options);
  const model = new Coefficients(
    ...([coefficients, await readMatrix(coefficients)] as const),
    baseOf(options.base ?? "0"),
  );
  const covariance =
    covarianceFile === undefined ? null : await readCovariance(covarianceFile);
  const inputs = options.inputs.filter(
    ({ option }) => !covariance || option !== "covariance",
  );
  const none = { column: undefined, columns: undefined, classAxis: undefined };
  const file = await openLogits(path, { ...options, ...none, inputs });
  try {
    const features = file.classes + (intercept ? 1 : 0);
    const { classes } = model;
    model.check(features, intercept);
    covariance?.check(features, classes);
    const logitsOf = linearPredictors(model.values, features, classes);
    const covarianceOf =
      covariance &&
      covariances(covariance.matrix.values, {
        ...{ features, classes },
        base: model.base ?? 0,
      });
    const written = await writeRows(file, options, {
      ...{ features, classes, logitsOf, covarianceOf },
    });
    return derivedFile(file, written, classes, covarianceFile);
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Returns options in which the names of model files that an output records are paths: beside the input, if they are there, or
 * else in the current directory.
 */
export function withModelFiles<Options extends ModelOptions>(
  input: string,
  options: Options,
  given: ModelOptions,
): Options {
  const pathOf = (name: "coefficients" | "covarianceFile") => {
    const stored = options[name];
    if (given[name] !== undefined || stored === undefined) return stored;
    const beside = join(dirname(input), stored);
    return existsSync(beside) ? beside : stored;
  };
  const covarianceFile = pathOf("covarianceFile");
  return { ...options, coefficients: pathOf("coefficients"), covarianceFile };
}

type RowFunction = (x: Float64Array, out: Float64Array) => void;

/** Returns the function that stores x B, each logit with an error of half an ulp but for terms that overflow. */
function linearPredictors(
  b: Float64Array,
  features: number,
  classes: number,
): RowFunction {
  return (x, out) => {
    for (let c = 0; c < classes; c++) {
      let [sum, lost] = [0, 0];
      for (let k = 0; k < features; k++) {
        const [factor, value] = [x[k] as number, b[k * classes + c] as number];
        const product = factor * value;
        const total = sum + product;
        lost +=
          errorOfSum(sum, product, total) +
          errorOfProduct(factor, value, product);
        sum = total;
      }
      // A sum of finite terms that overflows makes a bad row: -inf would mask the class.
      out[c] = Number.isFinite(sum)
        ? sum + (Number.isFinite(lost) ? lost : 0)
        : Number.NaN;
    }
  };
}

/**
 * Returns the function that stores the upper triangle of the covariance of the logits, xᵀ V_cd x, row by row; 0 for a class without
 * coefficients. Products and sums are compensated, since correlations in V cancel.
 */
function covariances(
  v: Float64Array,
  sizes: { features: number; classes: number; base: number },
): RowFunction {
  const { features: K, classes: Q, base } = sizes;
  const n = Math.sqrt(v.length);
  const symmetric = symmetrized(v, n);
  const block = (c: number) => (n === K * Q ? c : c - (c > base ? 1 : 0));
  const hasBlock = (c: number) => n === K * Q || c !== base;
  return (x, out) => {
    let next = 0;
    for (let c = 0; c < Q; c++)
      for (let d = c; d < Q; d++) {
        let [sum, lost] = [0, 0];
        for (let k = 0; hasBlock(c) && hasBlock(d) && k < K; k++) {
          const xk = x[k] as number;
          if (xk === 0) continue;
          const row = (block(c) * K + k) * n + block(d) * K;
          // The product of row k of V_cd with x, then with x_k.
          let [inner, rest] = [0, 0];
          for (let l = 0; l < K; l++) {
            const [value, xl] = [symmetric[row + l] as number, x[l] as number];
            const product = value * xl;
            const total = inner + product;
            rest +=
              errorOfSum(inner, product, total) +
              errorOfProduct(value, xl, product);
            inner = total;
          }
          const product = xk * inner;
          const total = sum + product;
          lost +=
            errorOfSum(sum, product, total) +
            errorOfProduct(xk, inner, product) +
            xk * rest;
          sum = total;
        }
        out[next++] = sum + lost;
      }
  };
}

interface Written {
  target: AnonymousFile;
  /** Offsets of the logits and of the covariances of row 0; 0 without covariances. */
  logits: number;
  covariances: number;
}

/** Writes the logits of all rows to a temporary file, then their covariances. */
async function writeRows(
  file: LogitsFile,
  {
    scratch,
    onBadRow = "error",
    signal,
    intercept,
  }: OpenOptions & ModelOptions,
  model: {
    features: number;
    classes: number;
    logitsOf: RowFunction;
    covarianceOf: RowFunction | null;
  },
): Promise<Written> {
  const { path, rows, classNames, column } = file;
  const { features, classes, logitsOf, covarianceOf } = model;
  const pairs = covarianceOf ? (classes * (classes + 1)) / 2 : 0;
  const bytes = FLOAT64 * rows * (classes + pairs);
  checkLimit(file, COMPUTED, "maxDecodedBytes", "decoded bytes", bytes);
  const writing = <T>(write: () => T) =>
    outputCall(path, "could not be decoded to a temporary file", write);
  const target = writing(() => new AnonymousFile(scratch));
  try {
    // An offset of 0 means that a buffer is absent.
    writing(() => target.reserve(64));
    const logits = writing(() => target.reserve(FLOAT64 * rows * classes));
    const input = new InputRows({ ...file, sources: file.sources.slice(0, 1) });
    const x = new Float64Array(features).fill(1);
    const step = Math.max(
      1,
      Math.floor(CHUNK_VALUES / (features + classes + pairs)),
    );
    let covariances = 0;
    for (let start = 0; start < rows; start += step) {
      if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
      const count = Math.min(step, rows - start);
      await input.load(start, start + count);
      const own = new Float64Array(count * classes);
      const triangles = new Float64Array(count * pairs);
      for (let r = 0; r < count; r++) {
        const given = input.values(start + r, 0);
        x.set(given, intercept ? 1 : 0);
        const bad = given.findIndex((value) => !Number.isFinite(value));
        const out = own.subarray(r * classes, (r + 1) * classes);
        if (bad < 0) {
          logitsOf(x, out);
          covarianceOf?.(x, triangles.subarray(r * pairs, (r + 1) * pairs));
          continue;
        }
        if (onBadRow === "error")
          throw new BadRowError(
            ...([path, indexOfRow(axesOf(file), start + r)] as const),
            {
              expected: `a finite number in feature ${classNames?.[bad] ?? `${column}${bad}`}`,
              found: Number.isNaN(given[bad]) ? "null or NaN" : `${given[bad]}`,
            },
            "--on-bad-row null keeps the row as null, skip drops it",
          );
        out.fill(Number.NaN);
      }
      writing(() => {
        const position = logits + FLOAT64 * start * classes;
        writeFully(target.fd, new Uint8Array(own.buffer), position);
        if (pairs === 0) return;
        const at = target.append(new Uint8Array(triangles.buffer));
        covariances ||= at;
      });
    }
    return { target, logits, covariances };
  } catch (error) {
    target.close();
    throw error;
  }
}

/** Returns the input with the written logits and covariances instead of its features. */
function derivedFile(
  file: LogitsFile,
  { target, logits, covariances }: Written,
  classes: number,
  covarianceFile: string | undefined,
): LogitsFile {
  const { fd } = target;
  const pairs = (classes * (classes + 1)) / 2;
  const written = { width: FLOAT64, fd };
  const own: SourceSetup = {
    ...decodedColumn(COMPUTED, [], classes),
    ...{ ...written, values: classes, holds: "logits" },
  };
  const sigma = covarianceFile === undefined ? [] : [covarianceFile];
  const sigmas = sigma.map(
    (name): SourceSetup => ({
      ...decodedColumn(name, [], pairs),
      ...{ ...written, values: pairs, holds: "numbers" },
    }),
  );
  const at = (offset: number, rowStart: number, values: number) =>
    rowsAt([offset + FLOAT64 * rowStart * values]);
  const { storage, type } = own;
  return {
    ...file,
    ...{ classes, type, dtype: "float64", storage, column: COMPUTED },
    ...{ selection: {}, classNames: null, notes: [] },
    inputs: [
      ...file.inputs,
      ...sigma.map((name) => ({
        ...{ option: "covariance" as const, name, values: pairs },
        ...{ names: null, key: null },
      })),
    ],
    sources: [own, ...file.sources.slice(1), ...sigmas],
    batches: file.batches.map((batch) => {
      const { rowStart, sources } = batch;
      return {
        ...batch,
        sources: [
          at(logits, rowStart, classes),
          ...sources.slice(1),
          ...sigmas.map(() => at(covariances, rowStart, pairs)),
        ],
      };
    }),
    close() {
      target.close();
      file.close();
    },
  };
}
