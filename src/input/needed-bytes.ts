import { isSeparate, offsetWidth } from "../arrow/column-storage.js";
import type { CopiedBuffers, CopiedNode } from "../arrow/copied-nodes.js";
import { integerAt, viewOf } from "../arrow/read-window.js";
import { VIEW_BYTES } from "../arrow/views.js";
import {
  BLOCK_BYTES,
  type ByteRange,
  MissingRangesError,
} from "../io/fetched-ranges.js";
import { readFooter } from "./arrow-file.js";
import type { Block } from "./arrow-metadata.js";
import { endOf, messageAt } from "./arrow-stream.js";
import { copiedPieces } from "./copied-pieces.js";
import type { LogitsFile } from "./logits-file.js";
import { type InputFile, inputReader, readInput } from "./read-input.js";
import { sourceRanges, sourcesOf } from "./source-ranges.js";

/** Offsets of `rows` lists or texts, which tell where their values are. */
interface Offsets extends ByteRange {
  /** Bytes per offset. */
  width: number;
  /** Start of the values that offset 0 points to, and bytes of each. */
  values: number;
  valueBytes: number;
}

/**
 * Returns the bytes of an input that rows `[rowStart, rowEnd)` take, as far as its structure tells: all that a part of a
 * run reads, except for the values that offsets point to.
 */
export function bytesOfRows(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): ByteRange[] {
  return Array.from(located(file, rowStart, rowEnd)).filter(isNotEmpty);
}

/**
 * Returns the bytes of the values that offsets of the rows point to. The bytes of the rows must be there.
 * @throws InputFormatError, IoError
 */
export function bytesOfValues(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): ByteRange[] {
  const read = inputReader(file);
  return Array.from(located(file, rowStart, rowEnd), (found) => {
    if (!("width" in found)) return { start: 0, end: 0 };
    const { start, end, width, values, valueBytes } = found;
    const [first = 0, last = 0] = [start, end - width].map((at) =>
      Math.max(0, integerAt(viewOf(read(at, width)), 0, width)),
    );
    return {
      start: values + first * valueBytes,
      end: values + last * valueBytes,
    };
  }).filter(isNotEmpty);
}

function isNotEmpty({ start, end }: ByteRange): boolean {
  return end > start;
}

function* located(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): Generator<ByteRange | Offsets> {
  for (const { body, bodyStart, bodyBytes } of file.dictionaries)
    if (body === null) yield rangeAt(bodyStart, bodyBytes);
  const pieces = sourceRanges(file, rowStart, rowEnd);
  for (const [n, { form, width: valueBytes, values }] of sourcesOf(
    file,
  ).entries()) {
    if (file.decodedFds[n] !== null) continue;
    const width = offsetWidth(form);
    const perRow = isSeparate(form) ? 1 : values;
    for (const piece of pieces[n] ?? []) {
      const { firstRow, validity, valueValidity, valueCount } = piece;
      const rows = piece.rowEnd - piece.rowStart;
      const first = width > 0 ? 0 : firstRow * perRow;
      const last = width > 0 ? valueCount : first + rows * perRow;
      yield* bitsAt(validity, 1, firstRow, firstRow + rows);
      for (const bits of valueValidity) yield* bitsAt(bits, 1, first, last);
      for (const values of piece.values)
        yield width > 0
          ? {
              ...rangeAt(piece.offsets, (rows + 1) * width),
              ...{ width, values, valueBytes },
            }
          : rangeAt(values, rows * perRow * valueBytes);
    }
  }
  for (const [k, column] of file.kept.entries())
    if (!column.constant)
      for (const { buffers, from, to } of copiedPieces(
        file,
        k,
        rowStart,
        rowEnd,
      ))
        if (buffers) yield* ofNode(column, buffers, from, to, false);
}

