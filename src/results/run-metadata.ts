import { InputFormatError, UsageError } from "../errors.js";
import {
  currentName,
  EMIT_NAMES,
  isDropped,
  isEntriesLayout,
  LAYOUTS,
  type Layout,
  MAX_CLASSES,
} from "./catalogue.js";
import { checkEmit, type RunEmit } from "./emit-options.js";
import { keyCount } from "./row-axes.js";

/** Options of a run that change bytes of its output, each under the option's name. */
export interface StoredOptions {
  layout?: Layout | undefined;
  emit?: readonly string[] | undefined;
  dtype?: "float32" | "float64" | undefined;
  temperature?: number | undefined;
  threshold?: number | undefined;
  topK?: number | undefined;
  class?: number | undefined;
  /** Names of the classes: as given, or of the columns or the fields of a struct. */
  classNames?: readonly string[] | undefined;
  /** The column of logits, or the pattern of their columns. */
  column?: string | undefined;
  columns?: string | undefined;
  classAxis?: number | undefined;
  binary?: boolean | undefined;
  pad?: boolean | undefined;
  keep?: readonly string[] | undefined;
  classColumn?: string | undefined;
  label?: string | undefined;
  cotangent?: string | undefined;
  tangent?: string | undefined;
  covariance?: string | undefined;
  onBadRow?: "error" | "null" | "skip" | undefined;
  nullLogit?: "error" | "mask" | undefined;
  allowMissingEos?: boolean | undefined;
  tensorType?: boolean | undefined;
  compress?: "lz4" | "zstd" | undefined;
}

/** Column of a Hive-partitioned directory, such as `split=train`: one value for all rows of a file. */
export interface Partition {
  name: string;
  /** null: null. */
  value: string | null;
  type: "utf8" | "int64";
}

/** Facts of a run that are not options. */
export interface RunFacts {
  version?: string | undefined;
  /** Name of the input, without its folder: moving a file changes no byte. */
  source?: string | undefined;
  /** M and Q of the logits. */
  rows?: number | undefined;
  classes?: number | undefined;
  /** Rows `[rowStart, rowEnd)` of the logits, where the file is a part of a dataset. */
  rowStart?: number | undefined;
  rowEnd?: number | undefined;
  /** Lengths of the axes of the rows, if the output has index columns after `row`; of ragged lists the longest. */
  rowShape?: readonly number[] | undefined;
  /** Partitions of the input that are copied, or are its labels. */
  partitions?: readonly Partition[] | undefined;
}

/** How a file of results was made: keys `softjac.` and the name in snake case, in the metadata of its schema. */
export interface RunMetadata extends StoredOptions, RunFacts {}

/** A value as the text of a key. */
interface Codec<Value> {
  encode(value: Value): string;
  /** undefined: the text is not such a value. */
  decode(text: string): Value | undefined;
  expected: string;
}

const text: Codec<string> = {
  encode: (value) => value,
  decode: (value) => value,
  expected: "a string",
};

const names: Codec<readonly string[]> = {
  encode: (value) => JSON.stringify(value),
  decode: (value) => {
    try {
      const found: unknown = JSON.parse(value);
      const isName = (name: unknown) => typeof name === "string";
      return Array.isArray(found) && found.every(isName) ? found : undefined;
    } catch {
      return undefined;
    }
  },
  expected: "a JSON array of names",
};

/** No result has a comma in its name. */
const results: Codec<readonly string[]> = {
  encode: (value) => value.join(","),
  decode: (value) => value.split(",").map(currentName),
  expected: "names",
};

const lengths: Codec<readonly number[]> = {
  encode: (value) => value.join(","),
  decode: (value) => {
    const found = value.split(",").map(Number);
    const isShape = /^\d+(,\d+){1,31}$/.test(value);
    return isShape && Number.isSafeInteger(keyCount(found)) ? found : undefined;
  },
  expected: "lengths of axes",
};

const partitions: Codec<readonly Partition[]> = {
  // A plan that was read has its keys in another order.
  encode: (value) => JSON.stringify(value, ["name", "value", "type"]),
  decode: (value) => {
    try {
      const found = JSON.parse(value);
      const isPartition = ({ name, value, type }: Partition) =>
        typeof name === "string" &&
        (value === null || typeof value === "string") &&
        (type === "utf8" ||
          (type === "int64" && /^-?\d{1,18}$/.test(value ?? "0")));
      return found.every(isPartition) ? found : undefined;
    } catch {
      return undefined;
    }
  },
  expected: "a JSON array of partitions",
};

const truth: Codec<boolean> = {
  encode: String,
  decode: (value) => ({ true: true, false: false })[value],
  expected: "true or false",
};

function whole(
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
  expected = "a whole number",
): Codec<number> {
  return {
    encode: String,
    decode: (value) =>
      /^\d+$/.test(value) && Number(value) >= least && Number(value) <= most
        ? Number(value)
        : undefined,
    expected,
  };
}

function number(
  is: (value: number) => boolean,
  expected: string,
): Codec<number> {
  return {
    encode: String,
    decode: (value) =>
      value.trim() !== "" && Number.isFinite(Number(value)) && is(Number(value))
        ? Number(value)
        : undefined,
    expected,
  };
}

