import {
  type Sequential,
  SequentialComparison,
  SequentialFile,
  SequentialStream,
} from "../io/sequential.js";
import { STREAM_START } from "./jacobian-file.js";
import type { ByteStream } from "./standard-output.js";

/** The output path that means standard output. */
export const STANDARD_OUTPUT = "-";

/** Destination of a run's bytes: a file to write, a file to compare them with, or a stream. */
export interface OutputTarget {
  readonly fd: number;
  readonly compare: boolean;
  /** Descriptor for writes past the page cache (io/write-or-compare.ts), or -1. */
  readonly direct: number;
  /** For a streamed output: its ring buffer (io/write-or-compare.ts) and the stream. */
  readonly ring?: SharedArrayBuffer | null;
  readonly stream?: ByteStream;
  /** Resolves when the ring buffer has space up to `end`, or when the output is stopped. */
  waitForSpace?(end: number): Promise<void>;
  /** Writes zeros to `[start, end)` of the ring buffer. */
  zeroFill?(start: number, end: number): void;
  /** Declares that all bytes before `end` are in the ring buffer. */
  markComplete?(end: number): void;
  /** Stops the stream: no more bytes are sent. */
  stop?(): void;
  /** Reports newly written bytes, so that syncing starts during the run and the commit has little to wait for. */
  reportWritten(bytes: number): void;
}

/** An output that is being written: a temporary file next to the target path, or a stream. */
export interface PendingOutput extends OutputTarget {
  readonly temporaryPath: string;
  /** Returns the size of the output if it differs from the bytes that the writer gave it. */
  bytes?(): number;
  /** Makes the output durable and renames it to its final path, atomically. */
  commit(): Promise<void>;
  /** Removes the output. Does nothing after a commit. */
  discard(): Promise<void>;
}

/** Opens an output for sequential writing. */
export function openSequential(output: OutputTarget): Sequential {
  const { fd, direct, stream, compare } = output;
  if (stream) return new SequentialStream(stream, STREAM_START);
  return compare
    ? new SequentialComparison(fd)
    : new SequentialFile(fd, direct);
}
