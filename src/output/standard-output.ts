import { constants, createWriteStream, fstatSync, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { isatty } from "node:tty";
import { OutputClosedError, UsageError } from "../errors.js";
import { ioError } from "../io/system-error.js";
import type { PendingOutput } from "./output-target.js";

const FD = 1;
const NAME = "standard output";

/** Opens standard output for binary data. @throws UsageError for a terminal */
export function openStandardOutput(): PendingOutput {
  const stream = openStream();
  /** Rejects the write in progress, which may never end. */
  let giveUp = () => {};
  // Each write reports its own error; an error event without listener would end the process.
  stream.on("error", () => {}).on("close", () => giveUp());
  const done = (start: (callback: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => {
      giveUp = () => reject(new OutputClosedError(NAME));
      // A destroyed stream may never call back.
      if (stream.destroyed) giveUp();
      start((error) => (error ? reject(streamError(error)) : resolve()));
    });
  const stop = () => {
    stream.destroy();
    giveUp();
  };
  return {
    fd: -1,
    compare: false,
    direct: -1,
    stream: {
      write: ({ buffer, byteOffset, byteLength }) =>
        done((callback) =>
          stream.write(Buffer.from(buffer, byteOffset, byteLength), callback),
        ),
    },
    reportWritten: () => {},
    stop,
    commit: () => done((callback) => stream.end(callback)),
    discard: async () => stop(),
  };
}

/** Opens the stream. Writes never block the thread, so that signals are handled while nobody reads. */
function openStream(): Writable {
  if (isatty(FD))
    throw new UsageError(
      "output: - writes binary data, but standard output is a terminal; redirect it to a file or pipe",
    );
  const stat = fstatSync(FD);
  const reopened = stat.isFIFO() ? reopen() : null;
  if (reopened !== null) return createWriteStream("", { fd: reopened });
  return stat.isFIFO() || stat.isSocket()
    ? new Socket({ fd: FD, readable: false, writable: true })
    : createWriteStream("", { fd: FD, autoClose: false });
}

/**
 * Opens the pipe again for blocking writes on Node's thread pool, which take half the time: Node makes its own descriptor
 * non-blocking and polls it for every 64 KiB. Returns null if that is impossible.
 */
function reopen(): number | null {
  if (process.platform !== "linux") return null;
  try {
    return openSync(`/proc/self/fd/${FD}`, constants.O_WRONLY);
  } catch {
    return null;
  }
}

const CLOSED = ["EPIPE", "ERR_STREAM_DESTROYED", "ECONNRESET"];

function streamError(cause: unknown): Error {
  const { code = "" } = cause as NodeJS.ErrnoException;
  return CLOSED.includes(code)
    ? new OutputClosedError(NAME, { cause })
    : ioError(NAME, "could not be written", cause);
}
