import { availableParallelism } from "node:os";
import { UsageError } from "./errors.js";

/** What a run is asked to do. Only `input` and `output` must be given. */
export interface RunOptions {
  /** Path of an Arrow IPC file. */
  input: string;
  /** Path of the file to make. */
  output: string;
  /** Name of the column of lists that holds the logits. */
  column?: string | undefined;
  /** Pattern (`*`, `?`) of the separate columns that hold the logits, one per class, in file order. */
  columns?: string | undefined;
  /** Names of input columns to copy into the output. */
  keep?: readonly string[] | undefined;
  /** Type of the results; default: that of the logits. */
  dtype?: "float32" | "float64" | undefined;
  onBadRow?: "error" | "null" | undefined;
  /** Mark `jacobian` as arrow.fixed_shape_tensor. */
  tensorType?: boolean | undefined;
  threads?: number | undefined;
  /** Rows per task. Changes no byte of the output. */
  chunkRows?: number | undefined;
  kernel?: "auto" | "simd" | "plain" | undefined;
  /** Replace an existing output file. */
  force?: boolean | undefined;
  /** Wait until the output is on the disk before it gets its name. */
  sync?: boolean | undefined;
}

/** RunOptions checked, with every default in place; frozen. */
export interface ResolvedOptions {
  readonly input: string;
  readonly output: string;
  readonly column: string | undefined;
  readonly columns: string | undefined;
  readonly keep: readonly string[];
  readonly dtype: "float32" | "float64" | undefined;
  readonly onBadRow: "error" | "null";
  readonly tensorType: boolean;
  readonly threads: number;
  readonly chunkRows: number | undefined;
  readonly kernel: "auto" | "simd" | "plain";
  readonly force: boolean;
  readonly sync: boolean;
}

export interface OptionSpec {
  /** The property of RunOptions; the CLI's flag is the same in kebab-case. */
  name: Exclude<keyof RunOptions, "input">;
  kind: "string" | "list" | "integer" | "boolean";
  alias?: string;
  choices?: readonly string[];
  /** Inclusive range of an integer. */
  range?: readonly [number, number];
  default?: string | number | boolean;
  group: "Input" | "Output" | "Running";
  help: string;
}

/** One table: the library checks by it, the CLI makes its flags and help from it. */
export const RUN_OPTIONS: readonly OptionSpec[] = [
  {
    name: "column",
    kind: "string",
    group: "Input",
    help: "Column of lists that holds the logits (default: the only one of floats in lists)",
  },
  {
    name: "columns",
    kind: "string",
    group: "Input",
    help: "Pattern of separate columns that hold the logits, one per class: 'logit_*'",
  },
  {
    name: "onBadRow",
    kind: "string",
    choices: ["error", "null"],
    // A NaN in a pipeline is news: stop, unless told otherwise.
    default: "error",
    group: "Input",
    help: "A row with NaN, +inf or nothing but -inf: stop, or null results",
  },
  {
    name: "output",
    kind: "string",
    alias: "o",
    group: "Output",
    help: "File to make (required)",
  },
  {
    name: "keep",
    kind: "list",
    group: "Output",
    help: "Input columns to copy beside the results: id,label",
  },
  {
    name: "dtype",
    kind: "string",
    choices: ["float32", "float64"],
    group: "Output",
    help: "Type of the results (default: as the logits); computed in float64 either way",
  },
  {
    name: "tensorType",
    kind: "boolean",
    // Readers that do not know the extension see a plain list; those that do get the shape.
    default: true,
    group: "Output",
    help: "Mark jacobian as arrow.fixed_shape_tensor",
  },
  {
    name: "force",
    kind: "boolean",
    default: false,
    group: "Output",
    help: "Replace the output file if it exists",
  },
  {
    name: "sync",
    kind: "boolean",
    // A name that is there after a power cut, over bytes that are not, is the worst that a writer can leave.
    default: true,
    group: "Output",
    help: "Wait until the output is on the disk (--no-sync: leave it to the system, as other tools do)",
  },
  {
    name: "threads",
    kind: "integer",
    range: [1, 256],
    group: "Running",
    help: "Worker threads (default: the cores this process may use)",
  },
  {
    name: "chunkRows",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Running",
    help: "Rows per task (default: about 8 MiB of output); changes no byte",
  },
  {
    name: "kernel",
    kind: "string",
    choices: ["auto", "simd", "plain"],
    // SIMD where it can run; the plain kernel gives the same bits, slower.
    default: "auto",
    group: "Running",
    help: "Kernel: SIMD WebAssembly or plain JavaScript; same bits",
  },
];

/**
 * Checks options and fills in defaults. The argument is not changed.
 * @throws UsageError naming the option, what it takes, and what was found
 */
export function resolveOptions(options: RunOptions): ResolvedOptions {
  checkNames(options);
  const { input, output } = options;
  for (const [name, value] of Object.entries({ input, output }))
    if (typeof value !== "string" || value === "")
      throw new UsageError(
        `${name}: expected a path, found ${show(value)}`,
        name,
      );
  for (const spec of RUN_OPTIONS) checkValue(spec, options[spec.name]);
  const { column, columns, keep = [] } = options;
  if (column !== undefined && columns !== undefined)
    throw new UsageError(
      "column, columns: expected one of the two, found both",
      "columns",
    );
  const twice = keep.find((name, k) => keep.indexOf(name) !== k);
  if (twice !== undefined)
    throw new UsageError(
      `keep: expected each column once, found ${twice} twice`,
      "keep",
    );
  return Object.freeze({
    input,
    output,
    column,
    columns,
    keep: Object.freeze([...keep]),
    dtype: options.dtype,
    onBadRow: options.onBadRow ?? "error",
    tensorType: options.tensorType ?? true,
    threads: options.threads ?? availableParallelism(),
    chunkRows: options.chunkRows,
    kernel: options.kernel ?? "auto",
    force: options.force ?? false,
    sync: options.sync ?? true,
  });
}

function checkNames(options: RunOptions): void {
  const known = ["input", ...RUN_OPTIONS.map((spec) => spec.name as string)];
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new UsageError(
        `expected an option among ${known.join(", ")}, found ${name}`,
        name,
      );
}

function checkValue(spec: OptionSpec, value: unknown): void {
  if (value === undefined) return;
  const fail = (expected: string): never => {
    throw new UsageError(
      `${spec.name}: expected ${expected}, found ${show(value)}`,
      spec.name,
    );
  };
  switch (spec.kind) {
    case "boolean":
      if (typeof value !== "boolean") fail("true or false");
      return;
    case "integer": {
      const [low, high] = spec.range ?? [0, Number.MAX_SAFE_INTEGER];
      const whole = Number.isSafeInteger(value)
        ? (value as number)
        : Number.NaN;
      if (!(whole >= low && whole <= high))
        fail(
          high === Number.MAX_SAFE_INTEGER
            ? `a whole number from ${low}`
            : `a whole number from ${low} to ${high}`,
        );
      return;
    }
    case "list":
      if (
        !Array.isArray(value) ||
        value.some((item) => typeof item !== "string" || item === "")
      )
        fail("a list of column names");
      return;
    case "string":
      if (typeof value !== "string" || value === "") fail("a text");
      if (spec.choices && !spec.choices.includes(value as string))
        fail(spec.choices.join(" or "));
  }
}

function show(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}
