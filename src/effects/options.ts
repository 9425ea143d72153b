import { UsageError } from "../errors.js";
import { type Resolved, resolve } from "../options/check-options.js";
import { withBase } from "../options/run-options.js";
import type { RowOptions } from "../reduce/options.js";

/** Effects of `--of`. */
export const EFFECTS = [
  ...(["dydx", "probability", "coefficients"] as const),
  ...(["eydx", "dyex", "eyex"] as const),
] as const;
export type EffectName = (typeof EFFECTS)[number];

/** Options of `effects`. `inputs`, `features` and `coefficients` are required. */
export interface EffectsOptions extends RowOptions {
  /** Path of the Arrow file to write; default: no file, only the returned rows. */
  output?: string | undefined;
  features: string;
  coefficients: string;
  /**
   * Effects to average: `dydx` (∂p_j/∂x_k), `probability` (p_j), `coefficients`, `eydx` (∂ln p_j/∂x_k), `dyex`
   * (x_k ∂p_j/∂x_k), `eyex` (x_k ∂ln p_j/∂x_k); default: dydx.
   */
  of?: readonly EffectName[] | undefined;
  /** Discrete changes of single features: `educ=12:16` is p at educ 16 minus p at 12, `parent` is 0:1. */
  contrast?: readonly string[] | undefined;
  /** Names of the features whose effects are returned; default: all but `(intercept)`. */
  terms?: readonly string[] | undefined;
  /** Whether `(intercept)` is among the default terms; default: false. */
  constants?: boolean | undefined;
  /**
   * Covariance of the coefficients: `fisher`, the inverse Fisher information of these rows (default without covarianceFile),
   * `robust`, the sandwich estimate HC0 (needs label), or `none` for estimates without errors.
   */
  covariance?: "fisher" | "robust" | "none" | undefined;
  /** Path of an .npy file with the covariance of the coefficients, class-major. */
  covarianceFile?: string | undefined;
  /** Features at which effects are evaluated: `rows`, whose effects are averaged (default), or the weighted `mean` of x. */
  at?: "rows" | "mean" | undefined;
  /** Level of the confidence intervals, 0.5 to 0.999999; default: 0.95. */
  level?: number | undefined;
}

/** A discrete change of a feature. */
export interface Contrast {
  /** As the user wrote it. */
  text: string;
  feature: string;
  from: number;
  to: number;
}

export type ResolvedEffectsOptions = Omit<
  Resolved<
    EffectsOptions,
    | ("allowMissingEos" | "intercept" | "base" | "onBadRow" | "maxSumsBytes")
    | ("force" | "sync" | "constants" | "level" | "at" | "partial")
  >,
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
  const options = resolve<
    EffectsOptions,
    | ("allowMissingEos" | "intercept" | "base" | "onBadRow" | "maxSumsBytes")
    | ("force" | "sync" | "constants" | "level" | "at" | "partial")
  >("effects", withBase(given));
  for (const name of ["features", "coefficients"] as const)
    if (options[name] === undefined)
      throw new UsageError(`missing required option ${name}`, name);
  const { covariance, covarianceFile, contrast = [], weight } = options;
  if (covariance !== undefined && covarianceFile !== undefined)
    throw new UsageError(
      "covariance, covarianceFile: give only one of them",
      "covarianceFile",
    );
  if (covariance === "robust" && options.label === undefined)
    throw new UsageError("covariance: robust needs label", "label");
  if (covariance === "robust" && weight !== undefined)
    throw new UsageError(
      "covariance: robust does not support weight",
      "weight",
    );
  if (options.partial && options.output === undefined)
    throw new UsageError("partial: needs output", "output");
  const of = options.of ?? ["dydx"];
  const repeated = of.find((name, k) => of.indexOf(name) !== k);
  if (repeated !== undefined)
    throw new UsageError(`of: ${repeated} is given twice`, "of");
  return {
    ...options,
    of,
    covariance:
      covarianceFile === undefined ? (covariance ?? "fisher") : "file",
    contrast: contrast.map(contrastOf),
  };
}

function contrastOf(text: string): Contrast {
  const [, feature, from = "0", to = "1"] =
    /^(.*?)(?:=([^:=]+):([^:=]+))?$/s.exec(text) ?? [];
  const contrast = {
    text,
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
