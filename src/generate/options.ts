import { checkNames, checkPath, checkValue } from "../check-options.js";
import { UsageError } from "../errors.js";
import { type OptionSpec, TARGET_OPTIONS } from "../options-table.js";

const LOGITS_KINDS = ["notebook", "normal", "peaked"] as const;
/**
 * Distribution of the logits of a row.
 *
 * | kind     | distribution                                                                                     |
 * |----------|--------------------------------------------------------------------------------------------------|
 * | notebook | each uniform on -5, -4.5, … 5, as NumPy's randint(-10, 11)/2                                     |
 * | normal   | each N(0, scale²)                                                                                |
 * | peaked   | N(0, 1), except for one random class: the largest of the others + a margin uniform on (0, 40)    |
 */
export type LogitsKind = (typeof LOGITS_KINDS)[number];

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
    // A row is made at once, and readers take a record batch of 128 MiB with ease.
    range: [1, 2 ** 24],
    group: "Values",
    help: "Number of classes",
  },
  {
    name: "kind",
    isCommon: true,
    kind: "string",
    choices: LOGITS_KINDS,
    // Nearer to the logits of trained classifiers than the notebook's whole and half numbers.
    default: "normal",
    group: "Values",
    help: "Distribution: randint(-10, 11)/2, N(0, scale²), or one class far above the others",
  },
  {
    name: "scale",
    isCommon: true,
    kind: "number",
    range: [0, 1e6],
    default: 3,
    group: "Values",
    help: "Standard deviation for --kind normal",
  },
  {
    name: "seed",
    isCommon: true,
    kind: "integer",
    default: 0,
    group: "Values",
    help: "Random seed; the same seed gives the same bytes",
  },
  {
    name: "dtype",
    isCommon: true,
    kind: "string",
    choices: ["float32", "float64"],
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
  const resolved: Record<string, unknown> = { output: options.output };
  for (const { name, default: usual } of GENERATE_OPTIONS)
    resolved[name] = options[name] ?? usual;
  return Object.freeze(resolved) as ResolvedGenerateOptions;
}
