import {
  argument,
  flag,
  integer,
  names,
  number,
  outputPath,
  path,
  positive,
  ranges,
  section,
  text,
} from "./table-row.js";

// Rows of commands about one file, with the comments that users of the library see at each option.

const RESULTS_HELP = "Output file, or directory of a dataset";

export const FILE_SECTIONS = [
  section("Input", ["show"], "process", {
    /** Path of an output file, or of the directory of a dataset. */
    results: argument("output file or directory", RESULTS_HELP),
    /** Row of the input, 0-based. */
    row: integer("Row of the input, from 0", { isRequired: true }),
    /** Positions of the row along further axes, 0-based; required for an output with columns of positions. */
    position: ranges(
      "Position of the row, for an output with a column position, from 0; of several: 3,7",
    ),
    /** Input of the row, as the dataset names it; required for a dataset of several inputs. */
    input: text("Input of the row, for a dataset of several inputs"),
    /** Maximum number of classes to return, by decreasing p; default: 100. */
    classes: integer(
      "Number of classes to show, by decreasing p (default: as many as fit; 100 in JSON)",
      { group: "Values", range: [1, 10_000] },
    ),
  }),
  section("Values", ["verify"], "process", {
    /** Path of the output to check. */
    output: argument("output file", "Output file", { group: "Input" }),
    /** Path of the input of the run that wrote the output; `-` is standard input. */
    input: path("Input file of the run that wrote the output", {
      group: "Input",
      file: "read",
      alias: "i",
    }),
    /** Number of random rows to recompute with 31 digits, including the first and the last; default: 1,000. */
    sample: positive("Number of random rows to recompute in high precision", {
      // Errors of a kernel rarely affect only a few rows.
      default: 1000,
    }),
    /** Whether to recompute every row and compare every byte with a new run; default: false. */
    all: flag("Recompute every row and compare every byte with a new run"),
    /** Seed of the sample; default: 0. */
    seed: integer("Seed of the sample", { default: 0 }),
  }),
  section("Values", ["inspect"], "process", {
    /** Whether to read all logits, for their range, masked classes and bad rows; default: false. */
    scan: flag(
      "Read all logits: range, masked classes, rows without a softmax",
    ),
  }),
  section("Values", ["report"], "process", {
    /** Path of an output file, or of the directory of a dataset. */
    results: argument("output of softjac run", RESULTS_HELP, {
      group: "Input",
    }),
    /** Name of the copied column of true classes for calibration: class numbers, 0 to Q − 1, or class names. */
    label: text(
      "Copied column of true classes (0 to Q - 1, or names), for calibration and confusion",
    ),
    /** Names of the classes, in the order of the logits, for string labels; default: names stored in the results. */
    classNames: names(
      "Names of the classes, e.g. cat,dog, for labels that are names (default: those of the results)",
    ),
    /** Maximum number of classes in the heatmap, 2 to 100; default: 40. */
    classes: integer("Maximum number of classes in the heatmap, 2 to 100", {
      // More cells would be too small to see.
      range: [2, 100],
      default: 40,
    }),
    /** Title of the page; default: name of the results. */
    title: text("Title of the page (default: name of the results)", {
      group: "Output",
    }),
    /** Path of the HTML file to write. */
    output: outputPath("HTML file to write", { group: "Output" }),
  }),
  section("Values", ["generate"], "bytes", {
    /** Path of the file to write. */
    output: argument("output file", "Output file", {
      ...{ file: "output", group: "Output", affects: "process" },
    }),
    /** Number of rows. */
    rows: integer("Number of rows", { isRequired: true }),
    /** Number of classes. */
    classes: integer("Number of classes", {
      // A row is generated in memory, and one of 2^24 float64 values has 128 MiB.
      range: [1, 2 ** 24],
      isRequired: true,
    }),
    /**
     * Distribution of the logits; default: normal.
     *
     * | kind     | distribution                                                                                     |
     * |----------|--------------------------------------------------------------------------------------------------|
     * | notebook | each uniform on -5, -4.5, … 5, as NumPy's randint(-10, 11)/2                                     |
     * | normal   | each N(0, scale²)                                                                                |
     * | peaked   | N(0, 1), except for one random class: the largest of the others + a margin uniform on (0, 40)    |
     */
    kind: text(
      "Distribution: randint(-10, 11)/2, N(0, scale²), or one class far above the others",
      // Logits of classifiers are closer to normal than to the notebook's multiples of 1/2.
      { choices: ["notebook", "normal", "peaked"], default: "normal" },
    ),
    /** Standard deviation for kind normal; default: 3. */
    scale: number("Standard deviation for --kind normal", {
      range: [0, 1e6],
      // The logits of many trained classifiers have about this spread.
      default: 3,
    }),
    /** Random seed; default: 0. */
    seed: integer("Random seed; the same seed gives the same bytes", {
      default: 0,
    }),
    /** Type of the logits, which are drawn in float64 and rounded; default: float64. */
    dtype: text("Type of the logits (drawn in float64, then rounded)", {
      group: "Output",
      choices: ["float32", "float64"],
      // float64 needs no rounding.
      default: "float64",
    }),
  }),
] as const;
