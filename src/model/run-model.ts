import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import { decodedColumn } from "../input/number-column.js";
import { openLogits } from "../input/open-logits.js";
import { rowsAt } from "../input/record-batch.js";
import type { LinearModel } from "../kernels/linear-model.js";
import type { RunOptions } from "../options/run-options.js";
import { sumsModule } from "../tasks/kernel-memory.js";
import type { SourceSetup } from "../tasks/slot-layout.js";
import {
  baseOf,
  Coefficients,
  type Matrix,
  readMatrix,
} from "./coefficients.js";
import { type CovarianceFile, readCovariance } from "./covariance-file.js";
import { symmetrized } from "./symmetric.js";

/** Options that compute the logits from features. */
export type ModelOptions = Pick<
  RunOptions,
  "features" | "intercept" | "coefficients" | "base" | "covarianceFile"
>;

/** Options that name files of a model. */
export const MODEL_FILES = ["coefficients", "covarianceFile"] as const;
export type ModelFile = (typeof MODEL_FILES)[number];

/** Reads the matrix of an option. */
export type ReadMatrix = (option: ModelFile, path: string) => Promise<Matrix>;

/** Name of the logits in messages and reports. */
const COMPUTED = "features × coefficients";

/** Opens an input as `openLogits` does, or with coefficients an input of features. @throws as openLogits */
export async function openRunLogits(
  path: string,
  options: OpenOptions & ModelOptions,
): Promise<LogitsFile> {
  const model = await RunModel.read(options);
  if (!model) return openLogits(path, options);
  const logits = await openLogits(path, model.openOptions(options));
  try {
    await model.check(options.signal);
    return logits;
  } catch (error) {
    logits.close();
    throw error;
  }
}

/**
 * Model of a run. The logits are features × coefficients, each rounded once, and with a covariance of the coefficients each row
 * has the covariance of its logits, xᵀ V_cd x, as the auxiliary input `covariance`. ModelRows computes both where the rows are
 * read.
 */
export class RunModel {
  /** Model of the threads, made once and shared by all inputs. */
  #linear: LinearModel | null = null;

  private constructor(
    private readonly options: ModelOptions,
    private readonly coefficients: Coefficients,
    private readonly covariance: CovarianceFile | null,
  ) {}

  /**
   * Reads the model of a run; returns null without coefficients.
   * @param read default: reads the path of the option
   * @throws SoftjacError
   */
  static async read(
    options: ModelOptions,
    read: ReadMatrix = (_, path) => readMatrix(path),
  ): Promise<RunModel | null> {
    const { coefficients: path, covarianceFile } = options;
    if (path === undefined) return null;
    const base = baseOf(options.base ?? "0");
    const matrix = await read("coefficients", path);
    const coefficients = new Coefficients(path, matrix, base);
    const covariance =
      covarianceFile === undefined
        ? null
        : await readCovariance(covarianceFile, (path) =>
            read("covarianceFile", path),
          );
    return new RunModel(options, coefficients, covariance);
  }

  /**
   * Checks that the covariance is one. Comes after opening an input, because it takes a minute for thousands of rows.
   * @throws InputUnsupportedError, AbortedError
   */
  async check(signal: AbortSignal | undefined): Promise<void> {
    await this.covariance?.checkDefinite(signal);
  }

  /** Returns the options for opening an input of features. */
  openOptions<Options extends OpenOptions>(options: Options): Options {
    const { covariance, coefficients } = this;
    const inputs = options.inputs.filter(
      ({ option }) => !covariance || option !== "covariance",
    );
    const none = { column: undefined, columns: undefined };
    const classes = coefficients.matrix.rows - (this.options.intercept ? 1 : 0);
    const own = { classAxis: undefined, inputs, classes, model: this };
    return { ...options, ...none, ...own };
  }

  /** Returns the logits of an input of features. @throws InputUnsupportedError for another number of features */
  over(file: LogitsFile): LogitsFile {
    const { intercept = false, covarianceFile } = this.options;
    const { coefficients, covariance } = this;
    const features = file.classes + (intercept ? 1 : 0);
    const { classes, base } = coefficients;
    coefficients.check(features, intercept);
    covariance?.check(features, classes);
    const v = covariance?.matrix.values;
    this.#linear ??= {
      ...{ module: sumsModule("--coefficients"), features, classes, intercept },
      coefficients: shared(coefficients.values),
      covariance: v
        ? shared(wholeCovariance(v, features, classes, base ?? 0))
        : null,
    };
    return withModel(file, covarianceFile, this.#linear);
  }
}

/** Names of the copies of the files of a model beside the shards of a dataset. */
export const MODEL_COPIES: Record<ModelFile, string> = {
  coefficients: "_coefficients.npy",
  covarianceFile: "_covariance.npy",
};

/**
 * Returns options in which the names of model files that an output records are paths: copies beside a shard of a dataset, or
 * else beside the input, if they are there, or else in the current directory.
 */
export function withModelFiles<Options extends ModelOptions>(
  { output, input }: Record<"output" | "input", string>,
  options: Options,
  given: ModelOptions,
): Options {
  const pathOf = (name: ModelFile) => {
    const stored = options[name];
    if (given[name] !== undefined || stored === undefined) return stored;
    const copy = join(dirname(output), MODEL_COPIES[name]);
    const beside = join(dirname(input), stored);
    return [copy, beside].find((path) => existsSync(path)) ?? stored;
  };
  const covarianceFile = pathOf("covarianceFile");
  return { ...options, coefficients: pathOf("coefficients"), covarianceFile };
}

/** Returns options in which the files of a model have no directories: their hashes identify them. */
export function withFileNames<Options extends ModelOptions>(
  options: Options,
): Options {
  const names = MODEL_FILES.flatMap((option) => {
    const path = options[option];
    return path === undefined ? [] : [[option, basename(path)]];
  });
  return { ...options, ...Object.fromEntries(names) };
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
      : [computed(`x' V x of ${covarianceFile}`, pairs, "numbers")];
  const input = { names: null, key: null };
  const { storage, type } = own;
  return {
    ...file,
    ...{ model, classes, type, dtype: "float64", storage, column: COMPUTED },
    ...{ selection: {}, classNames: null },
    inputs: [
      {
        ...input,
        option: "features",
        name: column,
        names: classNames,
        values: given,
      },
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
