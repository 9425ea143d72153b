import { closeSync, constants, fstatSync, openSync } from "node:fs";
import {
  InputFormatError,
  InputMissingError,
  InputUnsupportedError,
  IoError,
  PermissionError,
} from "../errors.js";
import {
  type Block,
  decodeFooter,
  decodeMessage,
  type Footer,
  type MessageMetadata,
  VERSIONS_READ,
} from "./arrow-metadata.js";
import { MalformedFlatbuffer } from "./flatbuffer.js";
import { readInput } from "./read-input.js";

// The container of an Arrow IPC file (Format/Columnar.rst, "IPC File Format"):
//
//   ARROW1 00 00 | schema message | dictionary and record batch messages | EOS | footer | int32 length | ARROW1
//   message = FFFFFFFF | int32 metadata length | metadata | body

const MAGIC = "ARROW1";
const HEAD_BYTES = 8;
const TAIL_BYTES = 4 + MAGIC.length;
/** No schema that people write comes near; a footer that claims more is damage. */
const MAX_METADATA_BYTES = 64 << 20;

export interface ArrowFile {
  readonly path: string;
  readonly fd: number;
  readonly bytes: number;
  readonly footer: Footer;
  /** The metadata of the message of a block, checked against the block. */
  message(block: Block, where: string): MessageMetadata;
  close(): void;
}

/**
 * Opens an Arrow IPC file and checks its magics, footer and blocks. Nothing of a batch is read yet.
 * @throws InputMissingError, PermissionError, InputFormatError, InputUnsupportedError, IoError
 */
