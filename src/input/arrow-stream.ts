import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { readMessage } from "./arrow-message.js";
import type { Footer, Schema } from "./arrow-metadata.js";
import type { InputFile } from "./input-file.js";
import { checkLimit } from "./limits.js";
import { readInput } from "./read-input.js";

// The streaming form of Arrow IPC (Format/Columnar.rst, "IPC Streaming Format"), here in a file:
//
//   schema message | dictionary and record batch messages | EOS
//   message = FFFFFFFF | int32 metadata length | metadata | body          EOS = FFFFFFFF 00000000

const PREFIX_BYTES = 8;
const MARK = 0xffffffff;

/**
 * What a footer would say of a stream: read from message to message, of which only the metadata is looked at.
 * @throws InputFormatError where a message is damaged, or the end is missing; InputUnsupportedError, IoError
 */
export function locateStream(
  file: InputFile,
  allowMissingEnd: boolean,
): Footer {
  const { path, bytes } = file;
  let schema: Schema | null = null;
  let version = 0;
  const dictionaries: Footer["dictionaries"] = [];
  const recordBatches: Footer["recordBatches"] = [];
  let offset = 0;
  for (let n = 0; ; n++) {
    const where = `message ${n}`;
    const metadataBytes = metadataBytesAt(file, offset, where, allowMissingEnd);
    if (metadataBytes === null) break;
    const message = readMessage(
      file,
      { offset, metadataBytes, bodyBytes: null },
      where,
    );
    const { header, bodyBytes } = message;
    const end = offset + metadataBytes + bodyBytes;
    if (bodyBytes < 0 || end > bytes)
      throw new InputFormatError(
        path,
        where,
        bodyBytes < 0
          ? `expected a body of 0 or more bytes, found ${bodyBytes}`
          : `the stream is truncated: it ends at byte ${bytes}, this message at byte ${end}`,
      );
    if ((header === "Schema") !== (schema === null))
      throw new InputFormatError(
        path,
        where,
        `expected ${schema ? "a record batch or a dictionary batch" : "the schema first"}, found a message of type ${header}`,
      );
    const block = { offset, metadataBytes, bodyBytes };
    if (header === "Schema") ({ schema, version } = message);
    else if (header === "DictionaryBatch") dictionaries.push(block);
    else if (header === "RecordBatch") recordBatches.push(block);
    else
      throw new InputUnsupportedError(
        path,
        where,
        "expected a record batch or a dictionary batch, found another type of message",
      );
    offset = end;
  }
  if (!schema)
    throw new InputFormatError(
      path,
      "message 0",
      "the stream ends before its schema",
    );
  return { version, schema, dictionaries, recordBatches };
}

/** Bytes of a message's prefix and metadata; null at the end of the stream. @throws as locateStream */
export function metadataBytesAt(
  file: InputFile,
  offset: number,
  where: string,
  allowMissingEnd: boolean,
): number | null {
  const { path, bytes } = file;
  const fail = (text: string): never => {
    throw new InputFormatError(path, where, text);
  };
  if (offset === bytes && allowMissingEnd) return null;
  if (bytes - offset < PREFIX_BYTES)
    fail(
      offset === bytes
        ? "the stream is truncated: it has no end-of-stream marker (use --allow-missing-eos if its writer never writes one)"
        : `the stream is truncated: it ends at byte ${bytes}, inside a message`,
    );
  const prefix = new Uint8Array(PREFIX_BYTES);
  readInput(file, prefix, offset);
  const view = new DataView(prefix.buffer);
  const [mark, length] = [view.getUint32(0, true), view.getInt32(4, true)];
  if (mark !== MARK)
    fail(
      `expected a message at byte ${offset}, found ${mark.toString(16).padStart(8, "0")}`,
    );
  if (length === 0) {
    const rest = bytes - offset - PREFIX_BYTES;
    if (rest > 0)
      fail(`${rest} bytes follow the end-of-stream marker at byte ${offset}`);
    return null;
  }
  const room = bytes - offset - PREFIX_BYTES;
  if (length < 0 || length > room)
    fail(
      `expected metadata of 1 to ${room} bytes, found ${length}${length > room ? ": the stream is truncated" : ""}`,
    );
  checkLimit(file, where, "maxMetadataBytes", "bytes of metadata", length);
  return PREFIX_BYTES + length;
}
