import { InputFormatError } from "../errors.js";
import { checkLimit } from "../io/limits.js";
import { decodeFooter, type Footer, type Schema } from "./arrow-metadata.js";
import { decoding, endOf, readMessage } from "./arrow-stream.js";
import {
  failing,
  type InputFile,
  inputReader,
  requireInput,
} from "./read-input.js";

// The random-access form of Arrow IPC (Format/Columnar.rst, "IPC File Format"):
//
//   ARROW1 00 00 | schema message | dictionary and record batch messages | EOS | footer | int32 length | ARROW1
//   message = FFFFFFFF | int32 metadata length | metadata | body

const MAGIC = "ARROW1";
const HEAD_BYTES = 8;
const TAIL_BYTES = 4 + MAGIC.length;

/**
 * Reads the footer of a file that starts with Arrow's magic bytes, and checks the closing magic and all blocks. Reads no batch.
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function locateFile(file: InputFile): Footer {
  const { path, bytes } = file;
  const fail = failing(file, "footer");
  const smallest = HEAD_BYTES + TAIL_BYTES;
  if (bytes < smallest)
    fail(
      `expected at least ${smallest} bytes, found ${bytes}: the file is truncated`,
    );
  const read = inputReader(file);
  const tail = read(bytes - TAIL_BYTES, TAIL_BYTES);
  const magic = String.fromCharCode(...tail.subarray(4));
  if (magic !== MAGIC)
    fail(
      `the file is truncated, or its writer did not close it (it ends with ${JSON.stringify(magic)} instead of "${MAGIC}")`,
    );
  const footerBytes = new DataView(tail.buffer).getInt32(0, true);
  const room = bytes - smallest;
  if (footerBytes <= 0 || footerBytes > room)
    fail(`expected a footer of 1 to ${room} bytes, found ${footerBytes}`);
  checkLimit(file, "footer", "maxMetadataBytes", footerBytes);
  const footerStart = bytes - TAIL_BYTES - footerBytes;
  const encoded = read(footerStart, footerBytes);
  const footer = decoding(path, "footer", () => decodeFooter(encoded));
  const { dictionaries, recordBatches } = footer;
  // One request fetches the metadata of all blocks of a remote file, and the 8 bytes after their bodies.
  const ranges = [...dictionaries, ...recordBatches].flatMap((block) => [
    { start: block.offset, end: block.offset + block.metadataBytes },
    { start: endOf(block), end: endOf(block) + 8 },
  ]);
  requireInput(
    file,
    ranges.filter(({ start, end }) => start >= 0 && end <= bytes),
  );
  checkBlocks(file, footer, footerStart);
  return footer;
}

/** Checks that blocks lie inside the file, do not overlap, and have no unlisted message between them. */
function checkBlocks(file: InputFile, footer: Footer, end: number): void {
  const { schema, dictionaries, recordBatches } = footer;
  const blocks = [
    ...dictionaries.map((block, k) => ({
      ...block,
      where: `dictionary batch ${k}`,
    })),
    ...recordBatches.map((block, k) => ({
      ...block,
      where: `record batch ${k}`,
    })),
  ].sort((a, b) => a.offset - b.offset);
  let previousEnd = HEAD_BYTES;
  for (const { offset, metadataBytes, bodyBytes, where } of blocks) {
    const fail = failing(file, where);
    if (metadataBytes < 8)
      fail(`expected metadata of at least 8 bytes, found ${metadataBytes}`);
    const last = offset + metadataBytes + bodyBytes;
    if (offset < previousEnd || bodyBytes < 0 || last > end)
      fail(
        `expected a block within bytes ${previousEnd} to ${end}, found bytes ${offset} to ${last}`,
      );
    checkLimit(file, where, "maxMetadataBytes", metadataBytes);
    rejectUnlisted(file, schema, previousEnd, offset);
    previousEnd = last;
  }
  rejectUnlisted(file, schema, previousEnd, end);
}

/**
 * Rejects a message in the gap `[start, end)` between blocks: the footer would have lost rows. A gap may hold padding and
 * the end-of-stream marker, and the first gap the schema message.
 */
function rejectUnlisted(
  file: InputFile,
  schema: Schema,
  start: number,
  end: number,
): void {
  if (end - start < 8) return;
  const prefix = inputReader(file)(start, 8);
  const view = new DataView(prefix.buffer);
  const length = view.getInt32(4, true);
  if (view.getUint32(0, true) !== 0xffffffff || length === 0) return;
  const block = { offset: start, metadataBytes: 8 + length, bodyBytes: 0 };
  const next = start + block.metadataBytes;
  if (start === HEAD_BYTES && length > 0 && next <= end) {
    const message = readMessage(file, block, "schema message");
    if (message.schema) {
      if (columnsOf(message.schema) !== columnsOf(schema))
        throw new InputFormatError(
          file.path,
          "schema message",
          "the schema differs from the schema in the footer",
        );
      rejectUnlisted(file, schema, next, end);
      return;
    }
  }
  throw new InputFormatError(
    file.path,
    "footer",
    `the message at byte ${start} is not listed in the footer`,
  );
}

function columnsOf({ fields, bigEndian }: Schema): string {
  return JSON.stringify([fields, bigEndian]);
}
