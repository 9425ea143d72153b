import { workerData } from "node:worker_threads";
import type {
  DecompressSetup,
  DecompressTask,
} from "../src/tasks/decompress-tasks.js";
import { decompress } from "./decompress/decompress.js";

/** Piscina worker: each task decodes one buffer. */
export default (task: DecompressTask) =>
  decompress(workerData as DecompressSetup, task);
