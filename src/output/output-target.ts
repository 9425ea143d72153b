import type { ByteStream } from "./standard-output.js";

/** The output path that means standard output. */
export const STANDARD_OUTPUT = "-";

/** Where a run's bytes go: a file to write, or one to compare them with. */
export interface OutputTarget {
  readonly fd: number;
  readonly compare: boolean;
  /** For writes past the page cache (io/direct.ts); -1 where there are none. */
  readonly direct: number;
  /** Where bytes leave in order: the part of them that is in memory (io/put-bytes.ts), and their way out. */
  readonly ring?: SharedArrayBuffer | null;
  readonly stream?: ByteStream;
  /** Such an output has no room for bytes before `end` until others have left; fulfilled too once it is stopped. */
  room?(end: number): Promise<void>;
  /** Puts zeros. */
  clear?(start: number, end: number): void;
  /** Says that all bytes before `end` have been put. */
  complete?(end: number): void;
  /** Gives up: nothing more leaves. */
  stop?(): void;
  /**
   * Says that so many bytes more have been written. Now and then the disk is set to work on them while the run goes on,
   * so that little is left for the commit to wait for.
   */
  wrote(bytes: number): void;
}

/** The output while it is being written: a file beside its target that nobody else sees as the output. */
export interface PendingOutput extends OutputTarget {
  readonly temporaryPath: string;
  /** Where that is not what a writer gave it: the bytes that it has taken. */
  bytes?(): number;
  /** Makes it durable and gives it its name: all of it, or nothing. */
  commit(): Promise<void>;
  /** Removes it. Does nothing after a commit. */
  discard(): Promise<void>;
}
