import { workerData } from "node:worker_threads";
import type {
  DecompressSetup,
  DecompressTask,
} from "../src/tasks/decompress-tasks.js";
import { decompress } from "./decompress/decompress.js";

/** A piscina worker: decodes one buffer after the other. */
export default (task: DecompressTask) =>
  decompress(workerData as DecompressSetup, task);