function among<Value extends string>(
  ...values: readonly Value[]
): Codec<Value> {
  return {
    encode: String,
    decode: (value) => values.find((one) => one === value),
    expected: values.join(values.length > 2 ? ", " : " or "),
  };
}

/** In the order in which they are written. */
const CODECS: {
  [Name in keyof RunMetadata]-?: Codec<NonNullable<RunMetadata[Name]>>;
} = {
  version: text,
  layout: among(...LAYOUTS),
  emit: results,
  rows: whole(),
  rowStart: whole(),
  rowEnd: whole(),
  rowShape: lengths,
  classes: whole(1, MAX_CLASSES, `a whole number from 1 to ${MAX_CLASSES}`),
  dtype: among("float32", "float64"),
  temperature: number((T) => T > 0, "a number above 0"),
  threshold: number((t) => t >= 0, "a number from 0"),
  topK: whole(1, Number.MAX_SAFE_INTEGER, "a whole number from 1"),
  source: text,
  class: whole(0, Number.MAX_SAFE_INTEGER, "a whole number from 0"),
  column: text,
  columns: text,
  classAxis: number(Number.isSafeInteger, "a whole number"),
  binary: truth,
  pad: truth,
  classNames: names,
  keep: names,
  partitions,
  classColumn: text,
  label: text,
  cotangent: text,
  tangent: text,
  covariance: text,
  onBadRow: among("error", "null", "skip"),
  nullLogit: among("error", "mask"),
  allowMissingEos: truth,
  tensorType: truth,
  compress: among("lz4", "zstd"),
};

type Pairs = readonly [key: string, value: string][];

/** The key of a property: `softjac.row_start` of `rowStart`. */
export function metadataKey(name: string): string {
  return `softjac.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
}

/** The keys and values that a file of results has. What is undefined has no key. */
export function encodeRunMetadata(
  run: RunMetadata,
): [key: string, value: string][] {
  return Object.entries(CODECS).flatMap(([name, { encode }]) => {
    const value = run[name as keyof RunMetadata];
    // The table has the codec of each property's own type.
    return value === undefined
      ? []
      : [[metadataKey(name), encode(value as never)]];
  });
}

/**
 * Reads what a file states. Files of other tools, and of older versions, have fewer keys or none.
 * @throws InputFormatError for a value that is not of its key
 */
export function decodeRunMetadata(path: string, pairs: Pairs): RunMetadata {
  const found = new Map(pairs);
  // Without a block among the results, the layout is that of none.
  const hasBlocks = /jacobian|^$/.test(found.get("softjac.emit") ?? "");
  const run: Record<string, unknown> = {};
  for (const [name, { decode, expected }] of Object.entries(CODECS)) {
    const key = metadataKey(name);
    const value = found.get(key);
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

/** The metadata of a file that `run` has written, complete. */
export interface StoredRun extends RunMetadata {
  layout: Layout;
  emit: readonly RunEmit[];
  rows: number;
  /** The rows of the file: all, or those of a dataset's part. */
  rowStart: number;
  rowEnd: number;
  classes: number;
  dtype: "float32" | "float64";
  temperature: number;
  threshold: number;
  class: number | undefined;
  /** 0: all. */
  topK: number;
}

const REQUIRED = [
  "layout",
  "emit",
  "rows",
  "classes",
  "dtype",
  "temperature",
  "threshold",
] as const;

/**
 * Reads the run that a file of results comes from.
 * @throws InputFormatError where a key is missing, or its value is not of that key
 */
export function readStoredRun(path: string, pairs: Pairs): StoredRun {
  const fail = (text: string) => new InputFormatError(path, "metadata", text);
  const missing = REQUIRED.find(
    (name) => !pairs.some(([key]) => key === metadataKey(name)),
  );
  if (missing)
    throw fail(
      `${metadataKey(missing)} is missing, so this is not an output of softjac`,
    );
  const known = decodeRunMetadata(path, pairs) as StoredRun;
  const { layout = "bsr", rows, rowStart = 0, rowEnd = rows } = known;
  for (const name of known.emit)
    if (!EMIT_NAMES.includes(name as never) && !isDropped(name))
      throw fail(
        `expected names of results in softjac.emit, found ${JSON.stringify(name)}`,
      );
  checkTogether(known.emit, layout, fail);
  if (rowStart > rowEnd || rowEnd > rows)
    throw fail(
      `expected softjac.row_start and softjac.row_end inside the ${rows} rows, found ${rowStart} and ${rowEnd}`,
    );
  const topK = isEntriesLayout(layout) ? (known.topK ?? 0) : 0;
  return { ...known, layout, rowStart, rowEnd, topK, class: known.class };
}

/** The options among what a file states, and over them those that are given. */
export function withStoredOptions<Given extends Partial<StoredOptions>>(
  { column, columns, threshold, ...stored }: RunMetadata,
  given: Given,
): StoredOptions & Given {
  const { version, source, rows, rowStart, rowEnd, ...options } = stored;
  const { classes, rowShape, partitions, tensorType, ...others } = options;
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

/** Names of inputs are the caller's: what is wrong with them is no damage of the file. */
function checkTogether(
  emit: readonly RunEmit[],
  layout: Layout,
  fail: (text: string) => InputFormatError,
): void {
  try {
    checkEmit(emit, layout, {});
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (error.option === "emit" || error.option === "layout")
      throw fail(error.message);
  }
}
