import { readFully } from "../src/io/positional.js";
import { systemFailure } from "../src/io/system-error.js";
import type { ParquetReply } from "../src/tasks/parquet-tasks.js";

/** Error that the thread sends to the main thread as `reply`. */
export class ParquetFailure extends Error {
  constructor(readonly reply: ParquetReply) {
    super(reply.kind);
  }
}

export function damaged(where: string, text: string): ParquetFailure {
  return new ParquetFailure({ kind: "damaged", where, text });
}

/** Fills `target` from the Parquet file. @throws ParquetFailure if the file has become shorter or cannot be read */
export function readParquet(
  fd: number,
  target: Uint8Array,
  position: number,
): void {
  try {
    readFully(fd, target, position);
  } catch (error) {
    const failed = systemFailure(error);
    throw new ParquetFailure(
      failed
        ? { kind: "failed", task: "read", ...failed }
        : { kind: "damaged", where: "file", text: (error as Error).message },
    );
  }
}
