import type { ChildProcess } from "node:child_process";

/** Resolves once a process has written `text` to standard error; rejects if it ends before. */
export function untilSaid(child: ChildProcess, text: string): Promise<void> {
  let said = "";
  return new Promise((resolve, reject) => {
    child.stderr?.on("data", (piece) => {
      said += piece;
      if (said.includes(text)) resolve();
    });
    child.once("close", () =>
      reject(new Error(`expected "${text}" before the end, found: ${said}`)),
    );
  });
}
