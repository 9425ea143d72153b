import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import { decodedColumn } from "../input/number-column.js";
import { openLogits } from "../input/open-logits.js";
import { rowsAt } from "../input/record-batch.js";
import type { LinearModel } from "../kernels/linear-model.js";
import type { RunOptions } from "../options/run-options.js";
import { sumsModule } from "../tasks/kernel-memory.js";
import type { SourceSetup } from "../tasks/slot-layout.js";
import { baseOf, Coefficients, readMatrix } from "./coefficients.js";
import { readCovariance } from "./covariance-file.js";
import { symmetrized } from "./symmetric.js";

/** Options that compute the logits from features. */
export type ModelOptions = Pick<
  RunOptions,
  "features" | "intercept" | "coefficients" | "base" | "covarianceFile"
>;

/** Name of the logits in messages and reports. */
const COMPUTED = "features × coefficients";

/**
 * Opens an input as `openLogits` does, or with coefficients an input of features. Then the logits are features × coefficients,
 * each rounded once, and with a covariance of the coefficients each row has the covariance of its logits, xᵀ V_cd x, as the
 * auxiliary input `covariance`. ModelRows computes both where the rows are read.
 * @throws as openLogits
 */
export async function openRunLogits(
  path: string,
  options: OpenOptions & ModelOptions,
): Promise<LogitsFile> {
  const { coefficients, covarianceFile, intercept = false } = options;
  if (coefficients === undefined) return openLogits(path, options);
  const matrix = await readMatrix(coefficients);
  const model = new Coefficients(
    ...([coefficients, matrix, baseOf(options.base ?? "0")] as const),
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
    const v = covariance?.matrix.values;
    return withModel(file, covarianceFile, {
      ...{ module: sumsModule("--coefficients"), features, classes, intercept },
      coefficients: shared(model.values),
      covariance: v
        ? shared(wholeCovariance(v, features, classes, model.base ?? 0))
        : null,
    });
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

function shared(values: Float64Array): Float64Array {
  const out = new Float64Array(new SharedArrayBuffer(values.byteLength));
  out.set(values);
  return out;
}

/** Returns the symmetric covariance with zeros for a class that the file omits. */
function wholeCovariance(
  v: Float64Array,
  features: number,
  classes: number,
  omitted: number,
): Float64Array {
  const n = Math.sqrt(v.length);
  const symmetric = symmetrized(v, n);
  const size = features * classes;
  if (n === size) return symmetric;
  const out = new Float64Array(size * size);
  const place = (i: number) => (i < omitted * features ? i : i + features);
  for (const [at, value] of symmetric.entries())
    out[place(Math.trunc(at / n)) * size + place(at % n)] = value;
  return out;
}

/** Returns the input with computed logits, then its features, its other inputs, and computed covariances. */
function withModel(
  file: LogitsFile,
  covarianceFile: string | undefined,
  model: LinearModel,
): LogitsFile {
  const { classes } = model;
  const { classNames, column, classes: given } = file;
  const pairs = (classes * (classes + 1)) / 2;
  const computed = (
    name: string,
    values: number,
    holds: SourceSetup["holds"],
  ): SourceSetup => ({
    ...decodedColumn(name, [], values),
    ...{ values, holds, fd: null },
  });
  const own = computed(COMPUTED, classes, "logits");
  const names =
    classNames ?? Array.from({ length: given }, (_, k) => `${column}${k}`);
  const [features, ...others] = file.sources as [SourceSetup];
  const sigmas =
    covarianceFile === undefined
      ? []
      : [computed(covarianceFile, pairs, "numbers")];
  const input = { names: null, key: null };
  const { storage, type } = own;
  return {
    ...file,
    ...{ model, classes, type, dtype: "float64", storage, column: COMPUTED },
    ...{ selection: {}, classNames: null, notes: [] },
    inputs: [
      { ...input, option: "features", name: column, values: given },
      ...file.inputs,
      ...sigmas.map(({ name, values }) => ({
        ...{ ...input, option: "covariance" as const, name, values },
      })),
    ],
    sources: [own, { ...features, names }, ...others, ...sigmas],
    batches: file.batches.map((batch) => ({
      ...batch,
      sources: [rowsAt([]), ...batch.sources, ...sigmas.map(() => rowsAt([]))],
    })),
  };
}
