import {
  InputFormatError,
  InputUnsupportedError,
  UsageError,
} from "../errors.js";
import {
  CODEC_NAMES,
  EMIT_NAMES,
  isDropped,
  isEntriesLayout,
  LAYOUTS,
  type Layout,
  MAX_CLASSES,
} from "./catalogue.js";
import { checkEmit, type RunEmit } from "./emit-options.js";
import { keyCount } from "./row-axes.js";

/** Column of a Hive-partitioned directory, such as `split=train`, with one value for all rows of a file. */
export interface Partition {
  name: string;
  value: string | null;
  type: "utf8" | "int64";
}

/** Conversion of a value to and from the text of a metadata key. */
interface Codec<Value> {
  /** Default: `String`, which joins lists with commas. */
  encode?(value: Value): string;
  /** Returns undefined for invalid text. */
  decode(text: string): Value | undefined;
  expected: string;
}

const text: Codec<string> = { decode: (value) => value, expected: "a string" };

/** Returns the codec of a JSON array; `keys` fixes the order of properties, which a stored plan may change. */
function json<Item>(
  expected: string,
  isItem: (item: Item) => boolean,
  keys?: string[],
): Codec<readonly Item[]> {
  return {
    encode: (value) => JSON.stringify(value, keys),
    decode: (value) => {
      try {
        const found = JSON.parse(value);
        return found.every(isItem) ? found : undefined;
      } catch {
        return undefined;
      }
    },
    expected: `a JSON array of ${expected}`,
  };
}

function isPartition({ name, value, type }: Partition): boolean {
  return (
    typeof name === "string" &&
    (value === null || typeof value === "string") &&
    (type === "utf8" || (type === "int64" && /^-?\d{1,18}$/.test(value ?? "0")))
  );
}

/** Names of results, which contain no commas. */
const results: Codec<readonly string[]> = {
  decode: (value) => value.split(","),
  expected: "names",
};

const lengths: Codec<readonly number[]> = {
  decode: (value) => {
    const found = value.split(",").map(Number);
    const isShape = /^\d+(,\d+){1,31}$/.test(value);
    return isShape && Number.isSafeInteger(keyCount(found)) ? found : undefined;
  },
  expected: "lengths of axes",
};

const truth: Codec<boolean> = {
  decode: (value) => ({ true: true, false: false })[value],
  expected: "true or false",
};

function number(
  expected: string,
  is: (value: number) => boolean,
  form = /\S/,
): Codec<number> {
  return {
    decode: (text) => {
      const value = Number(text);
      const isNumber = form.test(text) && Number.isFinite(value);
      return isNumber && is(value) ? value : undefined;
    },
    expected,
  };
}

function whole(min = 0, max = Number.MAX_SAFE_INTEGER): Codec<number> {
  const end = max < Number.MAX_SAFE_INTEGER ? ` to ${max}` : "";
  return number(
    `a whole number from ${min}${end}`,
    (value) => value >= min && value <= max,
    /^\d+$/,
  );
}

function among<const Value extends string>(
  ...values: readonly Value[]
): Codec<Value> {
  return {
    decode: (value) => values.find((one) => one === value),
    expected: values.join(values.length > 2 ? ", " : " or "),
  };
}

/** Codecs of the metadata keys, in file order: properties of a run, and options that change its bytes. */
const CODECS = {
  version: text,
  layout: among(...LAYOUTS),
  emit: results,
  /** Number of rows M of the logits. */
  rows: whole(),
  /** Rows `[rowStart, rowEnd)` of the logits, if the file is a shard of a dataset. */
  rowStart: whole(),
  rowEnd: whole(),
  /** Lengths of the axes of the rows, if the output has index columns after `row`; for ragged lists, the longest. */
  rowShape: lengths,
  /** Number of classes Q of the logits. */
  classes: whole(1, MAX_CLASSES),
  dtype: among("float32", "float64"),
  temperature: number("a number above 0", (T) => T > 0),
  threshold: number("a number from 0", (t) => t >= 0),
  topK: whole(1),
  /** Name of the input, without directories. */
  source: text,
  class: whole(),
  column: text,
  columns: text,
  classAxis: number("a whole number", Number.isSafeInteger),
  /** Model whose logits are features × coefficients, and the covariance of its coefficients. */
  features: text,
  intercept: truth,
  coefficients: text,
  base: text as Codec<string | number>,
  covarianceFile: text,
  binary: truth,
  pad: truth,
  /** Names of the classes: the option, or the names of columns or struct fields. */
  classNames: json("names", (name: string) => typeof name === "string"),
  /** Whether labels that are numbers are these names: the option with codes, such as 1,2,3. */
  classCodes: truth,
  keep: json("names", (name: string) => typeof name === "string"),
  /** Partitions of the input that are copied or used as labels. */
  partitions: json("partitions", isPartition, ["name", "value", "type"]),
  classColumn: text,
  label: text,
  cotangent: text,
  tangent: text,
  covariance: text,
  onBadRow: among("error", "null", "skip"),
  nullLogit: among("error", "mask"),
  allowMissingEos: truth,
  tensorType: truth,
  compress: among(...CODEC_NAMES),
};

/** Metadata of an output: keys `softjac.` + name in snake case, in the metadata of the Arrow schema. */
export type RunMetadata = {
  [Name in keyof typeof CODECS]?:
    | ((typeof CODECS)[Name] extends Codec<infer Value> ? Value : never)
    | undefined;
};

