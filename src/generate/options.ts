import { checkNames, checkPath, checkValue } from "../check-options.js";
import { UsageError } from "../errors.js";
import { type OptionSpec, TARGET_OPTIONS } from "../options-table.js";
import { LOGITS_KINDS, type LogitsKind } from "./logits-kinds.js";

/** Options of `generate`. Only `output`, `rows` and `classes` are required. */
export interface GenerateOptions {
  /** Path of the file to write. */
  output: string;
  rows: number;
  classes: number;
  /** Distribution of the logits; default: normal. */
  kind?: LogitsKind | undefined;
  /** Standard deviation for kind normal; default: 3. */
  scale?: number | undefined;
  /** Random seed; the same seed gives the same bytes; default: 0. */
  seed?: number | undefined;
  /** Type of the logits, which are drawn in float64 and then rounded; default: float64. */
  dtype?: "float32" | "float64" | undefined;
  /** Whether to replace an existing output file; default: false. */
  force?: boolean | undefined;
  /** Whether to wait until the output is on disk (fsync) before it is renamed into place; default: true. */
  sync?: boolean | undefined;
}

export type ResolvedGenerateOptions = Readonly<{
  [name in keyof GenerateOptions]-?: NonNullable<GenerateOptions[name]>;
}>;

/** Of kind normal: as the logits of many a trained classifier spread. */
const DEFAULT_SCALE = 3;

/** One table: the library checks by it, the CLI makes its flags and help from it. */
export const GENERATE_OPTIONS: readonly OptionSpec<
  Exclude<keyof GenerateOptions, "output">
>[] = [
  {
    name: "rows",
    isCommon: true,
    kind: "integer",
    range: [0, Number.MAX_SAFE_INTEGER],
    group: "Values",
    help: "Number of rows",
  },
  {
    name: "classes",
    isCommon: true,
    kind: "integer",
    // A row is made at once, and 128 MiB are as much as readers take in a record batch with ease.
    range: [1, 2 ** 24],
    group: "Values",
    help: "Number of classes",
  },
  {
    name: "kind",
    isCommon: true,
    kind: "string",
    choices: LOGITS_KINDS,
    // What classifiers give is nearer to it than to the notebook's whole and half numbers.
    default: "normal",
    group: "Values",
    help: "Distribution: randint(-10, 11)/2, N(0, scale²), or one class far above the others",
  },
  {
    name: "scale",
    isCommon: true,
    kind: "number",
    range: [0, 1e6],
    default: DEFAULT_SCALE,
    group: "Values",
    help: "Standard deviation for --kind normal",
  },
  {
    name: "seed",
    isCommon: true,
    kind: "integer",
    // The same command gives the same file, unless another is asked for.
    default: 0,
    group: "Values",
    help: "Random seed; the same seed gives the same bytes",
  },
  {
    name: "dtype",
    isCommon: true,
    kind: "string",
    choices: ["float32", "float64"],
    // Nothing is rounded that need not be.
    default: "float64",
    group: "Output",
    help: "Type of the logits (drawn in float64, then rounded)",
  },
  ...TARGET_OPTIONS,
];

/**
 * Checks options and fills in defaults. The argument is not changed.
 * @throws UsageError naming the option, what it takes, and what was found
 */
export function resolveGenerateOptions(
  options: GenerateOptions,
): ResolvedGenerateOptions {
  checkNames(options, ["output", ...GENERATE_OPTIONS.map(({ name }) => name)]);
  checkPath("output", options.output);
  for (const name of ["rows", "classes"] as const)
    if (options[name] === undefined)
      throw new UsageError(`missing required option ${name}`, name);
  for (const spec of GENERATE_OPTIONS) checkValue(spec, options[spec.name]);
  const { kind = "normal" } = options;
  if (options.scale !== undefined && kind !== "normal")
    throw new UsageError(
      `scale: only kind normal has a scale, found kind ${kind}`,
      "scale",
    );
  return Object.freeze({
    output: options.output,
    rows: options.rows,
    classes: options.classes,
    kind,
    scale: options.scale ?? DEFAULT_SCALE,
    seed: options.seed ?? 0,
    dtype: options.dtype ?? "float64",
    force: options.force ?? false,
    sync: options.sync ?? true,
  });
}
