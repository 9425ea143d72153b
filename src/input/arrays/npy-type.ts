import type { NumberType } from "../../arrow/field.js";
import { BOOLEANS, bigEndian } from "./number-coding.js";
import type { StoredArray } from "./stored-array.js";

const TYPES: Record<string, string> = { f: "float", i: "int", u: "uint" };
const WIDTHS: Record<string, string> = { f: "248", i: "1248", u: "1248" };

/** Type of a descr such as `<f8` or `|u1`, and how it is stored. */
export function npyType(
  descr: string,
): Pick<StoredArray, "type" | "coding" | "stored"> {
  const [, order = "", kind = "", digit = ""] =
    /^([<>|])([fiu])(\d)$/.exec(descr) ?? [];
  const stored = npyTypeName(descr);
  if (descr === "|b1") return { type: "uint8", coding: BOOLEANS, stored };
  if (!WIDTHS[kind]?.includes(digit) || (order === "|" && digit !== "1"))
    return { type: null, coding: null, stored };
  const type = `${TYPES[kind]}${8 * Number(digit)}` as NumberType;
  const isSwapped = order === ">" && digit !== "1";
  const coding = isSwapped ? bigEndian(Number(digit) as 2 | 4 | 8) : null;
  return { type, coding, stored };
}

/** A type as people call it. */
function npyTypeName(descr: string): string {
  const kind = descr.charAt(1);
  const name: Record<string, string> = {
    O: "Python objects; pickles are not supported",
    c: "complex numbers",
    b: "booleans",
    U: "text",
    S: "bytes",
    V: "raw bytes",
    M: "dates",
    m: "durations",
  };
  const found = name[kind] ?? (descr.startsWith(">") ? "big-endian" : "");
  const own = descr.slice(0, 20);
  return found ? `${own} (${found})` : own;
}
