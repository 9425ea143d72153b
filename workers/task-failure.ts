import { ShortReadError } from "../src/io/positional.js";
import { systemErrorName } from "../src/io/system-error.js";
import { DifferentByte } from "../src/io/write-or-compare.js";
import type { Failure } from "../src/tasks/run-tasks.js";

/** Error that ends a task; its `failure` becomes the reply. */
export class TaskFailure extends Error {
  constructor(readonly failure: Failure) {
    super(failure.kind);
  }
}

/** Runs a read of the input or a write of the output, and converts its errors to a TaskFailure of that side. */
export function withSide<T>(side: "input" | "output", act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof DifferentByte) {
      const { position, expected, found } = error;
      throw new TaskFailure({ kind: "different", position, expected, found });
    }
    if (error instanceof ShortReadError)
      throw new TaskFailure({
        kind: "damaged",
        where: "values",
        text: error.message,
      });
    const code = systemErrorName(error);
    if (code === null) throw error;
    throw new TaskFailure({ kind: "io", side, code });
  }
}
