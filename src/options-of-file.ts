import type { Field } from "./arrow/field.js";
import { InputFormatError } from "./errors.js";
import type { ArrowContainer } from "./input/arrow-container.js";
import type { RunOptions } from "./options.js";
import type { Part } from "./part.js";
import {
  DROPPED,
  EMIT_NAMES,
  LAYOUTS,
  type Layout,
} from "./results/catalogue.js";
import type { RunEmit } from "./results/emit-options.js";

/** The run that made a file, as far as the file tells. */
export interface MadeBy {
  options: Omit<RunOptions, "input" | "output">;
  version: string;
  /** Name of the input then. */
  source: string;
  /** Rows of it, of the part of a dataset; null: all. */
  part: Part | null;
}

/** Names that columns of results have beside those of `emit`. */
const PARTS: Partial<Record<Layout, readonly string[]>> = {
  factored: ["softmax", "argmax", "tail"],
  csr: ["indices", "values", ...DROPPED],
  coo: ["i", "j", "value"],
};

/**
 * Reads from a file's metadata and columns how it was made; the columns of the input that went into it are not told.
 * @throws InputFormatError where the metadata is missing or cannot be
 */
export function optionsOfFile({ path, schema }: ArrowContainer): MadeBy {
  const { fields, metadata } = schema;
  const found = new Map(metadata);
  const fail = (key: string, expected: string): never => {
    const text = found.get(`softjac.${key}`);
    throw new InputFormatError(
      path,
      "metadata",
      `expected ${expected} as softjac.${key}, found ${text === undefined ? "none" : JSON.stringify(text)}`,
    );
  };
  const text = (key: string): string =>
    found.get(`softjac.${key}`) ?? fail(key, "a text");
  const number = (key: string): number => {
    const value = Number(text(key));
    return Number.isFinite(value) ? value : fail(key, "a number");
  };
  const layout =
    LAYOUTS.find((name) => name === text("layout")) ??
    fail("layout", LAYOUTS.join(", "));
  const names: readonly string[] = [...EMIT_NAMES, ...DROPPED];
  const emit = text("emit").split(",");
  if (!emit.every((name) => names.includes(name)))
    fail("emit", "names of results");
  const dtype = text("dtype");
  if (dtype !== "float32" && dtype !== "float64")
    return fail("dtype", "float32 or float64");
  const own = new Set(["row", ...emit, ...(PARTS[layout] ?? [])]);
  const results = fields.filter(({ name }) => own.has(name) && name !== "row");
  const sparse = layout === "csr" || layout === "coo";
  return {
    version: text("version"),
    source: text("source"),
    part: found.has("softjac.row_start")
      ? { rowStart: number("row_start"), rowEnd: number("row_end") }
      : null,
    options: {
      layout,
      emit: emit as RunEmit[],
      dtype,
      temperature: number("temperature"),
      ...(sparse && { threshold: number("threshold") }),
      ...(found.has("softjac.top_k") && { topK: number("top_k") }),
      ...(found.has("softjac.class") && { class: number("class") }),
      keep: fields.flatMap(({ name }) => (own.has(name) ? [] : [name])),
      // A file without nulls among its results has no bad row: either there was none, or they were left out.
      onBadRow: results.some(({ nullable }) => nullable) ? "null" : "skip",
      tensorType: results.some(isTensor) || !results.some(couldBeTensor),
      forceDense: layout === "dense",
    },
  };
}

function isTensor({ metadata }: Field): boolean {
  return metadata.some(([key]) => key === "ARROW:extension:name");
}

function couldBeTensor({ name }: Field): boolean {
  return ["jacobian", "log_jacobian", "factor", "covariance"].includes(name);
}
