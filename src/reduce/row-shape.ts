import { isDeepStrictEqual } from "node:util";
import {
  type ArrowType,
  arrowTypeOf,
  describeField,
  fixedBits,
  plainField,
} from "../arrow/field.js";
import { InputUnsupportedError } from "../errors.js";
import { isText } from "../input/decoded-rows.js";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import type { Coefficients } from "../model/coefficients.js";
import type { AuxiliaryName } from "../results/catalogue.js";
import { checkClassNames } from "../results/columns.js";
import type { KeyColumn } from "./group-table.js";

/** Properties that all inputs have in common. */
export interface RowShape {
  classes: number;
  /** Number of features, with the constant. */
  features: number;
  /** Names of the features, with the constant. */
  terms: readonly string[];
  /** Auxiliary inputs of the results, in the order of the kernel. */
  inputs: readonly { option: AuxiliaryName; values: number }[];
  classNames: readonly string[] | null;
}

/** Name of the constant feature. */
export const INTERCEPT = "(intercept)";

/** Returns the shape of an input. @throws InputUnsupportedError if the coefficients have another one; UsageError for class names */
export function shapeOf(
  logits: LogitsFile,
  {
    coefficients,
    intercept,
    open,
  }: {
    coefficients: Coefficients | null;
    intercept: boolean;
    open: Pick<OpenOptions, "classNames">;
  },
): RowShape {
  const { column, classNames, inputs } = logits;
  const aside = inputs.find(({ option }) => option === "features");
  const given = coefficients ? logits.classes : (aside?.values ?? 0);
  const names = coefficients ? classNames : (aside?.names ?? null);
  const prefix = coefficients ? column : aside?.name;
  const terms =
    names ?? Array.from({ length: given }, (_, k) => `${prefix}${k}`);
  const features = given + (intercept ? 1 : 0);
  const classes = coefficients?.classes ?? logits.classes;
  coefficients?.check(features, intercept);
  checkClassNames(open.classNames, classes);
  return {
    classes,
    features,
    terms: intercept ? [INTERCEPT, ...terms] : terms,
    inputs: inputs.flatMap(({ option, values }) =>
      option === "features" || option === "weight" || option === "by"
        ? []
        : [{ option, values }],
    ),
    classNames: coefficients
      ? (open.classNames ?? null)
      : (open.classNames ?? classNames),
  };
}

/**
 * Rejects an input of another shape, or with keys of other types, than the first one. Returns the key columns of both.
 * @throws InputUnsupportedError
 */
export function checkSame(
  expected: { shape: RowShape; keys: readonly KeyColumn[] },
  { path, inputs }: LogitsFile,
  shape: RowShape,
  first: string,
): KeyColumn[] {
  const keys = inputs.flatMap(({ name, key }) =>
    key ? [{ name, ...key }] : [],
  );
  const forms = formOf(expected.shape, expected.keys);
  for (const [n, [where, found]] of formOf(shape, keys).entries()) {
    const [, text, unit = ""] = forms[n] as (typeof forms)[number];
    if (text !== found)
      throw new InputUnsupportedError(
        path,
        where,
        `expected ${text}${unit} as in ${first}, found ${found}`,
      );
  }
  return commonKeys(expected.keys, keys);
}

/** Describes what all inputs have in common. */
function formOf(
  { classes, terms, inputs }: RowShape,
  keys: readonly Pick<KeyColumn, "name" | "field">[],
): [where: string, text: string, unit?: string][] {
  return [
    ["logits", `${classes}`, " classes"],
    ["features", terms.join(", ")],
    ...inputs.map(({ option, values }): [string, string, string] => [
      ...([`column for --${option}`, `${values}`, " values in a row"] as const),
    ]),
    ...keys.map(({ name, field }): [string, string] => [
      ...([`column ${name}`, keyType(field)] as const),
    ]),
  ];
}

/** Returns the type of keys; strings are of one type, and so are numbers, which are whole. */
export function keyType(field: KeyColumn["field"]): string {
  const { type } = field;
  if (isText(field)) return "strings";
  if (isNumber(type)) return "whole numbers";
  return type.kind === "Date"
    ? `date${fixedBits(type)}`
    : describeField({ ...field, dictionary: null });
}

function isNumber({ kind }: ArrowType): boolean {
  return kind === "Int" || kind === "FloatingPoint";
}

/** Returns the key columns of an output, from those of two inputs: int64 for numbers of different types. */
export function commonKeys(
  keys: readonly KeyColumn[],
  others: readonly Pick<KeyColumn, "field">[],
): KeyColumn[] {
  return keys.map((key, k) => {
    const { type } = key.field;
    const other = others[k]?.field.type ?? type;
    if (!isNumber(type) || isDeepStrictEqual(type, other)) return key;
    return { ...key, field: plainField(key.name, arrowTypeOf("int64")) };
  });
}
