import { Sequential, SequentialFile } from "../io/sequential.js";
import { type DirectTarget, writeOrCompare } from "../io/write-or-compare.js";
import { STREAM_START } from "./jacobian-file.js";

/** The output path that means standard output. */
export const STANDARD_OUTPUT = "-";

/** Destination of a run's bytes: a file to write, a file to compare them with, or a stream. */
export interface OutputTarget extends Readonly<DirectTarget> {
  /** Stream with backpressure: a write resolves when its bytes may be changed. @throws OutputClosedError, IoError */
  readonly stream?: { write(bytes: Uint8Array): Promise<void> };
  /** Stops the stream: no more bytes are sent. */
  stop?(): void;
  /** Reports newly written bytes, so that syncing starts during the run and the commit has little to wait for. */
  reportWritten(bytes: number): void;
}

/** An output that is being written: a temporary file next to the target path, or a stream. */
export interface PendingOutput extends OutputTarget {
  /** Makes the output durable and renames it to its final path, atomically. */
  commit(): Promise<void>;
  /** Removes the output. Does nothing after a commit. */
  discard(): Promise<void>;
}

/** Opens an output for sequential writing. */
export function openSequential(output: OutputTarget): Sequential {
  const { fd, direct, stream, compare } = output;
  if (stream)
    return new Sequential(async (bytes, position) => {
      const rest = bytes.subarray(Math.max(0, STREAM_START - position));
      if (rest.byteLength > 0) await stream.write(rest);
    });
  return compare
    ? new Sequential(async (bytes, position) =>
        writeOrCompare({ fd, compare }, bytes, position),
      )
    : new SequentialFile(fd, direct);
}
