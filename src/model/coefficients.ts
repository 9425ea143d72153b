import { InputUnsupportedError, UsageError } from "../errors.js";
import { numberOf } from "../format-number.js";
import { copyInput } from "../input/input-file.js";
import { InputRows } from "../input/input-rows.js";
import { logitsIn, openLogits } from "../input/open-logits.js";

/** A matrix of float64, row-major. */
export interface Matrix {
  rows: number;
  columns: number;
  values: Float64Array;
}

/**
 * Reads a two-dimensional array of an .npy file.
 * @param content the bytes of the file; default: they are read
 * @throws SoftjacError; InputUnsupportedError for another shape, and for a number that is not finite
 */
export async function readMatrix(
  path: string,
  content?: Uint8Array,
): Promise<Matrix> {
  const options = { keep: [], inputs: [], ownNames: [] };
  const opened = content
    ? logitsIn(copyInput(path, content), options)
    : openLogits(path, options);
  const file = await opened.catch((error) => {
    if (!(error instanceof InputUnsupportedError)) throw error;
    throw new InputUnsupportedError(
      path,
      "array",
      "expected a two-dimensional array of numbers in an .npy file, with rows and columns; reshape a vector with x.reshape(-1, 1)",
    );
  });
  try {
    const { rows, classes: columns, leading } = file;
    if (leading.length > 1)
      throw new InputUnsupportedError(
        path,
        "array",
        `expected a two-dimensional array of numbers, found one of shape (${[...leading, columns].join(", ")}); reshape it`,
      );
    const input = new InputRows(file);
    await input.load(0, rows);
    const values = new Float64Array(rows * columns);
    for (let row = 0; row < rows; row++)
      values.set(input.values(row, 0), row * columns);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new InputUnsupportedError(
        path,
        `[${Math.floor(bad / columns)},${bad % columns}]`,
        `expected a finite number, found ${values[bad]}`,
      );
    return { rows, columns, values };
  } finally {
    file.close();
  }
}

/** Returns the reference class; null for `none`. @throws UsageError */
export function baseOf(base: string | number | undefined): number | null {
  if (base === "none") return null;
  if (/^\d{1,9}$/.test(`${base}`)) return Number(base);
  throw new UsageError(`base: expected a class or none, found ${base}`, "base");
}

/** Coefficients of a multinomial logit model: features × classes. */
export class Coefficients {
  readonly classes: number;
  /** [features, classes], with a column of zeros for the reference class. */
  readonly values: Float64Array;

  /**
   * @param base reference class, whose column the matrix lacks; null: it has all
   * @throws InputUnsupportedError, UsageError
   */
  constructor(
    readonly path: string,
    readonly matrix: Matrix,
    readonly base: number | null,
  ) {
    const { rows, columns, values } = matrix;
    if (base === null && columns === 1)
      throw new InputUnsupportedError(
        path,
        "array",
        "it has one column and --base none makes it the only class; a two-class model with one column (scikit-learn's binary coef_) needs --base 0",
      );
    if (base === null) {
      this.classes = columns;
      this.values = values;
      return;
    }
    const classes = columns + 1;
    if (base >= classes)
      throw new UsageError(
        `base: expected a class from 0 to ${classes - 1}, found ${base}`,
        "base",
      );
    this.classes = classes;
    this.values = new Float64Array(rows * classes);
    for (let row = 0; row < rows; row++)
      for (let k = 0; k < columns; k++)
        this.values[row * classes + k + (k < base ? 0 : 1)] = values[
          row * columns + k
        ] as number;
  }

  /** Checks that there is one row for each feature. @throws InputUnsupportedError */
  check(features: number, intercept: boolean): void {
    const { rows, columns } = this.matrix;
    if (rows === features) return;
    const hints = [
      ...(rows === features + 1 && !intercept
        ? ["if its first row is the intercept, add --intercept"]
        : []),
      ...(columns === features
        ? ["it looks like classes × features, so save its transpose"]
        : []),
    ];
    throw new InputUnsupportedError(
      this.path,
      "array",
      [
        `expected ${numberOf(features, "row")}, one per feature${intercept ? " with the intercept" : ""}, found ${rows} × ${columns}`,
        hints.length > 0 ? `; ${hints.join("; or ")}` : "",
      ].join(""),
    );
  }
}
