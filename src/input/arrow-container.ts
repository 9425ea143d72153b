import { InputUnsupportedError } from "../errors.js";
import { locateFile } from "./arrow-file.js";
import { REWRITE, readMessage } from "./arrow-metadata.js";
import { locateStream } from "./arrow-stream.js";
import { openInputFile } from "./input-file.js";
import { inputFormat } from "./input-format.js";
import type { InputFile } from "./read-input.js";
import type { ArrowContainer } from "./record-batches.js";

const ARROW = "an Arrow IPC file or stream";

interface ContainerOptions {
  /** Whether a stream may lack its end-of-stream marker; default: false. */
  allowMissingEos?: boolean | undefined;
  /** Whether big-endian data is accepted, to describe it; default: false. */
  anyByteOrder?: boolean | undefined;
}

/**
 * Opens an Arrow IPC file or stream; its first bytes decide which it is.
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

/** Returns the container in an open file. Closing the container closes the file. */
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
