import { InputUnsupportedError } from "../errors.js";
import { type Matrix, readMatrix } from "./coefficients.js";
import { covarianceProblem } from "./symmetric.js";

/** Covariance of coefficients from a file. */
export interface CovarianceFile {
  /** Class-major, with or without the reference class. */
  matrix: Matrix;
  /** Checks the size. @throws InputUnsupportedError */
  check(features: number, classes: number): void;
  /** Checks that it is positive semidefinite, which takes long if it is large. @throws InputUnsupportedError, AbortedError */
  checkDefinite(signal: AbortSignal | undefined): Promise<void>;
}

/** Reads a covariance from an .npy file. @throws SoftjacError */
export async function readCovariance(
  path: string,
  read: (path: string) => Promise<Matrix> = readMatrix,
): Promise<CovarianceFile> {
  const matrix = await read(path);
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
    },
    async checkDefinite(signal) {
      const problem = await covarianceProblem(values, rows, signal);
      if (problem !== null) throw fail(problem);
    },
  };
}
