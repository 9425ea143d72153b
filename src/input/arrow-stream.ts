import { MalformedFlatbuffer } from "../arrow/flatbuffer.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { checkLimit, OverLimit } from "../io/limits.js";
import {
  type Block,
  decodeMessage,
  type Footer,
  type MessageMetadata,
  type Schema,
} from "./arrow-metadata.js";
import {
  failing,
  type InputFile,
  inputReader,
  type Readable,
} from "./read-input.js";

// An Arrow IPC stream (Format/Columnar.rst, "IPC Streaming Format") stored as a file:
//
//   schema message | dictionary and record batch messages | EOS
//   message = FFFFFFFF | int32 metadata length | metadata | body          EOS = FFFFFFFF 00000000

const PREFIX_BYTES = 8;
const CONTINUATION = 0xffffffff;

/** MetadataVersion V4 and V5, as stored. */
const VERSIONS_READ = [3, 4];

/**
 * Returns the equivalent of a footer for a stream. Reads the metadata of each message, but no bodies.
 * @throws InputFormatError if a message is damaged or the end is missing; InputUnsupportedError, IoError
 */
export function locateStream(
  file: InputFile,
  allowMissingEnd: boolean,
): Footer {
  const { path } = file;
  let schema: Schema | null = null;
  const dictionaries: Block[] = [];
  const recordBatches: Block[] = [];
  let offset = 0;
  for (let n = 0; ; n++) {
    const where = `message ${n}`;
    const next = messageAt(file, offset, where, allowMissingEnd);
    if (next === null) break;
    const { message, ...block } = next;
    const { header } = message;
    if ((header === "Schema") !== (schema === null))
      throw new InputFormatError(
        path,
        where,
        `expected ${schema ? "a record batch or a dictionary batch" : "the schema first"}, found a message of type ${header}`,
      );
    if (header === "Schema") ({ schema } = message);
    else if (header === "DictionaryBatch") dictionaries.push(block);
    else if (header === "RecordBatch") recordBatches.push(block);
    else
      throw new InputUnsupportedError(
        path,
        where,
        "expected a record batch or a dictionary batch, found another type of message",
      );
    offset = endOf(block);
  }
  const missing = "the stream ends before its schema";
  if (!schema) throw new InputFormatError(path, "message 0", missing);
  return { schema, dictionaries, recordBatches };
}

export function endOf({ offset, metadataBytes, bodyBytes }: Block): number {
  return offset + metadataBytes + bodyBytes;
}

/** Reads the metadata of the message at `offset`; returns null at the end of the stream. @throws as locateStream */
export function messageAt(
  file: InputFile,
  offset: number,
  where: string,
  allowMissingEnd: boolean,
): (Block & { message: MessageMetadata }) | null {
  const { bytes } = file;
  const fail = failing(file, where);
  if (offset === bytes && allowMissingEnd) return null;
  if (bytes - offset < PREFIX_BYTES)
    fail(
      offset === bytes
        ? "the stream is truncated: it has no end-of-stream marker (use --allow-missing-eos if its writer never writes one)"
        : `the stream is truncated: it ends at byte ${bytes}, inside a message`,
    );
  const prefix = inputReader(file)(offset, PREFIX_BYTES);
  const view = new DataView(prefix.buffer);
  const [marker, length] = [view.getUint32(0, true), view.getInt32(4, true)];
  if (marker !== CONTINUATION)
    fail(
      `expected a message at byte ${offset}, found ${marker.toString(16).padStart(8, "0")}`,
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
  const metadataBytes = PREFIX_BYTES + length;
  const position = { offset, metadataBytes, bodyBytes: null };
  const message = readMessage(file, position, where);
  const { bodyBytes } = message;
  if (bodyBytes < 0)
    fail(`expected a body of 0 or more bytes, found ${bodyBytes}`);
  const block = { offset, metadataBytes, bodyBytes };
  if (endOf(block) > bytes)
    fail(
      `the stream is truncated: it ends at byte ${bytes}, this message at byte ${endOf(block)}`,
    );
  return { ...block, message };
}

/**
 * Reads the metadata of a message and checks its version and lengths.
 * @param bodyBytes size that the footer declares; null if there is no footer
 * @throws InputFormatError, InputUnsupportedError
 */
export function readMessage(
  file: Readable,
  {
    offset,
    metadataBytes,
    bodyBytes,
  }: Pick<Block, "offset" | "metadataBytes"> & { bodyBytes: number | null },
  where: string,
): MessageMetadata {
  const { path } = file;
  const fail = failing(file, where);
  checkLimit(file, where, "maxMetadataBytes", metadataBytes);
  const bytes = inputReader(file)(offset, metadataBytes);
  const view = new DataView(bytes.buffer);
  // Arrow before 0.15 wrote no continuation marker before the length.
  const prefix = view.getUint32(0, true) === 0xffffffff ? 8 : 4;
  const length = view.getInt32(prefix - 4, true);
  if (length <= 0 || length > metadataBytes - prefix)
    fail(
      `expected metadata of 1 to ${metadataBytes - prefix} bytes, found ${length}`,
    );
  const message = decoding(path, where, () =>
    decodeMessage(bytes.subarray(prefix, prefix + length)),
  );
  if (!VERSIONS_READ.includes(message.version))
    throw new InputUnsupportedError(
      path,
      where,
      `expected metadata version V4 or V5, found V${message.version + 1}; ${REWRITE}`,
    );
  if (bodyBytes !== null && message.bodyBytes !== bodyBytes)
    fail(
      `expected a body of ${bodyBytes} bytes as declared in the footer, found ${message.bodyBytes}`,
    );
  return message;
}

/** Advice for files that softjac cannot read. */
export const REWRITE = "read the file with pyarrow and write it again";

/** Calls `decode` and converts its errors to input errors. @throws InputFormatError, InputUnsupportedError */
export function decoding<T>(path: string, where: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof OverLimit)
      throw new InputUnsupportedError(path, where, cause.message);
    if (!(cause instanceof MalformedFlatbuffer)) throw cause;
    const text = `invalid metadata: ${cause.message}`;
    throw new InputFormatError(path, where, text, { cause });
  }
}
