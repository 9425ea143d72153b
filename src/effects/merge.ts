import { UsageError } from "../errors.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import type { OptionsOf } from "../options/options-table.js";
import { ARROW, checkOutput } from "../output/written-files.js";
import type { ReduceOptions } from "../reduce/options.js";
import { readPartials } from "../reduce/partials.js";
import { type ReduceReport, reduceFrom } from "../reduce/reduce.js";
import { filesOfAll } from "../reduce/sum-inputs.js";
import { effectsFrom } from "./effects.js";
import type { EffectsReport } from "./effects-report.js";
import type { EffectsOptions } from "./options.js";

/** Options of `mergePartials`. Only `inputs` is required. */
export interface MergeOptions extends OptionsOf<"merge"> {}

/**
 * Merges partial sums. The result has the bytes of one call over all their inputs.
 * @throws UsageError if the partials are of other options or have an input in common; other errors as reduce and effects
 */
export async function mergePartials(
  options: MergeOptions,
  hooks: RunHooks = {},
): Promise<ReduceReport | EffectsReport> {
  checkHooks(hooks);
  const { inputs: given, output, ...others } = resolve("merge", options);
  const { force } = others;
  if (output !== undefined)
    checkOutput({ path: output, force, format: ARROW, inputs: given });
  const inputs = await filesOfAll(given, hooks.onEvent);
  const source = readPartials(inputs);
  const all = { ...source.options, ...others, inputs, output };
  if (source.command === "effects")
    return effectsFrom(source, all as unknown as EffectsOptions, hooks);
  if (output === undefined)
    throw new UsageError("missing required option output", "output");
  return reduceFrom(source, all as unknown as ReduceOptions, hooks);
}
