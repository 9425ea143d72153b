import { arrowContainer } from "./arrow-container.js";
import { locateLogits } from "./arrow-logits.js";
import { type InputFile, openInputFile } from "./input-file.js";
import { inputFormat } from "./input-format.js";
import type { LogitsFile, OpenOptions } from "./logits-file.js";
import { parquetAsArrow } from "./parquet/parquet-as-arrow.js";
import { isParquet } from "./parquet/parquet-footer.js";
import { openStandardInput, STANDARD_INPUT } from "./standard-input.js";

/**
 * Opens an input, `-` for standard input, and checks its whole structure: after this, every byte range that a worker is
 * given lies inside the file and has the length that the schema implies. What the input is, its first bytes tell.
 * @throws InputMissingError, PermissionError, InputFormatError, InputUnsupportedError, LogitsColumnError, IoError,
 * AbortedError
 */
export async function openLogits(
  path: string,
  options: OpenOptions,
): Promise<LogitsFile> {
  let file =
    path === STANDARD_INPUT
      ? await openStandardInput(options.scratch, options.signal)
      : openInputFile(path);
  try {
    if (isParquet(file)) file = await parquetAsArrow(file, options);
    return await locate(file, options);
  } catch (error) {
    file.close();
    throw error;
  }
}

async function locate(
  file: InputFile,
  options: OpenOptions,
): Promise<LogitsFile> {
  const format = inputFormat(file);
  return locateLogits(arrowContainer(file, format, options), options);
}
