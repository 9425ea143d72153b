import type { ParquetFile } from "parquet-wasm/esm";
import { LIMITS, OverLimit } from "../src/io/limits.js";
import { writeFully } from "../src/io/positional.js";
import type { RowGroup } from "../src/tasks/parquet-metadata.js";
import type { ParquetSetup } from "../src/tasks/parquet-tasks.js";
import { checkPages } from "./parquet-pages.js";
import { damaged, TaskFailure, withSide } from "./slot-bytes.js";

/** Approximate size of a batch. Row groups are read whole, but decoded in batches. */
const BATCH_BYTES = 16 << 20;
const MAX_BATCH_ROWS = 1 << 17;

/** The decoder has 4 GiB of address space, and may hold the bytes of a row group twice. */
const MAX_GROUP_BYTES = 3 * 2 ** 29;

/** Size of the end-of-stream marker, FFFFFFFF 00000000. */
const EOS_BYTES = 8;

/**
 * Writes a Parquet file as one Arrow stream, row group by row group. Returns the size of the stream.
 * @throws TaskFailure, and errors of the decoder
 */
export async function writeArrow(
  file: ParquetFile,
  setup: ParquetSetup,
): Promise<number> {
  const { target, rowGroups } = setup;
  let position = 0;
  const append = (bytes: Uint8Array) => {
    const end = position + bytes.byteLength;
    // A few bytes can declare any number of repetitions of a value.
    if (end > LIMITS.maxDecodedBytes)
      throw new TaskFailure({
        kind: "unsupported",
        where: "row groups",
        text: new OverLimit("maxDecodedBytes", "decoded bytes", end).message,
      });
    withSide("output", () => writeFully(target, bytes, position));
    position = end;
  };

  const empty = await file.read({ rowGroups: [] });
  const schema = empty.intoIPCStream();
  append(schema.subarray(0, -EOS_BYTES));

  let rows = 0;
  for (const [k, group] of rowGroups.entries()) {
    const where = `row group ${k}`;
    const batchSize = batchRows(group, where);
    for (const chunk of group.chunks) await checkPages(setup, chunk, where);
    let decodedRows = 0;
    for await (const batch of await file.stream({
      rowGroups: [k],
      batchSize,
    })) {
      decodedRows += batch.numRows;
      append(batchMessages(batch.intoIPCStream()));
    }
    expectRows(where, group.rows, decodedRows);
    rows += decodedRows;
  }
  expectRows("rows", file.metadata().fileMetadata().numRows(), rows);
  append(schema.subarray(-EOS_BYTES));
  return position;
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