/** The bytes of values `[from, to)` of a node. All bytes of lists in it are, since only its offsets tell which it needs. */
function* ofNode(
  node: CopiedNode,
  buffers: CopiedBuffers,
  from: number,
  to: number,
  isNested: boolean,
): Generator<ByteRange | Offsets> {
  const { form, fd, bits, offsetBytes: width, listSize } = node;
  const { validity, nullCount, offsets, sizes, values, valuesBytes } = buffers;
  if (fd !== null) return;
  if (nullCount > 0) yield* bitsAt(validity, 1, from, to);
  yield* bitsAt(sizes, 8 * width, from, to);
  const [range] = bitsAt(offsets, 8 * width, from, to + 1);
  if (range && form === "text" && !isNested)
    yield { ...range, width, values, valueBytes: 1 };
  else if (range) yield range;
  if (form === "text" && isNested) yield rangeAt(values, valuesBytes);
  else if (form !== "text")
    yield* bitsAt(values, form === "views" ? 8 * VIEW_BYTES : bits, from, to);
  for (const { position, bytes } of buffers.data ?? [])
    yield rangeAt(position, bytes);
  const perValue = { struct: 1, "fixed-size-list": listSize }[form as string];
  for (const [k, child] of buffers.children.entries()) {
    const below = node.children[k] ?? node.children[0];
    if (!below) continue;
    const first = perValue === undefined ? 0 : from * perValue;
    const last = perValue === undefined ? child.length : to * perValue;
    yield* ofNode(below, child, first, last, true);
  }
}

function rangeAt(start: number, bytes: number): ByteRange {
  return { start, end: start + bytes };
}

/** The bytes of values `[from, to)` of so many bits; a position of 0: there are none. */
function bitsAt(
  position: number,
  bits: number,
  from: number,
  to: number,
): ByteRange[] {
  if (position === 0) return [];
  const start = position + Math.floor((from * bits) / 8);
  return [{ start, end: position + Math.ceil((to * bits) / 8) }];
}

/** Fetched as a whole at once. */
const SMALL_BYTES = 1 << 20;

/**
 * The bytes that tell a file's structure, some after the others: those of a step must be there before the next is asked
 * for. No more than a hint: it saves whoever opens the file from meeting one absent range after the other. Of what is
 * damaged nothing is said here.
 */
export function* structureBytes(
  file: InputFile,
): Generator<readonly ByteRange[]> {
  const { bytes } = file;
  if (bytes <= SMALL_BYTES) {
    yield [{ start: 0, end: bytes }];
    return;
  }
  yield [
    { start: 0, end: BLOCK_BYTES },
    { start: bytes - BLOCK_BYTES, end: bytes },
  ];
  const head = new Uint8Array(6);
  readInput(file, head, 0);
  const start = String.fromCharCode(...head);
  if (start === "ARROW1") yield* ofArrowFile(file);
  if (start.startsWith("\xff\xff\xff\xff")) yield* ofArrowStream(file);
}

/** The metadata of every block, and what stands between blocks. */
function* ofArrowFile(file: InputFile): Generator<readonly ByteRange[]> {
  const footer = yield* reading(() => readFooter(file).footer);
  if (!footer) return;
  yield [...footer.dictionaries, ...footer.recordBatches]
    .flatMap((block) => [
      { start: block.offset, end: block.offset + block.metadataBytes },
      { start: endOf(block), end: endOf(block) + 8 },
    ])
    .filter(({ start, end }) => start >= 0 && end <= file.bytes);
}

/** Message after message: each tells where the next one is. */
function* ofArrowStream(file: InputFile): Generator<readonly ByteRange[]> {
  let found: Block | null = { offset: 0, metadataBytes: 0, bodyBytes: 0 };
  while (found) {
    const offset: number = endOf(found);
    found = yield* reading(() => messageAt(file, offset, "message", true));
  }
}

/** What `read` gives once its bytes are there; null where it finds damage, which is told when the file is opened. */
function* reading<T>(read: () => T): Generator<readonly ByteRange[], T | null> {
  for (;;)
    try {
      return read();
    } catch (error) {
      if (!(error instanceof MissingRangesError)) return null;
      yield error.ranges;
    }
}
