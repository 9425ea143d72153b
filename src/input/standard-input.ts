import { fstatSync } from "node:fs";
import { AbortedError, InputUnsupportedError } from "../errors.js";
import { UnnamedFile } from "../io/unnamed-file.js";
import { ioError } from "../system-error.js";
import type { InputFile } from "./input-file.js";
import { fileSource } from "./input-state.js";
import type { OpenOptions } from "./logits-file.js";
import { HEAD_BYTES } from "./other-formats.js";

/** The input path that means standard input. */
export const STANDARD_INPUT = "-";

const NAME = "standard input";

/**
 * Standard input as a file that can be read by position: as it is where it is a file, else written to one without a name
 * (in `scratch`), which takes as much of the disk as the input has bytes, and no memory. `check` sees the first bytes
 * before the rest is read: an input of another format may never end.
 * @throws what `check` throws; InputUnsupportedError where it is a terminal or a directory; IoError; AbortedError
 */
export async function openStandardInput(
  options: Pick<OpenOptions, "scratch" | "signal">,
  check: (file: InputFile) => void,
): Promise<InputFile> {
  const { scratch, signal } = options;
  const stat = fstatSync(0);
  if (stat.isFile())
    return {
      path: NAME,
      fd: 0,
      bytes: stat.size,
      present: null,
      source: fileSource(NAME, 0, null),
      close: () => {},
    };
  const { stdin } = process;
  if (stat.isDirectory() || stdin.isTTY)
    throw new InputUnsupportedError(
      NAME,
      "input",
      `expected a file or a pipe, found a ${stat.isDirectory() ? "directory" : "terminal"}; redirect a file to it: softjac run - -o OUTPUT < FILE`,
    );
  const kept = new UnnamedFile(scratch);
  const file = (): InputFile => ({
    path: NAME,
    fd: kept.fd,
    bytes: kept.bytes,
    present: null,
    source: null,
    close: () => kept.close(),
  });
  const stop = () => stdin.destroy();
  signal?.addEventListener("abort", stop);
  try {
    for await (const piece of stdin) {
      if (signal?.aborted) break;
      const start = kept.append(piece as Uint8Array);
      if (start < HEAD_BYTES && kept.bytes >= HEAD_BYTES) check(file());
    }
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  } catch (cause) {
    kept.close();
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    throw ioError(NAME, "could not be copied to a temporary file", cause);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  return file();
}
