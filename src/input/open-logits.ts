import { InputUnsupportedError } from "../errors.js";
import { keyCount } from "../results/row-axes.js";
import { arrowContainer } from "./arrow-container.js";
import { locateLogits } from "./arrow-logits.js";
import { rejectLabels } from "./first-rows.js";
import { openInput } from "./input-file.js";
import { arraysOpener, inputFormat } from "./input-format.js";
import { interpreting } from "./interpreting.js";
import type { LogitsFile, OpenOptions } from "./logits-file.js";
import type { InputFile } from "./read-input.js";
import type { ArrowContainer } from "./record-batches.js";

/**
 * Opens an input (`-`: standard input) and validates its structure: afterwards, every byte range that a worker is given lies
 * inside the file and has the length that the schema implies.
 * @throws InputMissingError, PermissionError, InputFormatError, InputUnsupportedError, LogitsColumnError, IoError,
 * AbortedError
 */
export async function openLogits(
  path: string,
  options: OpenOptions,
): Promise<LogitsFile> {
  return logitsIn(await openInput(path, options), options);
}

/** Locates the logits in an open file; closes the file on failure, or with the logits. @throws as openLogits */
export function logitsIn(
  file: InputFile,
  options: OpenOptions,
): Promise<LogitsFile> {
  return interpreting(file.path, "structure", async () => {
    const logits = await locateColumns(file, options);
    try {
      rejectLongAxes(logits);
      await rejectLabels(logits, options);
    } catch (error) {
      logits.close();
      throw error;
    }
    return logits;
  });
}

/** Rejects rows whose positions exceed int32 or whose keys (src/results/row-axes.ts) exceed 2^53. */
function rejectLongAxes({ path, column, leading }: LogitsFile): void {
  const isLong = leading.slice(1).some((length) => length > 2 ** 31 - 1);
  if (isLong || keyCount(leading) > Number.MAX_SAFE_INTEGER)
    throw new InputUnsupportedError(
      path,
      `column ${column}`,
      `expected at most 2^31 - 1 positions in each row and 2^53 in all, found axes of ${leading.join(" x ")}; reshape the logits to (rows, classes)`,
    );
}

async function locateColumns(
  file: InputFile,
  options: OpenOptions,
): Promise<LogitsFile> {
  let open = file;
  let container: ArrowContainer;
  try {
    const format = inputFormat(file);
    const openArrays = await arraysOpener(format);
    if (openArrays) {
      const { locateArrays } = await import("./arrays/array-logits.js");
      return await locateArrays(file, openArrays, options);
    }
    if (format === "parquet") {
      const { parquetAsArrow } = await import("./parquet/parquet-as-arrow.js");
      open = await parquetAsArrow(file, options);
    }
    container = arrowContainer(
      open,
      format === "arrow-file" ? format : "arrow-stream",
      options,
    );
  } catch (error) {
    open.close();
    throw error;
  }
  // Reports state the size of the file, not of a decoded copy.
  return { ...(await locateLogits(container, options)), bytes: file.bytes };
}
