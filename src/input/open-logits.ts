import { arrowContainer } from "./arrow-container.js";
import { locateLogits } from "./arrow-logits.js";
import { type InputFile, openInputFile } from "./input-file.js";
import { inputFormat } from "./input-format.js";
import type { LogitsFile, OpenOptions } from "./logits-file.js";
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
  const file = await openInput(path, options);
  try {
    return await logitsIn(file, options);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** A path, or `-` for standard input, as bytes that can be read by position. @throws as openLogits */
export async function openInput(
  path: string,
  { scratch, signal }: Pick<OpenOptions, "scratch" | "signal">,
): Promise<InputFile> {
  return path === STANDARD_INPUT
    ? await openStandardInput(scratch, signal)
    : openInputFile(path);
}

/** The logits of a file that is open; closing them closes it. @throws as openLogits; the file is then still open */
export async function logitsIn(
  file: InputFile,
  options: OpenOptions,
): Promise<LogitsFile> {
  const format = inputFormat(file);
  return locateLogits(arrowContainer(file, format, options), options);
}
