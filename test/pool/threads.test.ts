import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { InternalError, WorkerError } from "../../src/errors.js";
import { openThreads } from "../../src/pool/piscina-threads.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const module = at("worker.mjs");
writeFileSync(
  module,
  `export default (task) => {
     if (task === "exit") process.exit(3);
     if (task === "throw") throw new TypeError("no such thing");
     return task;
   };`,
);

test.each([
  ["exit", "a worker thread failed: worker exited with code: 3"],
  ["throw", "a worker thread failed: no such thing"],
])("a task that ends by %s is a worker that failed", async (task, message) => {
  const threads = await openThreads<string, string>(pathToFileURL(module), 1);
  const error = await threads.run(task).catch((error) => error);
  expect(error).toBeInstanceOf(WorkerError);
  expect(error).toBeInstanceOf(InternalError);
  expect(error.message).toBe(message);
  await threads.close();
});

test("others go on", async () => {
  const threads = await openThreads<string, string>(pathToFileURL(module), 1);
  await threads.run("throw").catch(() => {});
  expect(await threads.run("more")).toBe("more");
  await threads.close();
});
