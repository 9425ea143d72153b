import { InputUnsupportedError } from "../errors.js";
import { locateFile } from "./arrow-file.js";
import { REWRITE, readMessage } from "./arrow-metadata.js";
import { locateStream } from "./arrow-stream.js";
import { openInputFile } from "./input-file.js";
import { inputFormat } from "./input-format.js";
import type { InputFile } from "./read-input.js";
import type { ArrowContainer } from "./record-batches.js";

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
