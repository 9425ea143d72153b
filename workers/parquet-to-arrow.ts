import type { ParquetFile } from "parquet-wasm/esm";
import { LIMITS, OverLimit } from "../src/io/limits.js";
import { writeFully } from "../src/io/positional.js";
import type { RowGroup } from "../src/tasks/parquet-metadata.js";
import {
  type DecodedBatch,
  NEXT_GROUP,
  type ParquetSetup,
  STREAM_BYTES,
} from "../src/tasks/parquet-tasks.js";
import { checkPages } from "./parquet-pages.js";
import { damaged, TaskFailure, withSide } from "./slot-bytes.js";

/** Approximate size of a batch. Row groups are read whole, but decoded in batches. */
const BATCH_BYTES = 16 << 20;
const MAX_BATCH_ROWS = 1 << 17;

/** The decoder has 4 GiB of address space, and may hold the bytes of a row group twice. */
const MAX_GROUP_BYTES = 3 * 2 ** 29;

/** Size of the end-of-stream marker, FFFFFFFF 00000000. */
const EOS_BYTES = 8;

/** Failure of a row group. */
export class RowGroupError extends Error {
  constructor(
    readonly rowGroup: number,
    options: ErrorOptions,
  ) {
    super("a row group could not be decoded", options);
  }
}

/**
 * Appends row groups to an Arrow stream, to which other threads append the rest, and the schema if none has. Returns the record
 * batches.
 * @throws TaskFailure, errors of the decoder; RowGroupError, which has one of them as its cause
 */
export async function appendRowGroups(
  file: ParquetFile,
  setup: ParquetSetup,
): Promise<DecodedBatch[]> {
  const { rowGroups, shared, target } = setup;
  const empty = await file.read({ rowGroups: [] });
  const schema = empty.intoIPCStream().subarray(0, -EOS_BYTES);
  const size = BigInt(schema.byteLength);
  if (Atomics.compareExchange(shared, STREAM_BYTES, 0n, size) === 0n)
    withSide("output", () => writeFully(target, schema, 0));
  const batches: DecodedBatch[] = [];
  const take = () => Number(Atomics.add(shared, NEXT_GROUP, 1n));
  for (let k = take(); k < rowGroups.length; k = take())
    try {
      for await (const offset of appendRowGroup(file, setup, k))
        batches.push({ rowGroup: k, offset });
    } catch (cause) {
      // Threads take row groups in order and finish theirs, so the first failure does not depend on their number.
      Atomics.store(shared, NEXT_GROUP, BigInt(rowGroups.length));
      throw new RowGroupError(k, { cause });
    }
  const rows = rowGroups.reduce((sum, group) => sum + group.rows, 0);
  expectRows("rows", file.metadata().fileMetadata().numRows(), rows);
  return batches;
}

/** Appends bytes to the stream; returns their offset. @throws TaskFailure */
function append({ target, shared }: ParquetSetup, bytes: Uint8Array): number {
  const size = BigInt(bytes.byteLength);
  const position = Number(Atomics.add(shared, STREAM_BYTES, size));
  const end = position + bytes.byteLength;
  // A few bytes can declare any number of repetitions of a value.
  if (end > LIMITS.maxDecodedBytes)
    throw new TaskFailure({
      kind: "unsupported",
      where: "row groups",
      text: new OverLimit("maxDecodedBytes", "decoded bytes", end).message,
    });
  withSide("output", () => writeFully(target, bytes, position));
  return position;
}

async function* appendRowGroup(
  file: ParquetFile,
  setup: ParquetSetup,
  k: number,
): AsyncGenerator<number> {
  const group = setup.rowGroups[k] as ParquetSetup["rowGroups"][number];
  const where = `row group ${k}`;
  const batchSize = batchRows(group, where);
  for (const chunk of group.chunks) await checkPages(setup, chunk, where);
  let rows = 0;
  const options = { rowGroups: [k], batchSize };
  for await (const batch of await file.stream(options)) {
    rows += batch.numRows;
    yield append(setup, batchMessages(batch.intoIPCStream()));
  }
  expectRows(where, group.rows, rows);
}

/** Returns the number of rows to decode at once. @throws TaskFailure for a row group that is too large */
function batchRows(
  { rows, chunks }: Pick<RowGroup, "rows" | "chunks">,
  where: string,
): number {
  let stored = 0;
  let decoded = 0;
  for (const { bytes, decodedBytes, values } of chunks) {
    stored += bytes;
    // Repeated values take almost no bytes in the file.
    decoded += Math.max(decodedBytes, 8 * values);
  }
  if (stored > MAX_GROUP_BYTES)
    throw new TaskFailure({
      kind: "unsupported",
      where,
      text: `expected at most ${MAX_GROUP_BYTES} bytes of the columns that are read, found ${stored}; write the file with smaller row groups`,
    });
  const perRow = Math.max(1, decoded / Math.max(1, rows));
  return Math.min(
    MAX_BATCH_ROWS,
    Math.max(1, Math.floor(BATCH_BYTES / perRow)),
  );
}

function expectRows(where: string, expected: number, found: number): void {
  if (expected !== found)
    throw damaged(
      where,
      `expected ${expected} rows as declared in the footer, found ${found}`,
    );
}

/** Returns the record batch messages of a stream, without schema and end-of-stream marker. */
function batchMessages(stream: Uint8Array): Uint8Array {
  const view = new DataView(stream.buffer, stream.byteOffset, 8);
  const schemaBytes = 8 + view.getInt32(4, true);
  return stream.subarray(schemaBytes, -EOS_BYTES);
}
