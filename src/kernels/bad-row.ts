/** Reason of a bad row, as part of an error message. */
export interface BadRow {
  expected: string;
  found: string;
  /** Advice on an invalid label, which is an error whatever `onBadRow` is. */
  advice?: string;
}

/** NaNs with payloads that mark nulls of the input, as float32 and as float64. */
export const NULL_BITS_32 = 0x7fc06e75;
export const NULL_BITS_64 = 0x7ff800006e756c6cn;

/** Returns whether a value is the NaN that marks a null. */
export function isNull(
  values: Float64Array | Float32Array,
  k: number,
): boolean {
  const at = values.byteOffset + k * values.BYTES_PER_ELEMENT;
  return values.BYTES_PER_ELEMENT === 4
    ? new Int32Array(values.buffer, at, 1)[0] === NULL_BITS_32
    : new BigInt64Array(values.buffer, at, 1)[0] === NULL_BITS_64;
}

/** Beginning of `found` for a null logit in a row that is not null. */
export const NULL_IN_CLASS = "null in class";

/** Returns why logits are bad (the first NaN, else the first +inf, else only -inf), or null if they are good. */
export function describeBadRow(
  logits: Float64Array | Float32Array,
): BadRow | null {
  const expected = "finite logits or -inf for masked classes";
  const nan = logits.findIndex(Number.isNaN);
  if (nan >= 0 && isNull(logits, nan)) {
    const isWhole = logits.every((_, k) => isNull(logits, k));
    return { expected, found: isWhole ? "null" : `${NULL_IN_CLASS} ${nan}` };
  }
  if (nan >= 0) return { expected, found: `NaN in class ${nan}` };
  const infinite = logits.indexOf(Number.POSITIVE_INFINITY);
  if (infinite >= 0) return { expected, found: `+inf in class ${infinite}` };
  if (logits.some((o) => o !== Number.NEGATIVE_INFINITY)) return null;
  const classes = logits.length;
  return {
    expected,
    found: `-inf in ${classes === 1 ? "its only class" : `all ${classes} classes`}`,
  };
}

/** Returns whether a class number means "no label": null, NaN, -1 and -100. */
export function isNoClass(y: number): boolean {
  return Number.isNaN(y) || y === -1 || y === -100;
}

/** Advice on a label that is not a class, and what more an input file allows. */
export const COUNTED = "classes are counted from 0";
export const CODED =
  "; give other codes in class order, such as --class-names 1,2,3";

/** Returns advice on an invalid label. Segmentation data marks pixels to ignore with 255. */
export function adviceOnClass(y: number): string {
  return y === 255
    ? "replace 255 by -100 or null where it marks labels to ignore"
    : COUNTED;
}

/** Source of values: its name, the kind of its values, and the names of features. */
interface ValueSource {
  name: string;
  holds: string;
  names?: readonly string[];
}

/** Returns why a row of an auxiliary input is bad, or null if it is good. */
export function describeBadInput(
  { name, holds, names }: ValueSource,
  values: Float64Array,
  classes: number,
): BadRow | null {
  if (holds === "key") return null;
  const shown = (k: number) => (isNull(values, k) ? "null" : `${values[k]}`);
  if (holds === "class") {
    const y = values[0] as number;
    if (Number.isInteger(y) && y >= 0 && y < classes) return null;
    const expected = `a class from 0 to ${classes - 1} in ${name}`;
    return isNoClass(y)
      ? { expected, found: shown(0) }
      : {
          expected: `${expected}, or null, -1 or -100 for no label`,
          found: `${y}`,
          advice: adviceOnClass(y),
        };
  }
  const isWeight = holds === "weight";
  const at = values.findIndex(
    (value) => !Number.isFinite(value) || (isWeight && value < 0),
  );
  if (at < 0) return null;
  if (isWeight)
    return {
      expected: `a finite weight of at least 0 in ${name}`,
      found: shown(at),
    };
  return holds === "features"
    ? {
        expected: `a finite number in feature ${names?.[at]}`,
        found: shown(at),
      }
    : { expected: `finite numbers in ${name}`, found: `${shown(at)} at ${at}` };
}
