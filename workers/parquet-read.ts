import { readFully } from "../src/io/positional.js";
import { ParquetFailure } from "./parquet-failure.js";

/** Fills `target` from the Parquet file. @throws ParquetFailure where the file has become shorter, or cannot be read */
export function readParquet(
  fd: number,
  target: Uint8Array,
  position: number,
): void {
  try {
    readFully(fd, target, position);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ParquetFailure(
      code === undefined || code === "ERR_SHORT_READ"
        ? { kind: "damaged", where: "file", text: message }
        : { kind: "failed", task: "read", code },
    );
  }
}
