import { InputRows } from "../../src/input/input-rows.js";
import type { LogitsFile, OpenOptions } from "../../src/input/logits-file.js";
import { openLogits } from "../../src/input/open-logits.js";

/** Description of an input, and the numbers of each source (the logits, then the other inputs) by row. */
interface OpenedInput extends Omit<LogitsFile, "sources"> {
  sources: number[][][];
  /** Whether the logits were decoded to a temporary file. */
  isDecoded: boolean;
}

/** Opens an input, reads rows (default: all) and closes it. */
export async function openedInput(
  path: string,
  options: Partial<OpenOptions> = {},
  [start, end]: [start?: number, end?: number] = [],
): Promise<OpenedInput> {
  const none = { keep: [], ownNames: [], inputs: [] };
  const logits = await openLogits(path, { ...none, ...options });
  try {
    const input = new InputRows(logits);
    const [first, last] = [start ?? 0, end ?? logits.rows];
    await input.load(first, last);
    const sources = logits.sources.map((_, n) =>
      Array.from({ length: last - first }, (_, k) => [
        ...input.values(first + k, n),
      ]),
    );
    return { ...logits, sources, isDecoded: logits.sources[0]?.fd !== null };
  } finally {
    logits.close();
  }
}

/** Returns the code and the message for an input that cannot be opened, with `file` for its path. */
export async function openRefusal(
  path: string,
  options: Partial<OpenOptions> = {},
): Promise<string> {
  const error = await openedInput(path, options).then(
    () => new Error("the input was read"),
    (error) => error,
  );
  return `${error.code} ${error.message.replace(path, "file")}`;
}
