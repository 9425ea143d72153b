import type { ParquetFile } from "parquet-wasm/esm";
import { LIMITS, OverLimit } from "../src/io/limits.js";
import { writeFully } from "../src/io/positional.js";
import type { ColumnChunk } from "../src/tasks/parquet-metadata.js";
import {
  type ColumnGroup,
  type DecodedMessage,
  NEXT_UNIT,
  type ParquetSetup,
  TARGET_BYTES,
} from "../src/tasks/parquet-tasks.js";
import { checkPages } from "./parquet-pages.js";
import { damaged, TaskFailure, withSide } from "./slot-bytes.js";

/** Approximate size of a record batch of the largest column. Its chunks are read whole, but encoded in batches. */
const BATCH_BYTES = 8 << 20;
const MAX_BATCH_ROWS = 1 << 17;

/** The decoder has 4 GiB of address space, and may hold the bytes of a column twice. */
const MAX_COLUMN_BYTES = 3 * 2 ** 29;

/** Size of the end-of-stream marker, FFFFFFFF 00000000. */
const EOS_BYTES = 8;

/** Failure of a unit. */
export class UnitError extends Error {
  constructor(
    readonly unit: number,
    options: ErrorOptions,
  ) {
    super("a part of the file could not be decoded", options);
  }
}

/**
 * Decodes units to Arrow messages, which it appends to the target; other threads decode the rest.
 * @param open opens the file with only one of the columns
 * @param reads buffers that the decoder has been given; emptied as they are freed
 * @throws UnitError, whose cause is a TaskFailure or an error of the decoder
 */
export async function decodeUnits(
  setup: ParquetSetup,
  open: (column: number) => Promise<ParquetFile>,
  reads: ArrayBuffer[],
): Promise<DecodedMessage[]> {
  const { tails, rowGroups, shared } = setup;
  const files = new Map<number, ParquetFile>();
  const messages: DecodedMessage[] = [];
  const take = () => Number(Atomics.add(shared, NEXT_UNIT, 1n));
  const end = tails.length * (1 + rowGroups.length);
  for (let unit = take(); unit < end; unit = take())
    try {
      const column = unit % tails.length;
      const file = files.get(column) ?? (await open(column));
      files.set(column, file);
      const k = Math.floor(unit / tails.length) - 1;
      const decoded =
        k < 0 ? schemaMessage(file) : columnBatches(file, setup, k, column);
      for await (const message of decoded) {
        messages.push({ unit, offset: append(setup, message) });
        // The decoder has copied what it read.
        for (const buffer of [...reads.splice(0), message.buffer]) free(buffer);
      }
    } catch (cause) {
      // Threads take units in order and finish theirs, so the first failure does not depend on their number.
      Atomics.store(shared, NEXT_UNIT, BigInt(end));
      throw new UnitError(unit, { cause });
    }
  for (const file of files.values()) file.free();
  return messages;
}

/** Frees a buffer. The garbage collector would let tens of megabytes of them pile up. */
function free(buffer: ArrayBufferLike): void {
  // A closed port drops what it is given.
  closedPort.postMessage(null, [buffer as ArrayBuffer]);
}

const { port1: closedPort } = new MessageChannel();
closedPort.close();

/** Appends bytes to the target; returns their offset. @throws TaskFailure */
function append({ target, shared }: ParquetSetup, bytes: Uint8Array): number {
  const size = BigInt(bytes.byteLength);
  const position = Number(Atomics.add(shared, TARGET_BYTES, size));
  const end = position + bytes.byteLength;
  // A few bytes can declare any number of repetitions of a value.
  if (end > LIMITS.maxDecodedBytes)
    throw new TaskFailure({
      kind: "unsupported",
      where: "row groups",
      text: new OverLimit("maxDecodedBytes", end).message,
    });
  withSide("output", () => writeFully(target, bytes, position));
  return position;
}

async function* schemaMessage(file: ParquetFile): AsyncGenerator<Uint8Array> {
  const empty = await file.read({ rowGroups: [] });
  yield empty.intoIPCStream().subarray(0, -EOS_BYTES);
}

/** Decodes a column of row group `k`; yields its record batches, which have as many rows as those of other columns. */
async function* columnBatches(
  file: ParquetFile,
  setup: ParquetSetup,
  k: number,
  column: number,
): AsyncGenerator<Uint8Array> {
  const group = setup.rowGroups[k] as ColumnGroup;
  const chunks = group.columns[column] as ColumnGroup["columns"][number];
  const where = `row group ${k}`;
  checkSize(chunks, where);
  for (const chunk of chunks) await checkPages(setup, chunk, where);
  let rows = 0;
  const options = { rowGroups: [k], batchSize: batchRows(group) };
  for await (const batch of await file.stream(options)) {
    rows += batch.numRows;
    yield batchMessage(batch.intoIPCStream());
  }
  if (rows !== group.rows)
    throw damaged(
      where,
      `expected ${group.rows} rows as declared in the footer, found ${rows}`,
    );
}

/** @throws TaskFailure for a column that is too large */
function checkSize(chunks: readonly ColumnChunk[], where: string): void {
  const stored = chunks.reduce((sum, { bytes }) => sum + bytes, 0);
  if (stored > MAX_COLUMN_BYTES)
    throw new TaskFailure({
      kind: "unsupported",
      where: `${where}: column ${chunks[0]?.leaf.column}`,
      text: `expected at most ${MAX_COLUMN_BYTES} bytes, found ${stored}; write the file with smaller row groups`,
    });
}

/** Returns the number of rows of a record batch, which is that of all columns. */
function batchRows({ rows, columns }: ColumnGroup): number {
  let largest = 0;
  for (const chunks of columns) {
    let decoded = 0;
    // Repeated values take almost no bytes in the file.
    for (const { decodedBytes, values } of chunks)
      decoded += Math.max(decodedBytes, 8 * values);
    largest = Math.max(largest, decoded);
  }
  const perRow = Math.max(1, largest / Math.max(1, rows));
  return Math.min(
    MAX_BATCH_ROWS,
    Math.max(1, Math.floor(BATCH_BYTES / perRow)),
  );
}

/** Returns the record batch of a stream of one, without schema and end-of-stream marker. */
function batchMessage(stream: Uint8Array): Uint8Array {
  const view = new DataView(stream.buffer, stream.byteOffset, 8);
  const schemaBytes = 8 + view.getInt32(4, true);
  return stream.subarray(schemaBytes, -EOS_BYTES);
}
