import type { KeyValue } from "../reduce/group-table.js";
import type { SumsReport } from "../reduce/sums-report.js";

/** An average effect on the probability of a class. */
export interface EffectRow {
  /** Values of the group columns, by name; dates as 2026-02-28. */
  group: { readonly [name: string]: KeyValue | boolean };
  /** `dydx`, `probability`, `coefficient`, `eydx`, `dyex`, `eyex` or `contrast FROM:TO`. */
  effect: string;
  /** Name of the class, if the classes have names; otherwise its index. */
  class: number | string;
  /** Feature; null for probabilities. */
  term: string | null;
  estimate: number;
  /** Delta-method standard error, z statistic, two-sided p-value and interval; null without a covariance. */
  std_error: number | null;
  statistic: number | null;
  p_value: number | null;
  conf_low: number | null;
  conf_high: number | null;
}

/** Report of `effects`: its return value, or `report` of its error. */
export interface EffectsReport extends SumsReport {
  /** Path of the Arrow file; null without one. */
  output: string | null;
  covariance: "fisher" | "robust" | "none" | "file";
  level: number;
  /**
   * Squared distance of the coefficients from the maximum of the likelihood of these rows, in standard errors: scoreᵀ H⁻¹
   * score; null without labels or with covariance none.
   */
  newtonDecrement: number | null;
  effects: EffectRow[];
}
