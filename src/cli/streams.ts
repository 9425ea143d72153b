import { closeSync, fstatSync } from "node:fs";
import { isatty } from "node:tty";
import { messageText, printableJson, printableLines } from "../printable.js";

// The only place that writes to standard output and standard error. main.ts loads it first, with as little as it takes.

type Stream = NodeJS.WriteStream & {
  _handle?: { setBlocking?: (isBlocking: boolean) => void };
};

const opened = new Set<Stream>();
let failure: NodeJS.ErrnoException | null = null;

/** Writes text that the command was asked for; resultWritten() tells whether it arrived. */
export function writeResult(text: string): void {
  streamOf("stdout").write(text);
}

/** Columns of the terminal that standard output is; undefined where it is none. */
export function resultColumns(): number | undefined {
  return streamOf("stdout").columns;
}

/** Standard error. A log that cannot be written changes neither the result nor the exit code. */
export const log = {
  /** Writes lines for people. */
  write(text: string): void {
    streamOf("stderr").write(printableLines(text));
  },
  writeJson(lines: string): void {
    streamOf("stderr").write(printableJson(lines));
  },
  /** The terminal that standard error is; null where it is none. */
  get terminal(): NodeJS.WriteStream | null {
    const stream = streamOf("stderr");
    return stream.isTTY ? stream : null;
  },
};

/** Returns an unexpected error as one sentence, or its stack where NODE_DEBUG asks for that. */
export function internalError(error: unknown): string {
  const { message, stack } =
    error instanceof Error ? error : { message: String(error), stack: "" };
  if (/\bsoftjac\b/.test(process.env.NODE_DEBUG ?? "") && stack)
    return printableLines(stack);
  return `internal error: ${messageText(message)} (please report it; NODE_DEBUG=softjac prints the stack)`;
}

/**
 * Waits until standard output has taken everything. Returns the error that kept it from that, and null where its reader
 * has gone (`softjac … | head`, a closed terminal), which is no failure.
 */
export async function resultWritten(): Promise<NodeJS.ErrnoException | null> {
  await drained("stdout");
  return failure;
}

/** Waits until standard error has taken everything. */
export function logWritten(): Promise<void> {
  return drained("stderr");
}

/**
 * Lets go of a terminal that has been closed. Node resets terminals when it exits, and aborts where one of them has gone.
 */
export function leaveClosedTerminals(): void {
  for (const fd of [0, 1, 2])
    try {
      if (fstatSync(fd).isCharacterDevice() && !isatty(fd)) closeSync(fd);
    } catch {
      // Closed before.
    }
}

function streamOf(name: "stdout" | "stderr"): Stream {
  const stream = process[name] as Stream;
  if (opened.has(stream)) return stream;
  opened.add(stream);
  stream.on("error", (error) => {
    if (name === "stdout" && !isReaderGone(stream, error)) failure ??= error;
  });
  // Writes to a terminal that takes nothing (Ctrl-S) would block the thread, and signals with it.
  if (stream.isTTY) stream._handle?.setBlocking?.(false);
  return stream;
}

/** An error is emitted before the callback of a later write is called. */
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
