// The piscina worker. Node built-ins and the kernel only: a worker starts in the time that its imports take.
import { workerData } from "node:worker_threads";
import type { WorkerSetup } from "../src/pool/protocol.js";
import { taskRunner } from "./run-task.js";

export default taskRunner(workerData as WorkerSetup);
