import { UsageError } from "../errors.js";
import { whileUnchanged } from "../input/input-state.js";
import { STANDARD_INPUT } from "../io/location.js";
import { checkHooks, copyOptions, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import type { OptionsOf } from "../options/options-table.js";
import { type ByteComparison, compareRun } from "./compare-bytes.js";
import { type ValueReport, verifyValues } from "./verify-values.js";

/** Options of `verify`. Only `output` and `input` are required; those of `run` default to what the output records. */
export interface VerifyOptions extends OptionsOf<"verify"> {}

/** Report of a verification. */
export interface VerifyReport extends ValueReport {
  output: string;
  input: string;
  /** Comparison with a new run, byte by byte; null without `all`. */
  bytes: ByteComparison | null;
  /** Duration of the call, in milliseconds. */
  durationMs: number;
}

/**
 * Checks an output against its input: its structure, its values against an independent computation with 31 digits, and
 * with `all` every byte. Wrong values do not throw; the report lists them.
 *
 * @returns the report, with errors in ulp or ε of each column's type
 * @throws SoftjacError if one of the files cannot be read, or the output does not belong to the input
 */
export async function verify(
  options: VerifyOptions,
  hooks: RunHooks = {},
): Promise<VerifyReport> {
  checkHooks(hooks);
  const start = performance.now();
  const resolved = resolve("verify", options);
  const { all = false, sample, seed, ...others } = copyOptions(options);
  const { output, ...inputs } = others;
  const { input } = inputs;
  if (all && sample !== undefined)
    throw new UsageError("sample, all: give only one of them", "all");
  if (all && input === STANDARD_INPUT)
    throw new UsageError(
      "input, all: standard input cannot be read twice; give the path of a file",
    );
  const rows = all ? Infinity : resolved.sample;
  const { signal } = hooks;
  const { values, bytes } = await whileUnchanged([output, input], async () => ({
    values: await verifyValues({ ...others, rows, seed }, hooks),
    bytes: all ? await compareRun(output, inputs, { signal }) : null,
  }));
  const difference = bytes?.compared ? bytes.message : null;
  return {
    ...values,
    notCompared: bytes?.compared ? [] : values.notCompared,
    problems: [...values.problems, ...(difference ? [difference] : [])],
    ok: values.ok && !difference,
    output,
    input,
    bytes,
    durationMs: performance.now() - start,
  };
}
