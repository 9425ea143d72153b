import { bitAt } from "../src/arrow/bitmap.js";
import { FetchedRanges } from "../src/io/fetched-ranges.js";
import { readFully, ShortReadError } from "../src/io/positional.js";
import { systemFailure } from "../src/io/system-error.js";
import { DifferentByte, writePages } from "../src/io/write-or-compare.js";
import type { Failure } from "../src/tasks/failure.js";
import type { WorkerContext } from "../src/tasks/run-tasks.js";

/** Reads bytes of the input (or of the file `fd` of decoded rows) into the memory of the slots. */
export function readSource(
  context: WorkerContext,
  address: number,
  bytes: number,
  position: number,
  fd: number | null = null,
): void {
  const target = new Uint8Array(context.buffer, address, bytes);
  const file = fd === null ? context : { sourceFd: fd, sourcePresent: null };
  readInto(file, target, position);
}

/** Fills `target` with bytes of the input. */
export function readInto(
  {
    sourceFd,
    sourcePresent,
  }: Pick<WorkerContext, "sourceFd" | "sourcePresent">,
  target: Uint8Array,
  position: number,
): void {
  withSide("input", () => {
    if (sourcePresent) {
      const { bytes, shared } = sourcePresent;
      new FetchedRanges(bytes, shared).check(position, target.byteLength);
    }
    readFully(sourceFd, target, position);
  });
}

/** Returns a test of bits `first + k` (k < count) of the bitmap at `position` of the input; null for no bitmap (position 0). */
export function readBits(
  context: WorkerContext,
  position: number,
  first: number,
  count: number,
): ((k: number) => boolean) | null {
  if (position === 0) return null;
  const start = Math.floor(first / 8);
  const bytes = new Uint8Array(Math.ceil((first + count) / 8) - start);
  readInto(context, bytes, position + start);
  const skip = first - 8 * start;
  return (k) => bitAt(bytes, skip + k) === 1;
}

/** Writes bytes from the memory of the slots to the output. */
export function writeSlot(
  { buffer, output }: WorkerContext,
  address: number,
  bytes: number,
  position: number,
): void {
  withSide("output", () =>
    writePages(output, buffer, address, bytes, position),
  );
}

/** Error that ends a task; its `failure` becomes the reply. */
export class TaskFailure extends Error {
  constructor(readonly failure: Failure) {
    super(failure.kind);
  }
}

export function damaged(where: string, text: string): TaskFailure {
  return new TaskFailure({ kind: "damaged", where, text });
}

/**
 * Runs a read of the input or a write of the output, and converts its errors to a TaskFailure of that side.
 * @param where position in the message about an input that ends too early
 */
export function withSide<T>(
  side: "input" | "output",
  act: () => T,
  where = "values",
): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof DifferentByte) {
      const { position, expected, found } = error;
      throw new TaskFailure({ kind: "different", position, expected, found });
    }
    if (error instanceof ShortReadError) throw damaged(where, error.message);
    const failed = systemFailure(error);
    throw failed ? new TaskFailure({ kind: "io", side, ...failed }) : error;
  }
}
