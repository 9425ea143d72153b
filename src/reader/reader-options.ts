import { UsageError } from "../errors.js";
import { shortName, shortValue } from "../printable.js";
import { LAYOUTS, type Layout, MAX_CLASSES } from "../results/catalogue.js";
import type { RunMetadata } from "../results/run-metadata.js";
import { BLOCK_RESULTS, type BlockResult } from "./block-form.js";

/** Options of `openJacobian`: facts that files of other tools do not record. */
export interface OpenJacobianOptions {
  /** Number of classes Q; required for csr and coo. */
  classes?: number;
  /** Layout; required if the length of the lists fits several layouts and `classes` is not given. */
  layout?: Layout;
  /** Number of rows M of the logits; default: the last row number plus 1. */
  rows?: number;
  /** Temperature T that `factored` columns were computed with; default: 1. */
  temperature?: number;
  /** Function whose block is read if the file has both; default: jacobian. */
  result?: BlockResult;
}

/** What a file states, and options for what it does not. */
export interface KnownOfFile extends RunMetadata {
  result?: BlockResult | undefined;
}

const EXPECTED: Record<
  keyof OpenJacobianOptions,
  { is(value: unknown): boolean; expected: string }
> = {
  classes: {
    is: (value) =>
      Number.isInteger(value) &&
      (value as number) >= 1 &&
      (value as number) <= MAX_CLASSES,
    expected: `a whole number from 1 to ${MAX_CLASSES}`,
  },
  layout: {
    is: (value) => LAYOUTS.includes(value as Layout),
    expected: LAYOUTS.join(", "),
  },
  rows: {
    is: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
    expected: "a whole number from 0",
  },
  temperature: {
    is: (value) => (value as number) > 0 && Number.isFinite(value),
    expected: "a number above 0",
  },
  result: {
    is: (value) => BLOCK_RESULTS.includes(value as BlockResult),
    expected: BLOCK_RESULTS.join(" or "),
  },
};

/**
 * What the caller and the file say, together.
 * @throws UsageError for an option that is unknown, cannot be, or is not what the file says
 */
export function withOptions(
  path: string,
  metadata: RunMetadata,
  options: OpenJacobianOptions,
): KnownOfFile {
  for (const [name, value] of Object.entries(options)) {
    const option = EXPECTED[name as keyof OpenJacobianOptions];
    if (!Object.hasOwn(EXPECTED, name))
      throw new UsageError(
        `unknown option ${shortName(name)}; the options are ${Object.keys(EXPECTED).join(", ")}`,
        name,
      );
    if (value === undefined) continue;
    if (!option.is(value))
      throw new UsageError(
        `${name}: expected ${option.expected}, found ${shortValue(value)}`,
        name,
      );
    const said = metadata[name as keyof RunMetadata];
    if (said !== undefined && said !== value)
      throw new UsageError(
        `${name}: expected ${said} as in softjac.${name} of ${path}, found ${shortValue(value)}`,
        name,
      );
  }
  const given = Object.entries(options).filter(([, v]) => v !== undefined);
  return { ...metadata, ...Object.fromEntries(given) };
}
