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
import { ioError } from "../system-error.js";

const FD = 1;
const NAME = "standard output";

/** Bytes in order to whoever reads them, no faster than that. */
export interface ByteStream {
  /** Fulfilled when the bytes may be changed. @throws OutputClosedError, IoError */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes nothing more; what is under way fails. */
  destroy(): void;
  /** Waits until all has been taken. */
  end(): Promise<void>;
}

/**
 * Opens standard output for bytes: a pipe or socket without ever blocking the thread, so that signals are heard while
 * nobody reads; a file from where it stands.
 * @throws UsageError where it is a terminal
 */
export function openStandardOutput(): ByteStream {
  if (isatty(FD))
    throw new UsageError(
      "output: - writes binary data, but standard output is a terminal; redirect it to a file or pipe",
      "output",
    );
  const stat = fstatSync(FD);
  if (stat.isFIFO()) {
    const fd = openAnew();
    return fd === null ? pipe() : file(fd, true);
  }
  return stat.isSocket() ? pipe() : file(FD, false);
}

function pipe(): ByteStream {
  const socket = new Socket({ fd: FD, readable: false, writable: true });
  // Each write is told of its error.
  socket.on("error", () => {});
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        // A socket that is closed says so without a call.
        const closed = () => reject(new OutputClosedError(NAME));
        socket.once("close", closed);
        const view = Buffer.from(
          bytes.buffer,
          bytes.byteOffset,
          bytes.byteLength,
        );
        socket.write(view, (error) => {
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

/**
 * The same pipe, to be written without waiting for it on this thread: Node makes its own descriptor one that does not wait,
 * and asks for each 64 KiB anew whether there is room, which takes twice as long. null: the system has no such way.
 */
function openAnew(): number | null {
  if (process.platform !== "linux") return null;
  try {
    return openSync(`/proc/self/fd/${FD}`, constants.O_WRONLY);
  } catch {
    return null;
  }
}

function file(fd: number, isOurs: boolean): ByteStream {
  let stopped = false;
  /** Of the write under way, which may last for ever: who waits for it is told at once. */
  let giveUp = () => {};
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.byteLength; ) {
        if (stopped) throw new OutputClosedError(NAME);
        done += await new Promise<number>((resolve, reject) => {
          giveUp = () => reject(new OutputClosedError(NAME));
          writeFile(
            fd,
            bytes,
            done,
            bytes.byteLength - done,
            null,
            (error, written) =>
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

function streamError(error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EPIPE" ||
    code === "ERR_STREAM_DESTROYED" ||
    code === "ECONNRESET"
    ? new OutputClosedError(NAME, { cause: error })
    : ioError(NAME, "could not be written", error);
}
