import { InputFormatError } from "../errors.js";
import { LAYOUTS, type Layout } from "../results/catalogue.js";
import { MAX_CLASSES } from "./block-result.js";
import type { FloatType } from "./float-array.js";

/** What a file says of itself in its schema's metadata (`softjac.…`); other tools' files say nothing. */
export interface FileMetadata {
  layout?: Layout;
  emit?: readonly string[];
  /** M and Q of the logits. */
  rows?: number;
  classes?: number;
  /** Rows `[row_start, row_end)` of the logits, where the file is a part of a dataset. */
  row_start?: number;
  row_end?: number;
  dtype?: FloatType;
  temperature?: number;
  threshold?: number;
}

/** @throws InputFormatError where a value cannot be */
export function readFileMetadata(
  path: string,
  pairs: readonly [key: string, value: string][],
): FileMetadata {
  const found = new Map(pairs);
  const read = <T>(
    key: string,
    parse: (text: string) => T | undefined,
    expected: string,
  ): { [name: string]: T } => {
    const text = found.get(`softjac.${key}`);
    if (text === undefined) return {};
    const value = parse(text);
    if (value === undefined)
      throw new InputFormatError(
        path,
        "metadata",
        `expected ${expected} as softjac.${key}, found ${JSON.stringify(text)}`,
      );
    return { [key]: value };
  };
  const whole = (least: number, most: number) => (text: string) =>
    /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most
      ? Number(text)
      : undefined;
  const number = (is: (value: number) => boolean) => (text: string) =>
    text.trim() !== "" && Number.isFinite(Number(text)) && is(Number(text))
      ? Number(text)
      : undefined;
  const among =
    <T extends string>(names: readonly T[]) =>
    (text: string) =>
      names.find((name) => name === text);
  // Where no block was asked for, the layout is that of none.
  const blocks = /jacobian|^$/.test(found.get("softjac.emit") ?? "");
  return {
    ...(blocks && read("layout", among(LAYOUTS), LAYOUTS.join(", "))),
    ...read("emit", (text) => text.split(","), "names"),
    ...read("rows", whole(0, Number.MAX_SAFE_INTEGER), "a whole number"),
    ...read("row_start", whole(0, Number.MAX_SAFE_INTEGER), "a whole number"),
    ...read("row_end", whole(0, Number.MAX_SAFE_INTEGER), "a whole number"),
    ...read(
      "classes",
      whole(1, MAX_CLASSES),
      `a whole number from 1 to ${MAX_CLASSES}`,
    ),
    ...read("dtype", among(["float32", "float64"]), "float32 or float64"),
    ...read(
      "temperature",
      number((T) => T > 0),
      "a number above 0",
    ),
    ...read(
      "threshold",
      number((t) => t >= 0),
      "a number from 0",
    ),
  };
}
