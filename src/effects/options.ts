import { UsageError } from "../errors.js";
import { resolve } from "../options/check-options.js";
import type { OptionsOf, Resolved } from "../options/options-table.js";
import { withBase } from "../options/run-options.js";

/** Options of `effects`. `inputs`, `features` and `coefficients` are required. */
export interface EffectsOptions extends OptionsOf<"effects"> {
  features: string;
  coefficients: string;
}

/** Name of an effect. */
export type EffectName = NonNullable<EffectsOptions["of"]>[number];

/** A discrete change of a feature. */
export interface Contrast {
  feature: string;
  from: number;
  to: number;
}

export type ResolvedEffectsOptions = Omit<
  Resolved<"effects">,
  "of" | "covariance" | "contrast"
> & {
  readonly of: readonly EffectName[];
  readonly covariance: "fisher" | "robust" | "none" | "file";
  readonly contrast: readonly Contrast[];
};

/** Checks options and fills in defaults. @throws UsageError */
export function resolveEffectsOptions(
  given: EffectsOptions,
): ResolvedEffectsOptions {
  const options = resolve("effects", withBase(given));
  for (const name of ["features", "coefficients"] as const)
    if (options[name] === undefined)
      throw new UsageError(`missing required option ${name}`, name);
  const { covariance, covarianceFile, contrast = [], weight } = options;
  if (covariance === "robust" && options.label === undefined)
    throw new UsageError("covariance: robust needs label", "label");
  if (covariance === "robust" && weight !== undefined)
    throw new UsageError(
      "covariance: robust does not support weight",
      "weight",
    );
  if (options.partial && options.output === undefined)
    throw new UsageError("partial: needs output", "output");
  return {
    ...options,
    of: options.of ?? ["dydx"],
    covariance:
      covarianceFile === undefined ? (covariance ?? "fisher") : "file",
    contrast: contrast.map(contrastOf),
  };
}

function contrastOf(text: string): Contrast {
  const [, feature, from = "0", to = "1"] =
    /^(.*?)(?:=([^:=]+):([^:=]+))?$/s.exec(text) ?? [];
  const contrast = {
    feature: `${feature}`,
    from: Number(from),
    to: Number(to),
  };
  if (feature && Number.isFinite(contrast.from) && Number.isFinite(contrast.to))
    return contrast;
  throw new UsageError(
    `contrast: expected a feature, or feature=from:to with two numbers, found ${text}`,
    "contrast",
  );
}
