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

/** Where a run's bytes go: a file to write, or one to compare them with. */
export interface OutputTarget {
  readonly fd: number;
  readonly compare: boolean;
  /** Descriptor for writes past the page cache (io/put-bytes.ts); -1: none. */
  readonly direct: number;
  /** For bytes that leave in order: the part of them that is in memory (io/put-bytes.ts), and where they go. */
  readonly ring?: SharedArrayBuffer | null;
  readonly stream?: ByteStream;
  /** Resolves when the ring has space for bytes before `end`, or when the output is stopped. */
  waitForSpace?(end: number): Promise<void>;
  /** Puts zeros. */
  zeroFill?(start: number, end: number): void;
  /** Says that all bytes before `end` have been put. */
  markComplete?(end: number): void;
  /** Stops: nothing more leaves. */
  stop?(): void;
  /**
   * Says that so many bytes more have been written, so that the disk can start to work on them while the run goes on, and
   * little is left for the commit to wait for.
   */
  reportWritten(bytes: number): void;
}

/** An output while it is being written: a file beside its target that nobody else sees as the output. */
export interface PendingOutput extends OutputTarget {
  readonly temporaryPath: string;
  /** Bytes that it has taken, if they are not those that a writer gave it. */
  bytes?(): number;
  /** Makes it durable and gives it its name: all of it, or nothing. */
  commit(): Promise<void>;
  /** Removes it. Does nothing after a commit. */
  discard(): Promise<void>;
}

/** Opens an output for bytes in order, from its start to its end. */
export function openSequential(output: OutputTarget): Sequential {
  const { fd, direct, stream, compare } = output;
  if (stream) return new SequentialStream(stream, STREAM_START);
  return compare
    ? new SequentialComparison(fd)
    : new SequentialFile(fd, direct);
}
