import { type ArrowType, storedType } from "../arrow/field.js";
import { float16Value } from "../arrow/half-floats.js";
import type { KeptBuffers, KeptNode } from "../arrow/kept-nodes.js";
import { NodeReader } from "../arrow/node-reader.js";
import type { Read } from "../arrow/read-window.js";
import type { InputFile } from "../input/input-file.js";
import { readInput } from "../input/read-input.js";

/** Longer texts are cut: a page is to be looked at. */
const MOST_CHARACTERS = 200;
const MOST_BYTES = 4 * MOST_CHARACTERS;

type File = Pick<InputFile, "path" | "fd" | "present">;

/**
 * Returns value k of a column as text, lists and structs as JSON; null: null.
 * @throws InputFormatError, IoError, DamagedColumn
 */
export function valueText(
  file: File,
  node: KeptNode,
  buffers: KeptBuffers,
  k: number,
): string | null {
  const { bits, form } = node;
  const { nullCount, validity, values, children } = buffers;
  if (form === "null" || (nullCount > 0 && !bitAt(file, validity, k)))
    return null;
  const type = storedType(node.field);
  if (bits === 1) return String(bitAt(file, values, k));
  if (bits > 1)
    return fixedText(type, bytesOf(file, values + (k * bits) / 8, bits / 8));
  if (form === "struct")
    return `{${node.children
      .map((child, n) => {
        const text = jsonText(file, child, children[n] as KeptBuffers, k);
        return `${JSON.stringify(child.field.name)}:${text}`;
      })
      .join(",")}}`;
  const [first, last] =
    form === "fixed-size-list"
      ? [k * node.listSize, (k + 1) * node.listSize]
      : endsOf(file, node, buffers, k);
  if (form !== "text") {
    let text = "";
    for (let n = first; n < last && text.length <= MOST_CHARACTERS; n++)
      text += `${n > first ? "," : ""}${jsonText(file, node.children[0] as KeptNode, children[0] as KeptBuffers, n)}`;
    return cut(`[${text}]`);
  }
  const bytes = bytesOf(
    file,
    values + first,
    Math.min(last - first, MOST_BYTES),
  );
  if (type.kind === "Binary" || type.kind === "LargeBinary")
    return cut(hex(bytes));
  return cut(new TextDecoder().decode(bytes));
}

function endsOf(
  file: File,
  node: KeptNode,
  buffers: KeptBuffers,
  k: number,
): [first: number, last: number] {
  const read: Read = (position, bytes) =>
    new Uint8Array(bytesOf(file, position, bytes).buffer);
  const piece = { buffers, from: k, to: k + 1, repeat: 1, row: null };
  return new NodeReader(node, read).ends(piece, buffers);
}

/** A nested value: numbers, booleans, lists and structs as they are, others in quotation marks. */
function jsonText(
  file: File,
  node: KeptNode,
  buffers: KeptBuffers,
  k: number,
): string {
  const text = valueText(file, node, buffers, k);
  if (text === null) return "null";
  const isBare = ["Int", "FloatingPoint", "Decimal", "Bool"].includes(
    node.field.type.kind,
  );
  return isBare || node.children.length > 0 ? text : JSON.stringify(text);
}

function bytesOf(
  file: File,
  position: number,
  bytes: number,
): DataView<ArrayBuffer> {
  const found = new Uint8Array(bytes);
  readInput(file, found, position);
  return new DataView(found.buffer);
}

function bitAt(file: File, bitmap: number, k: number): boolean {
  const byte = bytesOf(file, bitmap + (k >> 3), 1).getUint8(0);
  return ((byte >> (k & 7)) & 1) === 1;
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS
    ? `${text.slice(0, MOST_CHARACTERS)}…`
    : text;
}

function fixedText(type: ArrowType, bytes: DataView): string {
  switch (type.kind) {
    case "Int":
      return String(wholeOf(bytes, type.signed));
    case "FloatingPoint":
      return String(floatOf(bytes));
    case "Decimal":
      return decimalText(wholeOf(bytes, true), type.scale);
    case "Date":
      return dateText(
        Number(wholeOf(bytes, true)) * (type.unit === 0 ? 86_400_000 : 1),
      ).slice(0, 10);
    case "Timestamp":
      return dateText(Number(wholeOf(bytes, true)) / 1000 ** (type.unit - 1));
    case "Time":
    case "Duration":
      return `${wholeOf(bytes, true)} ${["s", "ms", "µs", "ns"][type.unit]}`;
    default:
      return hex(bytes);
  }
}

/** Little-endian, of any width. */
function wholeOf(bytes: DataView, signed: boolean): bigint {
  let value = 0n;
  for (let at = bytes.byteLength - 1; at >= 0; at--)
    value = (value << 8n) | BigInt(bytes.getUint8(at));
  const bits = 8 * bytes.byteLength;
  return signed ? BigInt.asIntN(bits, value) : value;
}

function floatOf(bytes: DataView): number {
  if (bytes.byteLength === 8) return bytes.getFloat64(0, true);
  if (bytes.byteLength === 2) return float16Value(bytes.getUint16(0, true));
  // As few digits as tell it from its neighbours, not those of the float64 that it becomes.
  return Number(bytes.getFloat32(0, true).toPrecision(7));
}

function decimalText(value: bigint, scale: number): string {
  if (scale <= 0) return `${value}${"0".repeat(-scale)}`;
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  const text = `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}

function dateText(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime())
    ? `${milliseconds} ms`
    : date.toISOString();
}

function hex(bytes: DataView): string {
  return `0x${Buffer.from(bytes.buffer).toString("hex")}`;
}