/** Options of a run that change bytes of its output. */
type StoredOptions = Omit<
  RunMetadata,
  | ("version" | "source" | "rows" | "rowStart" | "rowEnd")
  | ("classes" | "classCodes" | "rowShape" | "partitions")
>;

type Pairs = readonly [key: string, value: string][];

/** Returns the key of a property: `softjac.row_start` for `rowStart`. */
function metadataKey(name: string): string {
  return `softjac.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
}

/** Returns the keys and values of an output; undefined values have no key. */
export function encodeRunMetadata(
  run: RunMetadata,
): [key: string, value: string][] {
  return Object.entries(CODECS).flatMap(([name, codec]) => {
    const value = run[name as keyof RunMetadata];
    const { encode = String } = codec as Codec<unknown>;
    return value === undefined ? [] : [[metadataKey(name), encode(value)]];
  });
}

/**
 * Reads the metadata of a file; files of other tools have none.
 * @throws InputFormatError for an invalid value; InputUnsupportedError for a file of version 0.1
 */
export function decodeRunMetadata(path: string, pairs: Pairs): RunMetadata {
  const values = new Map(pairs);
  const version = values.get("softjac.version");
  if (version?.startsWith("0.1."))
    throw new InputUnsupportedError(
      path,
      "metadata",
      `the file was written by softjac ${version}; write it again with this version`,
    );
  // Without blocks in the output, its layout has no meaning.
  const hasBlocks = /jacobian|^$/.test(values.get("softjac.emit") ?? "");
  const run: Record<string, unknown> = {};
  for (const [name, { decode, expected }] of Object.entries(CODECS)) {
    const key = metadataKey(name);
    const value = values.get(key);
    if (value === undefined || (name === "layout" && !hasBlocks)) continue;
    run[name] = decode(value);
    if (run[name] === undefined)
      throw new InputFormatError(
        path,
        "metadata",
        `expected ${expected} as ${key}, found ${JSON.stringify(value)}`,
      );
  }
  return run;
}

/** Metadata of an output of `run`, with defaults. */
export interface StoredRun extends RunMetadata {
  layout: Layout;
  emit: readonly RunEmit[];
  rows: number;
  /** Rows `[rowStart, rowEnd)` of the logits in this file: all, or those of a shard. */
  rowStart: number;
  rowEnd: number;
  classes: number;
  dtype: "float32" | "float64";
  temperature: number;
  threshold: number;
  class: number | undefined;
  /** Maximum number of entries per block; 0 for all. */
  topK: number;
}

const REQUIRED = [
  ...(["layout", "emit", "rows", "classes", "dtype"] as const),
  ...(["temperature", "threshold"] as const),
];

/**
 * Reads and checks the metadata of an output.
 * @throws InputFormatError for a missing key or an invalid value
 */
export function readStoredRun(path: string, pairs: Pairs): StoredRun {
  const fail = (text: string) => new InputFormatError(path, "metadata", text);
  const missing = REQUIRED.find(
    (name) => !pairs.some(([key]) => key === metadataKey(name)),
  );
  const [, command] =
    pairs.find(([key]) => key === metadataKey("command")) ?? [];
  const isPartial = pairs.some(([key]) => key === metadataKey("partial"));
  if (missing && (command || isPartial))
    throw fail(
      isPartial
        ? "expected an output of softjac run, found partial sums; merge them with softjac merge"
        : `expected an output of softjac run, found one of softjac ${command}; read it with an Arrow library, such as pyarrow or polars`,
    );
  if (missing)
    throw fail(
      `${metadataKey(missing)} is missing, so this is not an output of softjac`,
    );
  const run = decodeRunMetadata(path, pairs) as StoredRun;
  const { layout = "bsr", rows, rowStart = 0, rowEnd = rows } = run;
  for (const name of run.emit)
    if (!EMIT_NAMES.includes(name as never) && !isDropped(name))
      throw fail(
        `expected names of results in softjac.emit, found ${JSON.stringify(name)}`,
      );
  try {
    checkEmit(run.emit, layout, {});
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // No auxiliary columns were passed, so errors about them are expected.
    if (error.option === "emit" || error.option === "layout")
      throw fail(error.message);
  }
  if (rowStart > rowEnd || rowEnd > rows)
    throw fail(
      `expected softjac.row_start and softjac.row_end inside the ${rows} rows, found ${rowStart} and ${rowEnd}`,
    );
  const topK = isEntriesLayout(layout) ? (run.topK ?? 0) : 0;
  return { ...run, layout, rowStart, rowEnd, topK, class: run.class };
}

/** Returns the options stored in a file, overridden by the given ones. */
export function withStoredOptions<Given extends Partial<StoredOptions>>(
  { column, columns, threshold, ...stored }: RunMetadata,
  given: Given,
): StoredOptions & Given {
  const { version, source, rows, rowStart, rowEnd, ...options } = stored;
  const { classes, rowShape, partitions, tensorType, classCodes, ...others } =
    options;
  const isGiven = given.column !== undefined || given.columns !== undefined;
  const chosen = Object.entries(given).filter(
    ([, value]) => value !== undefined,
  );
  return {
    ...others,
    ...(!isGiven && { column, columns }),
    ...(isEntriesLayout(others.layout ?? "bsr") && { threshold }),
    ...(Object.fromEntries(chosen) as Given),
  };
}
