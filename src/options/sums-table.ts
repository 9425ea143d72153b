import { REDUCTION_NAMES } from "../results/reductions.js";
import { RUNNING, SUMMING } from "./run-table.js";
import {
  flag,
  list,
  names,
  number,
  outputPath,
  outputText,
  paths,
  positive,
  section,
  text,
  textOrNumber,
} from "./table-row.js";

// Rows of sums over rows and of models, with the comments that users of the library see at each option.

const MODELLING = ["reduce", "effects"] as const;
const WITH_MODEL = [...MODELLING, ...RUNNING, "verify"] as const;

export const SUMS_SECTIONS = [
  section("Results", ["reduce"], "bytes", {
    /** Names of the results; default: softmax and jacobian. */
    emit: list("Results, e.g. jacobian,fisher (default: softmax,jacobian)", {
      choices: REDUCTION_NAMES,
    }),
    /** Name of the column of true classes: class numbers or class names; beside a file of arrays also the path of an `.npy` file. */
    label: text(
      "Input column of true classes for --emit accuracy, loglik, score, opg, cross_entropy and gradient, or an .npy file beside a file of arrays",
    ),
    /** Symmetric matrices whole, or as upper triangles; default: bsr. */
    layout: text(
      "Symmetric matrices whole (bsr) or as upper triangles (packed)",
      { choices: ["bsr", "packed"], default: "bsr" },
    ),
    /** Path of the Arrow file to write. */
    output: outputPath("Arrow file to write: one row per group", {
      ...{ group: "Output", affects: "process" },
    }),
  }),
  section("Input", MODELLING, "bytes", {
    /**
     * Columns of features, in the order of the coefficients: names or patterns separated by commas, or one column of lists.
     * In `run` and `verify` instead of logits; needs `coefficients`.
     */
    features: text(
      "Columns of features in the order of the coefficients, e.g. age,educ or 'x_*', or one column of lists",
      { commands: WITH_MODEL },
    ),
    /** Whether a constant 1 precedes the features, as the term `(intercept)`; default: false. */
    intercept: flag("Put a constant 1 before the features: (intercept)", {
      commands: WITH_MODEL,
    }),
    /** Path of an .npy file of coefficients, features × classes: the logits are features × coefficients. */
    coefficients: text(
      "Coefficients, features x classes, as an .npy file: the logits are features x coefficients",
      { commands: WITH_MODEL, file: "read" },
    ),
    /** Reference class, whose column the coefficients lack, or `none` if they have all columns; default: 0. */
    base: textOrNumber(
      "Reference class, which has no column in the coefficients; none: every class has one",
      // statsmodels, R and Stata omit the first class.
      { commands: WITH_MODEL, default: "0" },
    ),
    /** Name of the column of frequency weights; default: 1 for each row. */
    weight: text(
      "Column of frequency weights: a row of weight w counts as w rows",
      { commands: SUMMING },
    ),
    /** Names of the columns whose values form groups; default: one group of all rows. */
    by: names("Columns whose values form groups, e.g. state,year"),
    /** Action for bad rows: throw BadRowError (default), or omit them. */
    onBadRow: text(
      "Rows without a softmax, with invalid features or without a label: stop, or omit",
      {
        ...{ commands: SUMMING, choices: ["error", "skip"], default: "error" },
      },
    ),
    /** Maximum memory of the sums of all groups and threads, in bytes; default: 1 GiB. */
    maxSumsBytes: positive(
      "Maximum memory of the sums of all groups, in bytes",
      { group: "Running", affects: "process", default: 2 ** 30 },
    ),
  }),
  section("Input", ["calibrate"], "bytes", {
    /** Name of the column of true classes. */
    label: text("Column of true classes", { isRequired: true }),
    /** Path of a JSON file to write, which `temperatureFile` of `run` and `reduce` reads; default: none. */
    output: outputText("JSON file to write, for --temperature-file", {
      ...{ group: "Output", affects: "process" },
    }),
  }),
  section("Results", ["effects"], "bytes", {
    /** Name of the column of true classes, for a warning unless the coefficients maximize their likelihood. */
    label: text(
      "Column of true classes: warn unless the coefficients maximize their likelihood",
      { group: "Input" },
    ),
    /** Names of the classes in the order of the model, for labels that are names. */
    classNames: names(
      "Names of the classes in the order of the model, for labels that are names",
      { commands: ["effects", "calibrate"], group: "Input" },
    ),
    /**
     * Effects to average: `dydx` (∂p_j/∂x_k), `probability` (p_j), `coefficients`, `eydx` (∂ln p_j/∂x_k), `dyex`
     * (x_k ∂p_j/∂x_k), `eyex` (x_k ∂ln p_j/∂x_k); default: dydx.
     */
    of: list(
      "Effects: dydx (default), probability, coefficients, eydx, dyex, eyex",
      {
        choices: [
          "dydx",
          "probability",
          "coefficients",
          "eydx",
          "dyex",
          "eyex",
        ],
      },
    ),
    /** Discrete changes of single features: `educ=12:16` is p at educ 16 minus p at 12, `parent` is 0:1. */
    contrast: names("Discrete changes: parent (from 0 to 1), educ=12:16"),
    /** Names of the features whose effects are returned; default: all but `(intercept)`. */
    terms: names(
      "Features whose effects are printed, e.g. age,educ (default: all but (intercept))",
    ),
    /** Whether `(intercept)` is among the default terms; default: false. */
    constants: flag("Include the effects of (intercept)"),
    /**
     * Covariance of the coefficients: `fisher`, the inverse Fisher information of these rows (default without covarianceFile),
     * `robust`, the sandwich estimate HC0 (needs label), or `none` for estimates without errors.
     */
    covariance: text(
      "Covariance of the coefficients: inverse Fisher information of these rows (default), robust (HC0), or none",
      { choices: ["fisher", "robust", "none"] },
    ),
    /** Features at which effects are evaluated: `rows`, whose effects are averaged (default), or the weighted `mean` of x. */
    at: text(
      "Average the effects over rows, or evaluate them at the mean of the features",
      { choices: ["rows", "mean"], default: "rows" },
    ),
    /**
     * Path of an .npy file with the covariance of the coefficients, class-major. In `run` and `verify`, each row then has the
     * covariance of its logits for the results `std_error`, `variance` and `covariance`.
     */
    covarianceFile: text("Covariance of the coefficients, class-major (.npy)", {
      commands: ["effects", ...RUNNING, "verify"],
      file: "read",
    }),
    /** Level of the confidence intervals, 0.5 to 0.999999; default: 0.95. */
    level: number("Level of the confidence intervals", {
      range: [0.5, 0.999999],
      default: 0.95,
    }),
  }),
  section("Output", ["effects", "merge"], "process", {
    /** Files that `reduce` or `effects` wrote with `partial`, and directories and patterns of them. */
    inputs: paths("Files of --partial, directories and patterns", {
      ...{ argument: "file of partial sums", file: "read" },
      ...{ commands: ["merge"], group: "Input" },
    }),
    /** Path of the Arrow file to write; default for effects: no file, only the returned rows. */
    output: outputText(
      "Arrow file to write (default for effects: print a table)",
    ),
    /** Whether the output has the sums themselves, for `mergePartials`; default: false. */
    partial: flag("Write the sums themselves, for softjac merge", {
      commands: [...MODELLING, "merge"],
    }),
  }),
] as const;
