import { ShortReadError } from "../src/io/positional.js";
import { DifferentByte } from "../src/io/put-bytes.js";
import type { Failure } from "../src/pool/protocol.js";

/** Thrown inside a task; leaves it as data. */
export class TaskFailure extends Error {
  constructor(readonly failure: Failure) {
    super(failure.kind);
  }
}

/** Runs a read of the input or a write of the output, so that a failure says which. */
export function withSide(side: "input" | "output", act: () => void): void {
  try {
    act();
  } catch (error) {
    if (error instanceof DifferentByte) {
      const { position, expected, found } = error;
      throw new TaskFailure({ kind: "different", position, expected, found });
    }
    const short = error instanceof ShortReadError;
    const code = (error as NodeJS.ErrnoException).code ?? null;
    if (!short && !code) throw error;
    const { message } = error as Error;
    throw new TaskFailure(
      short
        ? { kind: "damaged", where: "values", text: message }
        : { kind: "io", side, code, message },
    );
  }
}
