import { checkNames, checkPath, checkValue } from "./check-options.js";
import { type ByteComparison, compareRun } from "./compare-run.js";
import { UsageError } from "./errors.js";
import { LIMIT_NAMES } from "./input/limits.js";
import { STANDARD_INPUT } from "./input/standard-input.js";
import type { LimitOptions } from "./options.js";
import { type OptionSpec, RUN_OPTIONS } from "./options-table.js";
import type { RunHooks } from "./run.js";
import type { ValueReport } from "./verify/value-report.js";
import { verifyValues } from "./verify/verify-values.js";

/** Which file is to be checked against which input. `output` and `input` must be given. */
export interface VerifyOptions extends LimitOptions {
  /** Path of a file that a run made. */
  output: string;
  /** Path of the file that it was made from. */
  input: string;
  /** Rows whose values are recomputed in high precision, drawn at random; the first and the last are among them. */
  sample?: number | undefined;
  /** Recompute every row in high precision, and compare every byte with those of a run. */
  all?: boolean | undefined;
  /** Factor on the promised bounds of errors. */
  tolerance?: number | undefined;
  /** Seed of the sample. */
  seed?: number | undefined;
  /** The columns of the input that went into the results, as for run. */
  column?: string | undefined;
  columns?: string | undefined;
  classColumn?: string | undefined;
  label?: string | undefined;
  cotangent?: string | undefined;
  tangent?: string | undefined;
  covariance?: string | undefined;
  nullLogit?: "error" | "mask" | undefined;
  allowMissingEos?: boolean | undefined;
  threads?: number | undefined;
}

/** What a verification found. */
export interface VerifyReport extends ValueReport {
  output: string;
  input: string;
  /** With `all`: whether every byte is one that a run writes. */
  bytes: ByteComparison | null;
  durationMs: number;
}

/** As exact as a sample of a thousand can be told from a whole file: errors do not hide in a few rows only. */
const DEFAULT_SAMPLE = 1000;

const AS_RUN: readonly string[] = [
  "column",
  "columns",
  "classColumn",
  "label",
  "cotangent",
  "tangent",
  "covariance",
  "nullLogit",
  "allowMissingEos",
  "threads",
  ...LIMIT_NAMES,
];

/** One table: the library checks by it, the CLI makes its flags and help from it. */
export const VERIFY_OPTIONS: readonly OptionSpec[] = [
  {
    name: "input",
    kind: "string",
    alias: "i",
    group: "Input",
    help: "File of logits that the results were made from (required)",
  },
  ...RUN_OPTIONS.filter(({ name }) => AS_RUN.includes(name)),
  {
    name: "sample",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    default: DEFAULT_SAMPLE,
    group: "Values",
    help: "Rows to recompute in high precision, drawn at random",
  },
  {
    name: "all",
    kind: "boolean",
    default: false,
    group: "Values",
    help: "Recompute every row, and compare every byte with those that a run writes",
  },
  {
    name: "tolerance",
    kind: "number",
    range: [1e-6, 1e6],
    default: 1,
    group: "Values",
    help: "Factor on the promised bounds of errors",
  },
  {
    name: "seed",
    kind: "integer",
    default: 0,
    group: "Values",
    help: "Seed of the sample",
  },
];

/**
 * Checks a file of results against the file that it was made from: structure, values against an independent computation
 * in 31 digits, the laws of a Jacobian, and with `all` every byte. Wrong values are what the report is about, and no error.
 *
 * @throws SoftjacError where one of the files cannot be read, or they do not belong together
 */
export async function verify(
  options: VerifyOptions,
  hooks: RunHooks = {},
): Promise<VerifyReport> {
  const start = performance.now();
  checkNames(options, ["output", ...VERIFY_OPTIONS.map(({ name }) => name)]);
  checkPath("output", options.output);
  checkPath("input", options.input);
  for (const spec of VERIFY_OPTIONS)
    checkValue(spec, options[spec.name as keyof VerifyOptions]);
  const { all = false, sample, seed, tolerance, ...others } = options;
  if (all && sample !== undefined)
    throw new UsageError(
      "sample, all: expected one of the two, found both",
      "all",
    );
  if (all && options.input === STANDARD_INPUT)
    throw new UsageError(
      "input, all: expected a file, which is read twice, found standard input",
      "input",
    );
  const { output, threads, ...inputs } = others;
  const values = await verifyValues(
    {
      ...inputs,
      output,
      rows: all ? "all" : (sample ?? DEFAULT_SAMPLE),
      ...(seed !== undefined && { seed }),
      ...(tolerance !== undefined && { tolerance }),
    },
    hooks,
  );
  const bytes = all
    ? await compareRun(output, { ...inputs, threads }, { signal: hooks.signal })
    : null;
  const findings = [...values.findings];
  if (bytes?.compared && bytes.finding) findings.push(bytes.finding);
  return {
    ...values,
    findings,
    ok: values.ok && !(bytes?.compared && bytes.finding),
    output,
    input: options.input,
    bytes,
    durationMs: performance.now() - start,
  };
}
