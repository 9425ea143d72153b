import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  write as writeFile,
} from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";
import { OutputClosedError, UsageError } from "../errors.js";
import { ioError } from "../io/system-error.js";
import type { ByteStream, PendingOutput } from "./output-target.js";

const FD = 1;
const NAME = "standard output";

/** Opens standard output for binary data. @throws UsageError for a terminal */
export function openStandardOutput(): PendingOutput {
  const stream = openStream();
  let isStopped = false;
  const stop = () => {
    isStopped = true;
    stream.destroy();
  };
  return {
    fd: -1,
    compare: false,
    direct: -1,
    stream,
    reportWritten: () => {},
    stop,
    async commit() {
      if (isStopped) throw new OutputClosedError(NAME);
      await stream.end();
    },
    discard: async () => stop(),
  };
}

/**
 * Opens standard output. Writes to a pipe or socket never block the thread, so that signals are handled while nobody reads. A
 * file is written from its current position.
 */
function openStream(): ByteStream {
  if (isatty(FD))
    throw new UsageError(
      "output: - writes binary data, but standard output is a terminal; redirect it to a file or pipe",
    );
  const stat = fstatSync(FD);
  const reopened = stat.isFIFO() ? reopen() : null;
  if (reopened !== null) return file(reopened, true);
  return stat.isFIFO() || stat.isSocket() ? socket() : file(FD, false);
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

function socket(): ByteStream {
  const socket = new Socket({ fd: FD, readable: false, writable: true });
  // Each write reports its own error; an error event without listener would end the process.
  socket.on("error", () => {});
  return {
    write: ({ buffer, byteOffset, byteLength }) =>
      new Promise((resolve, reject) => {
        // The callback of a write to a closed socket may never be called.
        const closed = () => reject(new OutputClosedError(NAME));
        socket.once("close", closed);
        socket.write(Buffer.from(buffer, byteOffset, byteLength), (error) => {
          socket.off("close", closed);
          if (error) reject(streamError(error));
          else resolve();
        });
      }),
    destroy: () => {
      socket.destroy();
    },
    end: () =>
      new Promise((resolve, reject) => {
        socket.once("error", (error) => reject(streamError(error)));
        socket.end(resolve);
      }),
  };
}

function file(fd: number, isOurs: boolean): ByteStream {
  let stopped = false;
  /** Rejects the write in progress, which may never end. */
  let giveUp = () => {};
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.byteLength; ) {
        if (stopped) throw new OutputClosedError(NAME);
        done += await new Promise<number>((resolve, reject) => {
          giveUp = () => reject(new OutputClosedError(NAME));
          const length = bytes.byteLength - done;
          writeFile(fd, bytes, done, length, null, (error, written) =>
            error ? reject(streamError(error)) : resolve(written),
          );
        });
      }
    },
    destroy: () => {
      stopped = true;
      giveUp();
    },
    end: async () => {
      if (isOurs) closeSync(fd);
    },
  };
}

const CLOSED = ["EPIPE", "ERR_STREAM_DESTROYED", "ECONNRESET"];

function streamError(cause: unknown): Error {
  const { code = "" } = cause as NodeJS.ErrnoException;
  return CLOSED.includes(code)
    ? new OutputClosedError(NAME, { cause })
    : ioError(NAME, "could not be written", cause);
}
