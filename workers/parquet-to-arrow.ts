import type { ParquetFile, RowGroupMetaData } from "parquet-wasm/esm";
import type { ParquetSetup } from "../src/input/parquet/protocol.js";
import { writeFully } from "../src/io/positional.js";
import { systemFailure } from "../src/system-error.js";
import { ParquetFailure } from "./parquet-failure.js";
import { checkPages } from "./parquet-pages.js";

/** Of one batch, about: row groups are read whole, as they must be, but decoded in parts. */
const BATCH_BYTES = 16 << 20;
const MOST_BATCH_ROWS = 1 << 17;

/** The decoder's address space has 4 GiB, and a row group's bytes may be in it twice. */
const MOST_GROUP_BYTES = 3 * 2 ** 29;

/** FFFFFFFF 00000000 ends a stream. */
const EOS_BYTES = 8;

/**
 * Writes columns of a Parquet file as one Arrow stream, row group by row group; returns how many bytes it has.
 * @throws ParquetFailure; the decoder's own errors
 */
export async function writeArrow(
  file: ParquetFile,
  columns: string[],
  setup: ParquetSetup,
): Promise<number> {
  const { target, maxBytes, rowGroups } = setup;
  let position = 0;
  const append = (bytes: Uint8Array) => {
    const end = position + bytes.byteLength;
    if (end > maxBytes) throw new ParquetFailure({ kind: "large", bytes: end });
    try {
      writeFully(target, bytes, position);
    } catch (error) {
      const failed = systemFailure(error);
      if (!failed) throw error;
      throw new ParquetFailure({ kind: "failed", task: "kept", ...failed });
    }
    position = end;
  };

  const empty = await file.read({ rowGroups: [], columns });
  const schema = empty.intoIPCStream();
  append(schema.subarray(0, -EOS_BYTES));

  const metadata = file.metadata();
  const groups = metadata.numRowGroups();
  let rows = 0;
  for (let k = 0; k < groups; k++) {
    const group = metadata.rowGroup(k);
    const batchSize = batchRows(group, columns, k);
    const chunks = rowGroups[k];
    if (!chunks)
      throw new ParquetFailure({
        kind: "damaged",
        where: "footer",
        text: `the metadata of row group ${k} is damaged`,
      });
    for (const chunk of chunks)
      if (columns.includes(chunk.column))
        await checkPages(setup, chunk, group.numRows(), `row group ${k}`);
    let found = 0;
    for await (const batch of await file.stream({
      rowGroups: [k],
      columns,
      batchSize,
    })) {
      found += batch.numRows;
      append(batchMessages(batch.intoIPCStream()));
    }
    expectRows(`row group ${k}`, group.numRows(), found);
    rows += found;
    group.free();
  }
  expectRows("rows", metadata.fileMetadata().numRows(), rows);
  append(schema.subarray(-EOS_BYTES));
  return position;
}

/** How many rows of a row group are decoded at once. @throws ParquetFailure where the row group is too large */
function batchRows(
  group: RowGroupMetaData,
  columns: string[],
  k: number,
): number {
  let stored = 0;
  let decoded = 0;
  for (const column of group.columns()) {
    if (columns.includes(column.columnPath()[0] as string)) {
      stored += column.compressedSize();
      // repeated values may take next to nothing in the file
      decoded += Math.max(column.uncompressedSize(), 8 * column.numValues());
    }
    column.free();
  }
  if (stored > MOST_GROUP_BYTES)
    throw new ParquetFailure({
      kind: "unsupported",
      where: `row group ${k}`,
      text: `expected at most ${MOST_GROUP_BYTES} bytes of the columns that are read, found ${stored}; write the file with smaller row groups`,
    });
  const perRow = Math.max(1, decoded / Math.max(1, group.numRows()));
  return Math.min(
    MOST_BATCH_ROWS,
    Math.max(1, Math.floor(BATCH_BYTES / perRow)),
  );
}

function expectRows(where: string, expected: number, found: number): void {
  if (expected !== found)
    throw new ParquetFailure({
      kind: "damaged",
      where,
      text: `expected ${expected} rows as declared in the footer, found ${found}`,
    });
}

/** A stream of one batch without its schema in front, and without its end. */
function batchMessages(stream: Uint8Array): Uint8Array {
  const view = new DataView(stream.buffer, stream.byteOffset, 8);
  const schemaBytes = 8 + view.getInt32(4, true);
  return stream.subarray(schemaBytes, -EOS_BYTES);
}