export function openArrowFile(path: string): ArrowFile {
  const fd = openForReading(path);
  try {
    const bytes = fstatSync(fd).size;
    const { footer, footerStart } = readFooter(path, fd, bytes);
    checkBlocks(path, fd, footer, footerStart);
    return {
      path,
      fd,
      bytes,
      footer,
      message: (block, where) => readMessage(path, fd, block, where),
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openForReading(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new InputMissingError(path, { cause });
    if (code === "EACCES" || code === "EPERM")
      throw new PermissionError(path, "may not be read", { cause });
    throw new IoError(path, `could not be opened: ${code}`, { cause });
  }
  const stat = fstatSync(fd);
  if (stat.isFile()) return fd;
  closeSync(fd);
  throw new InputUnsupportedError(
    path,
    "input",
    `expected a regular file, found ${stat.isDirectory() ? "a directory" : "a device or pipe"}`,
  );
}

function readFooter(
  path: string,
  fd: number,
  bytes: number,
): { footer: Footer; footerStart: number } {
  checkHead(path, fd, bytes);
  const smallest = HEAD_BYTES + TAIL_BYTES;
  if (bytes < smallest)
    throw new InputFormatError(
      path,
      "footer",
      `expected at least ${smallest} bytes, found ${bytes}: the file is cut`,
    );
  const tail = new Uint8Array(TAIL_BYTES);
  readInput({ path, fd }, tail, bytes - TAIL_BYTES);
  const magic = latin1(tail.subarray(4));
  if (magic !== MAGIC)
    throw new InputFormatError(
      path,
      "footer",
      `expected ${MAGIC} in the last ${MAGIC.length} of ${bytes} bytes, found ${JSON.stringify(magic)}: the file is cut, or was never finished`,
    );
  const footerBytes = new DataView(tail.buffer).getInt32(0, true);
  const room = bytes - smallest;
  if (footerBytes <= 0 || footerBytes > Math.min(room, MAX_METADATA_BYTES))
    throw new InputFormatError(
      path,
      "footer",
      `expected a footer of 1 to ${Math.min(room, MAX_METADATA_BYTES)} bytes, found a length of ${footerBytes}`,
    );
  const footerStart = bytes - TAIL_BYTES - footerBytes;
  const encoded = new Uint8Array(footerBytes);
  readInput({ path, fd }, encoded, footerStart);
  const footer = decoding(path, "footer", () => decodeFooter(encoded));
  checkVersion(path, "footer", footer.version);
  if (footer.schema.bigEndian)
    throw new InputUnsupportedError(
      path,
      "schema",
      "expected little-endian data, found big-endian",
    );
  return { footer, footerStart };
}

/** Tells an Arrow file from what people pass by mistake. */
function checkHead(path: string, fd: number, bytes: number): void {
  const head = new Uint8Array(Math.min(HEAD_BYTES, bytes));
  readInput({ path, fd }, head, 0);
  const start = latin1(head);
  if (start.startsWith(MAGIC)) return;
  const known = [
    ["\xff\xff\xff\xff", "an Arrow stream"],
    ["PAR1", "a Parquet file"],
    ["FEA1", "a Feather version 1 file"],
    ["\x93NUMPY", "a NumPy file"],
    ["PK\x03\x04", "a zip archive"],
  ].find(([magic]) => start.startsWith(magic as string));
  if (known)
    throw new InputUnsupportedError(
      path,
      "first bytes",
      `expected an Arrow IPC file, found ${known[1]}`,
    );
  throw new InputFormatError(
    path,
    "first bytes",
    `expected ${MAGIC}, found ${bytes === 0 ? "an empty file" : JSON.stringify(start)}`,
  );
}

/** Every block inside the file, none over another, and no message between them that the footer does not list. */
function checkBlocks(
  path: string,
  fd: number,
  footer: Footer,
  end: number,
): void {
  const named = (["dictionaries", "recordBatches"] as const).flatMap((kind) =>
    footer[kind].map((block, k) => ({
      block,
      where: `${kind === "dictionaries" ? "dictionary" : "record"} batch ${k}`,
    })),
  );
  named.sort((a, b) => a.block.offset - b.block.offset);
  let free = HEAD_BYTES;
  for (const { block, where } of named) {
    const { offset, metadataBytes, bodyBytes } = block;
    if (metadataBytes < 8 || metadataBytes > MAX_METADATA_BYTES)
      throw new InputFormatError(
        path,
        where,
        `expected metadata of 8 to ${MAX_METADATA_BYTES} bytes, found ${metadataBytes}`,
      );
    const last = offset + metadataBytes + bodyBytes;
    if (offset < free || bodyBytes < 0 || last > end)
      throw new InputFormatError(
        path,
        where,
        `expected a block inside bytes ${free} to ${end}, found bytes ${offset} to ${last}`,
      );
    refuseUnlisted(path, fd, free, offset);
    free = last;
  }
  refuseUnlisted(path, fd, free, end);
}

/**
 * Between the blocks stand the schema's message (once, in front), the end marker, and padding. Another message there
 * means that the footer has lost rows.
 */
function refuseUnlisted(
  path: string,
  fd: number,
  start: number,
  end: number,
): void {
  if (end - start < 8) return;
  const prefix = new Uint8Array(8);
  readInput({ path, fd }, prefix, start);
  const view = new DataView(prefix.buffer);
  const length = view.getInt32(4, true);
  if (view.getUint32(0, true) !== 0xffffffff || length === 0) return;
  const block = { offset: start, metadataBytes: 8 + length, bodyBytes: 0 };
  const next = start + block.metadataBytes;
  if (start === HEAD_BYTES && length > 0 && next <= end) {
    const message = readMessage(path, fd, block, "schema message");
    if (message.header === "Schema") {
      refuseUnlisted(path, fd, next, end);
      return;
    }
  }
  throw new InputFormatError(
    path,
    "footer",
    `expected every message to be listed, found one at byte ${start} that is not`,
  );
}

function readMessage(
  path: string,
  fd: number,
  { offset, metadataBytes, bodyBytes }: Block,
  where: string,
): MessageMetadata {
  const bytes = new Uint8Array(metadataBytes);
  readInput({ path, fd }, bytes, offset);
  const view = new DataView(bytes.buffer);
  // Before format version 0.15 there was no continuation marker in front of the length.
  const marked = view.getUint32(0, true) === 0xffffffff;
  const prefix = marked ? 8 : 4;
  const length = view.getInt32(prefix - 4, true);
  if (length <= 0 || length > metadataBytes - prefix)
    throw new InputFormatError(
      path,
      where,
      `expected metadata of 1 to ${metadataBytes - prefix} bytes as the footer says, found a length of ${length}`,
    );
  const message = decoding(path, where, () =>
    decodeMessage(bytes.subarray(prefix, prefix + length)),
  );
  checkVersion(path, where, message.version);
  if (message.bodyBytes !== bodyBytes)
    throw new InputFormatError(
      path,
      where,
      `expected a body of ${bodyBytes} bytes as the footer says, found ${message.bodyBytes}`,
    );
  return message;
}

function checkVersion(path: string, where: string, version: number): void {
  if (!VERSIONS_READ.includes(version))
    throw new InputUnsupportedError(
      path,
      where,
      `expected metadata version V4 or V5, found V${version + 1}`,
    );
}

function decoding<T>(path: string, where: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedFlatbuffer)
      throw new InputFormatError(
        path,
        where,
        `expected sound metadata, found ${error.message}`,
        { cause: error },
      );
    throw error;
  }
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
