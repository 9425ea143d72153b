import { UsageError } from "../errors.js";
import { type Resolved, resolve } from "../options/check-options.js";

/**
 * Distribution of the logits.
 *
 * | kind     | distribution                                                                                     |
 * |----------|--------------------------------------------------------------------------------------------------|
 * | notebook | each uniform on -5, -4.5, … 5, as NumPy's randint(-10, 11)/2                                     |
 * | normal   | each N(0, scale²)                                                                                |
 * | peaked   | N(0, 1), except for one random class: the largest of the others + a margin uniform on (0, 40)    |
 */
export type LogitsKind = "notebook" | "normal" | "peaked";

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
  /** Random seed; default: 0. */
  seed?: number | undefined;
  /** Type of the logits, which are drawn in float64 and rounded; default: float64. */
  dtype?: "float32" | "float64" | undefined;
  /** Whether to replace an existing output file; default: false. */
  force?: boolean | undefined;
  /** Whether to wait until the output is on disk (fsync) before it is renamed into place; default: true. */
  sync?: boolean | undefined;
}

type Defaults = "kind" | "scale" | "seed" | "dtype" | "force" | "sync";

/** Validated GenerateOptions with all defaults; frozen. */
export type ResolvedGenerateOptions = Resolved<GenerateOptions, Defaults>;

/** @throws UsageError */
export function resolveGenerateOptions(
  options: GenerateOptions,
): ResolvedGenerateOptions {
  const resolved = resolve<GenerateOptions, Defaults>("generate", options);
  if (options.scale !== undefined && resolved.kind !== "normal")
    throw new UsageError(
      `scale: only kind normal has a scale, found kind ${resolved.kind}`,
      "scale",
    );
  return resolved;
}
