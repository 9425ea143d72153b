import { InputFormatError, InputUnsupportedError } from "../errors.js";
import {
  type Block,
  decodeMessage,
  type MessageMetadata,
  type Schema,
  VERSIONS_READ,
} from "./arrow-metadata.js";
import { MalformedFlatbuffer } from "./flatbuffer.js";
import type { InputFile } from "./input-file.js";
import { OverLimit } from "./limits.js";
import { readInput } from "./read-input.js";

/** Where a message's prefix and metadata stand; `bodyBytes` as a footer says, or null where there is none. */
interface MessagePlace extends Omit<Block, "bodyBytes"> {
  bodyBytes: number | null;
}

/** The metadata of a message, checked against what is known of it. @throws InputFormatError, InputUnsupportedError */
export function readMessage(
  file: InputFile,
  { offset, metadataBytes, bodyBytes }: MessagePlace,
  where: string,
): MessageMetadata {
  const { path } = file;
  const bytes = new Uint8Array(metadataBytes);
  readInput(file, bytes, offset);
  const view = new DataView(bytes.buffer);
  // Before format version 0.15 there was no continuation marker in front of the length.
  const marked = view.getUint32(0, true) === 0xffffffff;
  const prefix = marked ? 8 : 4;
  const length = view.getInt32(prefix - 4, true);
  if (length <= 0 || length > metadataBytes - prefix)
    throw new InputFormatError(
      path,
      where,
      `expected metadata of 1 to ${metadataBytes - prefix} bytes, found ${length}`,
    );
  const message = decoding(path, where, () =>
    decodeMessage(bytes.subarray(prefix, prefix + length)),
  );
  checkVersion(path, where, message.version);
  if (bodyBytes !== null && message.bodyBytes !== bodyBytes)
    throw new InputFormatError(
      path,
      where,
      `expected a body of ${bodyBytes} bytes as declared in the footer, found ${message.bodyBytes}`,
    );
  return message;
}

/** @throws InputUnsupportedError */
function checkVersion(path: string, where: string, version: number): void {
  if (!VERSIONS_READ.includes(version))
    throw new InputUnsupportedError(
      path,
      where,
      `expected metadata version V4 or V5, found V${version + 1}; read the file with pyarrow and write it again`,
    );
}

/** @throws InputUnsupportedError */
export function checkByteOrder(path: string, { bigEndian }: Schema): void {
  if (bigEndian)
    throw new InputUnsupportedError(
      path,
      "schema",
      "expected little-endian data, found big-endian; read the file with pyarrow and write it again",
    );
}

/** What `decode` makes of metadata, its complaints as ours. @throws InputFormatError, InputUnsupportedError */
export function decoding<T>(path: string, where: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof OverLimit)
      throw new InputUnsupportedError(path, where, error.message);
    if (error instanceof MalformedFlatbuffer)
      throw new InputFormatError(
        path,
        where,
        `invalid metadata: ${error.message}`,
        { cause: error },
      );
    throw error;
  }
}
