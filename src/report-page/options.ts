import { basename } from "node:path";
import { checkNames, checkPath, checkValue } from "../check-options.js";
import { type OptionSpec, TARGET_OPTIONS } from "../options-table.js";

/** Options of `report`. Only `results` and `output` are required. */
export interface ReportOptions {
  /** Path of an output file, or of the directory of a dataset. */
  results: string;
  /** Path of the HTML file to write. */
  output: string;
  /** Name of the copied column of true classes for calibration: class numbers, 0 to Q − 1, or class names. */
  label?: string | undefined;
  /** Names of the classes, in the order of the logits, for labels that are strings; default: those that the results have. */
  classNames?: readonly string[] | undefined;
  /** Maximum number of classes in the heatmap, 2 to 100; default: 40. */
  classes?: number | undefined;
  /** Title of the page; default: name of the results. */
  title?: string | undefined;
  /** Path of the report of a verification (`softjac verify --report` or `--json`), for its errors. */
  verifyReport?: string | undefined;
  /** Whether to replace an existing output file; default: false. */
  force?: boolean | undefined;
  /** Whether to wait until the output is on disk (fsync) before it is renamed into place; default: true. */
  sync?: boolean | undefined;
}

/** Checked options with the defaults; frozen. */
export type ResolvedReportOptions = Readonly<
  ReportOptions & {
    classes: number;
    title: string;
    force: boolean;
    sync: boolean;
  }
>;

const DEFAULT_CLASSES = 40;

/** The library checks options with this table; the command line makes flags and help from it. */
export const REPORT_OPTIONS: readonly OptionSpec<
  Exclude<keyof ReportOptions, "results">
>[] = [
  {
    name: "label",
    isCommon: true,
    kind: "string",
    group: "Values",
    help: "Copied column of true classes (0 to Q - 1, or names), for calibration and confusion",
  },
  {
    name: "classNames",
    kind: "names",
    group: "Values",
    help: "Names of the classes, e.g. cat,dog, for labels that are names (default: those of the results)",
  },
  {
    name: "classes",
    isCommon: true,
    kind: "integer",
    // More cells would be too small to see.
    range: [2, 100],
    default: DEFAULT_CLASSES,
    group: "Values",
    help: "Maximum number of classes in the heatmap, 2 to 100",
  },
  {
    name: "verifyReport",
    kind: "string",
    file: "read",
    group: "Values",
    help: "Report of a verification (softjac verify --report FILE); adds its errors",
  },
  {
    name: "title",
    kind: "string",
    group: "Output",
    help: "Title of the page (default: name of the results)",
  },
  {
    name: "output",
    isCommon: true,
    kind: "string",
    file: "output",
    alias: "o",
    group: "Output",
    help: "HTML file to write",
  },
  ...TARGET_OPTIONS,
];

/**
 * Checks options and fills in defaults. The argument is not changed.
 * @throws UsageError naming the option, what it takes, and what was found
 */
export function resolveReportOptions(
  options: ReportOptions,
): ResolvedReportOptions {
  checkNames(options, ["results", ...REPORT_OPTIONS.map(({ name }) => name)]);
  checkPath("results", options.results);
  checkPath("output", options.output);
  for (const spec of REPORT_OPTIONS) checkValue(spec, options[spec.name]);
  return Object.freeze({
    ...options,
    classes: options.classes ?? DEFAULT_CLASSES,
    title: options.title ?? basename(options.results),
    force: options.force ?? false,
    sync: options.sync ?? true,
  });
}
