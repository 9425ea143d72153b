import { ShortReadError } from "../src/io/positional.js";
import { systemFailure } from "../src/io/system-error.js";
import { DifferentByte } from "../src/io/write-or-compare.js";
import type { Failure } from "../src/tasks/failure.js";

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
