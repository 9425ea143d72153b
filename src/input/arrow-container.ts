import { InputUnsupportedError } from "../errors.js";
import { locateFile } from "./arrow-file.js";
import {
  type Block,
  type MessageMetadata,
  REWRITE,
  readMessage,
  type Schema,
} from "./arrow-metadata.js";
import { locateStream } from "./arrow-stream.js";
import { type InputFile, openInputFile } from "./input-file.js";
import { inputFormat } from "./input-format.js";
import type { ColumnPath } from "./record-batches.js";

/** An Arrow IPC file or stream whose messages are found and lie inside it; nothing of their bodies is read. */
export interface ArrowContainer extends InputFile {
  readonly format: "arrow-file" | "arrow-stream";
  /** MetadataVersion, as stored. */
  readonly version: number;
  readonly schema: Schema;
  /** Paths of the nested columns, whose fields are the last of the schema. */
  readonly nested: readonly ColumnPath[];
  readonly dictionaries: readonly Block[];
  readonly recordBatches: readonly Block[];
  /** The metadata of the message of a block, checked against the block. */
  message(block: Block, where: string): MessageMetadata;
}

const ARROW = "an Arrow IPC file or stream";

export interface ContainerOptions {
  /** Streams may end without their end-of-stream marker. */
  allowMissingEos?: boolean | undefined;
  /** Whether big-endian data may be described; default: false. */
  anyByteOrder?: boolean | undefined;
}

/**
 * Opens an Arrow IPC file or stream, told apart by its first bytes.
 * @throws InputMissingError, PermissionError, InputFormatError, InputUnsupportedError, IoError
 */
export function openArrow(
  path: string,
  options: ContainerOptions = {},
): ArrowContainer {
  const file = openInputFile(path);
  try {
    const format = inputFormat(file, ARROW);
    if (format !== "arrow-file" && format !== "arrow-stream")
      throw new InputUnsupportedError(
        path,
        "first bytes",
        `expected ${ARROW}, found a file of the format ${format}; give a file that softjac run wrote`,
      );
    return arrowContainer(file, format, options);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The container in a file that is open. Closing it closes the file. */
export function arrowContainer(
  file: InputFile,
  format: ArrowContainer["format"],
  { allowMissingEos = false, anyByteOrder = false }: ContainerOptions,
): ArrowContainer {
  const located =
    format === "arrow-file"
      ? locateFile(file)
      : locateStream(file, allowMissingEos);
  if (located.schema.bigEndian && !anyByteOrder)
    throw new InputUnsupportedError(
      file.path,
      "schema",
      `expected little-endian data, found big-endian; ${REWRITE}`,
    );
  return {
    ...file,
    ...located,
    format,
    nested: [],
    message: (block, where) => readMessage(file, block, where),
  };
}
