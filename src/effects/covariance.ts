import { InputUnsupportedError } from "../errors.js";
import type { Matrix } from "../reduce/coefficients.js";
import type { SumSource } from "../reduce/options.js";
import { expanded } from "../results/reductions.js";
import { withoutClass } from "./means.js";
import {
  covarianceProblem,
  invertPositiveDefinite,
  newtonDecrement,
  sandwich,
} from "./symmetric.js";

/** Sums over all rows: Fisher information, score and outer products of scores, as the kernel stores them. */
export interface Totals {
  fisher?: Float64Array;
  score?: Float64Array;
  opg?: Float64Array;
}

/** Covariance of coefficients from a file. */
export interface CovarianceFile {
  /** Class-major, with or without the reference class. */
  matrix: Matrix;
  /** Checks its size. @throws InputUnsupportedError */
  check(features: number, classes: number): void;
}

/** Reads a covariance from an .npy file. @throws SoftjacError; InputUnsupportedError if it is not one */
export async function readCovariance(
  path: string,
  { readMatrix }: Pick<SumSource, "readMatrix">,
): Promise<CovarianceFile> {
  const matrix = await readMatrix(path);
  const { rows, columns, values } = matrix;
  const fail = (text: string) => new InputUnsupportedError(path, "array", text);
  return {
    matrix,
    check(features, classes) {
      const sizes = [features * (classes - 1), features * classes];
      if (rows !== columns || !sizes.includes(rows))
        throw fail(
          `expected ${sizes[0]} × ${sizes[0]}, or ${sizes[1]} × ${sizes[1]} with the reference class, for ${features} features and ${classes} classes; found ${rows} × ${columns}`,
        );
      const problem = covarianceProblem(values, rows);
      if (problem?.kind === "indefinite")
        throw fail("it is not positive semidefinite, so it is no covariance");
      if (problem) {
        const { row, column, value, other } = problem;
        throw fail(
          `it is not symmetric: [${row},${column}] is ${value} and [${column},${row}] is ${other}`,
        );
      }
    },
  };
}

/** Coefficients that a covariance belongs to. */
interface Parameters {
  features: number;
  classes: number;
  terms: readonly string[];
  /** Reference class. */
  base: number;
}

/**
 * Returns the covariance of the coefficients that the sums over all rows give, V = H⁻¹ or H⁻¹ O H⁻¹ without the reference class,
 * and the Newton decrement scoreᵀ H⁻¹ score; each null without the sums.
 * @param path input, for messages
 * @throws InputUnsupportedError if the Fisher information is singular
 */
export function covarianceOf(
  { fisher, score, opg }: Totals,
  parameters: Parameters,
  path: string,
): { v: Float64Array | undefined; decrement: number | null } {
  if (!fisher) return { v: undefined, decrement: null };
  const { features, terms, base } = parameters;
  const whole = (sums: Float64Array) =>
    withoutClass(
      expanded({ symmetric: "both" }, sums, parameters, "bsr"),
      features,
      base,
    );
  const information = whole(fisher);
  const n = Math.sqrt(information.length);
  const inverse = invertPositiveDefinite(information, n);
  if (inverse.kind === "singular") {
    const block = Math.floor(inverse.index / features);
    const term = terms[inverse.index - block * features];
    throw new InputUnsupportedError(
      path,
      "Fisher information",
      `it is singular: ${term} of class ${block + (block < base ? 0 : 1)} is determined by the terms before it (a collinear feature, or classes that are separated)`,
    );
  }
  const ofParameters = score?.filter(
    (_, k) => Math.floor(k / features) !== base,
  );
  return {
    v: opg ? sandwich(inverse.matrix, whole(opg), n) : inverse.matrix,
    decrement: ofParameters
      ? newtonDecrement(inverse.matrix, ofParameters)
      : null,
  };
}
