import {
  type CopiedBuffers,
  type CopiedNode,
  checkCode,
  DamagedColumn,
  describePosition,
} from "../arrow/copied-nodes.js";
import { type ArrowType, storedType } from "../arrow/field.js";
import { NodeReader } from "../arrow/node-reader.js";
import { type Read, viewOf } from "../arrow/read-window.js";
import { float16Value } from "../arrow/stored-numbers.js";
import { InputFormatError } from "../errors.js";
import { copiedColumn } from "../input/copied-columns.js";
import { locateDictionaries } from "../input/dictionaries.js";
import { inputReader } from "../input/read-input.js";
import { type ColumnSpan, locateColumn } from "../input/record-batch.js";
import { type ArrowContainer, recordBatches } from "../input/record-batches.js";

/**
 * Returns a function that reads the copied columns of row `k` of a record batch that has rows, as text.
 * @param indices indices of the columns in the file
 */
export function copiedValues(
  file: ArrowContainer,
  indices: readonly number[],
): (batch: number, k: number) => (string | null)[] {
  const { path, schema } = file;
  const copied = indices.map((index) => {
    const field = schema.fields[index] as (typeof schema.fields)[number];
    return copiedColumn(path, field, index, true);
  });
  const { dictionaryParts } = locateDictionaries(file, copied);
  const batches = [...recordBatches(file)].filter(
    ({ batch }) => batch.rows > 0,
  );
  const columns = copied.map((column) => ({
    column,
    batches: batches.map((record) => {
      const span = record.columns[column.index] as ColumnSpan;
      return locateColumn(record, span, dictionaryParts);
    }),
  }));
  const read = inputReader(file);
  return (batch, k) =>
    columns.map(({ column, batches }) => {
      try {
        return valueText(read, column, batches[batch] as CopiedBuffers, k);
      } catch (error) {
        if (!(error instanceof DamagedColumn)) throw error;
        throw new InputFormatError(path, error.where, error.message);
      }
    });
}

/** Maximum length of a text; longer ones are truncated. */
const MAX_CHARACTERS = 200;
const MAX_BYTES = 4 * MAX_CHARACTERS;

/** Returns value k of a node as text; lists and structs as JSON. */
function valueText(
  read: Read,
  node: CopiedNode,
  buffers: CopiedBuffers,
  k: number,
): string | null {
  const { bits, form } = node;
  const { nullCount, validity, values, children } = buffers;
  if (form === "null" || (nullCount > 0 && !bitAt(read, validity, k)))
    return null;
  const piece = { buffers, from: k, to: k + 1, repeat: 1, row: null };
  const type = storedType(node.field);
  if (bits === 1) return String(bitAt(read, values, k));
  if (bits > 1) {
    const bytes = viewOf(read(values + (k * bits) / 8, bits / 8));
    if (form !== "codes") return fixedText(type, bytes);
    const code = Number(integerOf(bytes, node.signed));
    const last = children.at(-1);
    const count = last ? last.firstCode + last.length : 0;
    checkCode(code, count, () => describePosition(node, piece, k));
    const isPart = ({ firstCode }: CopiedBuffers) => firstCode <= code;
    const part = children.findLast(isPart) as CopiedBuffers;
    const [child] = node.children as [CopiedNode];
    return valueText(read, child, part, code - part.firstCode);
  }
  if (form === "struct")
    return `{${node.children
      .map((child, n) => {
        const text = jsonText(read, child, children[n] as CopiedBuffers, k);
        return `${JSON.stringify(child.field.name)}:${text}`;
      })
      .join(",")}}`;
  const [first, last] =
    form === "fixed-size-list"
      ? [k * node.listSize, (k + 1) * node.listSize]
      : new NodeReader(node, read).ends(piece, buffers);
  if (form !== "text") {
    let text = "";
    for (let n = first; n < last && text.length <= MAX_CHARACTERS; n++)
      text += `${n > first ? "," : ""}${jsonText(read, node.children[0] as CopiedNode, children[0] as CopiedBuffers, n)}`;
    return truncate(`[${text}]`);
  }
  const bytes = read(values + first, Math.min(last - first, MAX_BYTES));
  if (type.kind === "Binary" || type.kind === "LargeBinary")
    return truncate(hex(bytes));
  return truncate(new TextDecoder().decode(bytes));
}

/** Returns a nested value as JSON; types without a JSON form become strings. */
function jsonText(
  read: Read,
  node: CopiedNode,
  buffers: CopiedBuffers,
  k: number,
): string {
  const text = valueText(read, node, buffers, k);
  if (text === null) return "null";
  const isBare = ["Int", "FloatingPoint", "Decimal", "Bool"].includes(
    node.field.type.kind,
  );
  return isBare || node.children.length > 0 ? text : JSON.stringify(text);
}

function bitAt(read: Read, bitmap: number, k: number): boolean {
  const [byte = 0] = read(bitmap + (k >> 3), 1);
  return ((byte >> (k & 7)) & 1) === 1;
}

function truncate(text: string): string {
  return text.length > MAX_CHARACTERS
    ? `${text.slice(0, MAX_CHARACTERS)}…`
    : text;
}

function fixedText(type: ArrowType, bytes: DataView): string {
  switch (type.kind) {
    case "Int":
      return String(integerOf(bytes, type.signed));
    case "FloatingPoint":
      return String(floatOf(bytes));
    case "Decimal":
      return decimalText(integerOf(bytes, true), type.scale);
    case "Date":
      return dayText(Number(integerOf(bytes, true)), type.unit);
    case "Timestamp":
      return dateText(Number(integerOf(bytes, true)) / 1000 ** (type.unit - 1));
    case "Time":
    case "Duration":
      return `${integerOf(bytes, true)} ${["s", "ms", "µs", "ns"][type.unit]}`;
    default:
      return hex(new Uint8Array(bytes.buffer));
  }
}

/** Decodes a little-endian integer of any width. */
function integerOf(bytes: DataView, signed: boolean): bigint {
  let value = 0n;
  for (let n = bytes.byteLength - 1; n >= 0; n--)
    value = (value << 8n) | BigInt(bytes.getUint8(n));
  const bits = 8 * bytes.byteLength;
  return signed ? BigInt.asIntN(bits, value) : value;
}

function floatOf(bytes: DataView): number {
  if (bytes.byteLength === 8) return bytes.getFloat64(0, true);
  if (bytes.byteLength === 2) return float16Value(bytes.getUint16(0, true));
  // Seven to nine digits tell a float32 from all others; further ones come from its conversion to float64.
  const value = bytes.getFloat32(0, true);
  const texts = [7, 8, 9].map((digits) => Number(value.toPrecision(digits)));
  return texts.find((text) => Math.fround(text) === value) ?? value;
}

function decimalText(value: bigint, scale: number): string {
  if (scale <= 0) return `${value}${"0".repeat(-scale)}`;
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  const text = `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}

/** Formats a date of Arrow as 2026-02-28; unit 0: days since 1970, 1: milliseconds. */
export function dayText(value: number, unit: number): string {
  return dateText(value * (unit === 0 ? 86_400_000 : 1)).slice(0, 10);
}

function dateText(milliseconds: number): string {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime())
    ? `${milliseconds} ms`
    : date.toISOString();
}

function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}
