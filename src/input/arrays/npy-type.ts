import type { NumberType } from "../../arrow/field.js";

const TYPES: Record<string, string> = { f: "float", i: "int", u: "uint" };
const WIDTHS: Record<string, string> = { f: "248", i: "1248", u: "1248" };

/** The type of a descr such as `<f8` or `|u1`; null for those that are not read, big-endian ones among them. */
export function npyType(descr: string): NumberType | null {
  const [, order = "", kind = "", width = ""] =
    /^([<|])([fiu])(\d)$/.exec(descr) ?? [];
  if (!WIDTHS[kind]?.includes(width)) return null;
  if (order === "|" && width !== "1") return null;
  return `${TYPES[kind]}${8 * Number(width)}` as NumberType;
}

/** A type that is not read, as people call it. */
export function npyTypeName(descr: string): string {
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
