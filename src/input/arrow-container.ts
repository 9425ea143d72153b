import { InputUnsupportedError } from "../errors.js";
import { TemporaryFiles } from "../io/anonymous-file.js";
import { locateFile } from "./arrow-file.js";
import { locateStream, REWRITE, readMessage } from "./arrow-stream.js";
import { decompressBodies } from "./compression/decompress-bodies.js";
import { openInputFile } from "./input-file.js";
import { type InputFormat, inputFormat } from "./input-format.js";
import { checkUnwritten } from "./input-state.js";
import { interpreting } from "./interpreting.js";
import type { InputFile } from "./read-input.js";
import type { ArrowContainer } from "./record-batches.js";

const ARROW = "an Arrow IPC file or stream";

/**
 * Opens an Arrow IPC file or stream; its first bytes decide which it is.
 * @throws InputMissingError, PermissionError, InputFormatError, InputUnsupportedError, IoError
 */
export function openArrow(path: string): ArrowContainer {
  const file = openInputFile(path);
  try {
    const format = inputFormat(file, ARROW);
    if (!format.startsWith("arrow"))
      throw new InputUnsupportedError(
        path,
        "first bytes",
        `expected ${ARROW}, found a file of the format ${format}; give a file that softjac run wrote`,
      );
    return arrowContainer(file, format);
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Returns the container in an open file of Arrow, or in the stream that a Parquet file was decoded to. Closing the container
 * closes the file.
 * @param options `allowMissingEos`: whether a stream may lack its end-of-stream marker; `anyByteOrder`: whether to accept
 * big-endian data, to describe it
 */
export function arrowContainer(
  file: InputFile,
  format: InputFormat,
  options: {
    allowMissingEos?: boolean | undefined;
    anyByteOrder?: boolean;
  } = {},
): ArrowContainer {
  const { allowMissingEos = false, anyByteOrder = false } = options;
  const isFile = format === "arrow-file";
  const located = isFile
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
    format: isFile ? "arrow-file" : "arrow-stream",
    nested: [],
    message: (block, where) => readMessage(file, block, where),
  };
}

/**
 * Opens an Arrow file or stream to read any of its columns. Decompresses all of them to an anonymous file if bodies are
 * compressed.
 * @throws as openArrow and decompressBodies
 */
export function openPlainArrow(path: string): Promise<ArrowContainer> {
  return interpreting(path, "structure", async () => {
    const container = openArrow(path);
    const temporary = new TemporaryFiles();
    const close = () => {
      temporary.close();
      container.close();
    };
    try {
      const indices = [...container.schema.fields.keys()];
      const plain = await decompressBodies(container, indices, { temporary });
      // Checked now, because later changes of the file do not affect the decoded copy.
      checkUnwritten(container);
      return { ...plain, close };
    } catch (error) {
      close();
      throw error;
    }
  });
}
