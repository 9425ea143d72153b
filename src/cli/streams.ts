import { closeSync, fstatSync } from "node:fs";
import { isatty } from "node:tty";
import { messageText, printableJson, printableLines } from "../printable.js";

// The only module that writes to standard output and standard error. main.ts loads it first, so it imports little.

type Stream = NodeJS.WriteStream & {
  _handle?: { setBlocking?: (isBlocking: boolean) => void };
};

const opened = new Set<Stream>();
let failure: NodeJS.ErrnoException | null = null;

/** Writes the result of a command to standard output; `resultWritten` reports errors. */
export function writeResult(text: string): void {
  streamOf("stdout").write(text);
}

/** Returns the width of the terminal on standard output; undefined if it is not a terminal. */
export function resultColumns(): number | undefined {
  return streamOf("stdout").columns;
}

/** Standard error. A log that cannot be written changes neither the result nor the exit code. */
export const log = {
  write(text: string): void {
    streamOf("stderr").write(printableLines(text));
  },
  writeJson(lines: string): void {
    streamOf("stderr").write(printableJson(lines));
  },
  /** The terminal on standard error; null if it is not a terminal. */
  get terminal(): NodeJS.WriteStream | null {
    const stream = streamOf("stderr");
    return stream.isTTY ? stream : null;
  },
};

/** Formats an unexpected error in one line, or as its stack if NODE_DEBUG contains softjac. */
export function internalError(error: unknown): string {
  const { message, stack } =
    error instanceof Error ? error : { message: String(error), stack: "" };
  if (/\bsoftjac\b/.test(process.env.NODE_DEBUG ?? "") && stack)
    return printableLines(stack);
  return `internal error: ${messageText(message)} (please report it; NODE_DEBUG=softjac prints the stack)`;
}

/**
 * Waits until everything is written to standard output and returns the error if that failed. A reader that closed the pipe
 * (`softjac … | head`) or the terminal is not an error.
 */
export async function resultWritten(): Promise<NodeJS.ErrnoException | null> {
  await drained("stdout");
  return failure;
}

/** Waits until everything is written to standard error. */
export function logWritten(): Promise<void> {
  return drained("stderr");
}

/** Closes descriptors of closed terminals. Node resets terminals when it exits, and aborts if one is closed. */
export function closeLostTerminals(): void {
  for (const fd of [0, 1, 2])
    try {
      if (fstatSync(fd).isCharacterDevice() && !isatty(fd)) closeSync(fd);
    } catch {
      // The descriptor is already closed.
    }
}

function streamOf(name: "stdout" | "stderr"): Stream {
  const stream = process[name] as Stream;
  if (opened.has(stream)) return stream;
  opened.add(stream);
  stream.on("error", (error) => {
    if (name === "stdout" && !isReaderGone(stream, error)) failure ??= error;
  });
  // A blocking write to a paused terminal (Ctrl-S) would block the thread, and signal handlers with it.
  if (stream.isTTY) stream._handle?.setBlocking?.(false);
  return stream;
}

/** Waits for the callback of an empty write, which comes after the errors of earlier writes. */
async function drained(name: "stdout" | "stderr"): Promise<void> {
  const stream = process[name] as Stream;
  if (!opened.has(stream)) return;
  await new Promise<void>((resolve) => {
    stream.write("", () => setImmediate(resolve));
  });
}

function isReaderGone(
  stream: Stream,
  { code = "" }: NodeJS.ErrnoException,
): boolean {
  return (
    ["EPIPE", "ECONNRESET", "ERR_STREAM_DESTROYED"].includes(code) ||
    (stream.isTTY && ["EIO", "ENXIO"].includes(code))
  );
}
